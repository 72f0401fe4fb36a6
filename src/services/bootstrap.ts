import { findProfile } from '../store/profiles.js';
import type { Context } from './context.js';
import { reachesOthers } from './disclosure.js';
import { doctor, type Finding } from './doctor.js';
import { initDefaults, initProfile, type InitResult } from './init.js';
import type { InitInput } from './initPlan.js';

export interface BootstrapResult {
  readonly init: InitResult;
  /** False when the profile was set up before: then nothing was decided anew. */
  readonly created: boolean;
  readonly findings: readonly Finding[];
}

/**
 * Sets a profile up without questions: its SOUL.md, the host's own model as proposer, no judge, and a token budget of
 * one and a half times the estimate, unless `input` says otherwise. Running it again changes only what `input` names.
 * Agreement to the disclosure is implied only where no text goes to anyone who doesn't see the agent's chats anyway.
 * @throws KarpathyError as `initProfile`
 */
export async function bootstrap(
  ctx: Context,
  input: InitInput & { readonly acceptDisclosure?: boolean } = {},
): Promise<BootstrapResult> {
  const defaults = initDefaults(ctx);
  const existing = findProfile(ctx.db, ctx.profile.rootPath);
  const hasBudget = input.budgetUsd != null || existing?.budgetUsd != null || ctx.config.config.budget.usd !== null;
  const choices = [input.proposer ?? defaults.proposer, input.judge === undefined ? defaults.judge : input.judge];
  const init = await initProfile(ctx, {
    ...input,
    ...(hasBudget || input.budgetTokens !== undefined ? {} : { budgetTokens: defaults.budgetTokens }),
    acceptDisclosure: input.acceptDisclosure === true || !reachesOthers(choices),
  });
  return { init, created: init.created, findings: await doctor(ctx, { skipModels: true }) };
}
