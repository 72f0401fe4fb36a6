import * as z from 'zod';
import type { Stage } from './stage.js';

const armSchema = z.object({ passes: z.number(), epochs: z.number(), infra: z.number() }).nullable();

/** The part of `hermes karpathy --json show ID` that the story needs. */
const showSchema = z.object({
  id: z.number(),
  state: z.string(),
  edit: z.object({ before: z.string().nullable(), after: z.string().nullable() }),
  verdict: z
    .object({
      verdict: z.string(),
      reason: z.string(),
      p: z.number().nullable(),
      effect: z.number().nullable(),
    })
    .nullable(),
  results: z.array(z.object({ split: z.string(), incumbent: armSchema, candidate: armSchema })),
  spent: z.object({ tokens: z.number(), usd: z.number().nullable() }),
  closingReason: z.string().nullable(),
});
export type ExperimentFacts = z.infer<typeof showSchema>;

const statusSchema = z.object({
  experiment: z.object({ id: z.number() }).nullable(),
  last: z.object({ id: z.number() }).nullable(),
});

export async function experimentFacts(stage: Stage, id: number): Promise<ExperimentFacts> {
  return showSchema.parse(await stage.facts(['show', String(id)]));
}

/** The experiment in flight, or else the one that was closed last. */
export async function currentExperiment(stage: Stage): Promise<ExperimentFacts> {
  const status = statusSchema.parse(await stage.facts(['status']));
  const id = status.experiment?.id ?? status.last?.id;
  if (id === undefined) throw new Error('There is no experiment.');
  return experimentFacts(stage, id);
}

/** Pass rates of both arms on the holdout, in [0, 1]; null without results. */
export function holdoutRates(facts: ExperimentFacts): { incumbent: number; candidate: number } | null {
  const holdout = facts.results.filter((result) => result.split === 'holdout');
  const rate = (arm: 'incumbent' | 'candidate') => {
    const epochs = holdout.reduce((sum, result) => sum + (result[arm]?.epochs ?? 0), 0);
    return holdout.reduce((sum, result) => sum + (result[arm]?.passes ?? 0), 0) / epochs;
  };
  return holdout.length === 0 ? null : { incumbent: rate('incumbent'), candidate: rate('candidate') };
}
