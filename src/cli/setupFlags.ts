import * as z from 'zod';
import type { InitInput } from '../services/initPlan.js';
import type { OptionSpec } from './command.js';
import { positiveNumber, wholeNumber } from './inputs.js';
import { judgeText, keyEnvName, MODEL_FORMS, modelFrom, modelText } from './models.js';

/** The options that `init` and `bootstrap` share. */
export const SETUP_OPTIONS: readonly OptionSpec[] = [
  { flags: '--target <path>', summary: 'the instruction file inside the profile (SOUL.md)' },
  { flags: '--proposer <model>', summary: `who writes changes: ${MODEL_FORMS}` },
  { flags: '--proposer-key-env <name>', summary: 'environment variable that holds its key' },
  { flags: '--judge <model>', summary: 'who judges rubrics; none, or another model than the proposer' },
  { flags: '--judge-key-env <name>', summary: 'environment variable that holds its key' },
  { flags: '--budget-usd <usd>', summary: 'limit over the whole life of one edit; needs known prices' },
  { flags: '--budget-tokens <n>', summary: 'limit over the whole life of one edit' },
];

export const setupShape = {
  target: z.string().min(1).optional(),
  proposer: modelText.optional(),
  proposerKeyEnv: keyEnvName.optional(),
  judge: judgeText.optional(),
  judgeKeyEnv: keyEnvName.optional(),
  budgetUsd: positiveNumber.optional(),
  budgetTokens: wholeNumber.optional(),
};

type Flags = z.output<z.ZodObject<typeof setupShape>>;

export function setupInput(flags: Flags): InitInput {
  const proposer = flags.proposer === undefined ? null : modelFrom(flags.proposer, flags.proposerKeyEnv);
  return {
    ...(flags.target === undefined ? {} : { target: flags.target }),
    ...(proposer === null ? {} : { proposer }),
    ...(flags.judge === undefined
      ? {}
      : { judge: flags.judge === 'none' ? null : modelFrom(flags.judge, flags.judgeKeyEnv) }),
    ...(flags.budgetUsd === undefined ? {} : { budgetUsd: flags.budgetUsd }),
    ...(flags.budgetTokens === undefined ? {} : { budgetTokens: flags.budgetTokens }),
  };
}
