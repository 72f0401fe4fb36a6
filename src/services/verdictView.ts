import * as z from 'zod';
import type { ExperimentRow } from '../store/experiments.js';

const figure = z.number().nullable().catch(null);

/** The figures of a stored verdict document; what is missing or malformed reads as unknown. */
const detailSchema = z.object({
  p: figure,
  alpha: figure,
  effect: figure,
  interval: z.tuple([z.number(), z.number()]).nullable().catch(null),
  groups: figure,
  epochs: figure,
  coverage: figure,
  look: figure,
  margin: figure,
  evalRunId: figure,
});

export interface VerdictView {
  readonly verdict: NonNullable<ExperimentRow['verdict']>;
  readonly reason: string;
  /** One-sided; null = none was computed. */
  readonly p: number | null;
  readonly alpha: number | null;
  /** Candidate minus incumbent pass rate over the holdout groups, in [-1, 1]. At selection it reads too high. */
  readonly effect: number | null;
  readonly interval: readonly [number, number] | null;
  readonly groups: number | null;
  readonly epochs: number | null;
  readonly coverage: number | null;
  /** Where it was decided: `train` when the screen dropped the edit. */
  readonly stage: 'train' | 'holdout';
  /** What a deletion may cost, in (0, 1); null for an edit that has to help. */
  readonly margin: number | null;
  /** Which look of the plan decided, from 1; 0 for the screen. */
  readonly look: number | null;
  /** The run that it was decided on. */
  readonly evalRunId: number | null;
}

/** What the gate said, with its figures; null before there is a verdict. */
export function verdictView(
  experiment: Pick<ExperimentRow, 'verdict' | 'verdictReason' | 'verdictDetail'>,
): VerdictView | null {
  if (experiment.verdict === null) return null;
  const stored = z.record(z.string(), z.unknown()).safeParse(experiment.verdictDetail);
  const { p, alpha, effect, interval, groups, epochs, coverage, look, margin, evalRunId } = detailSchema.parse({
    ...Object.fromEntries(Object.keys(detailSchema.shape).map((key) => [key, null])),
    ...(stored.success ? stored.data : {}),
  });
  return {
    verdict: experiment.verdict,
    reason: experiment.verdictReason ?? '',
    p,
    alpha,
    effect,
    interval,
    groups,
    epochs,
    coverage,
    stage: look === 0 ? 'train' : 'holdout',
    margin,
    look,
    evalRunId,
  };
}
