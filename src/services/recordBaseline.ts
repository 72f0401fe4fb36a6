import type { WindowVerdict } from '../gate/types.js';
import { insertBaseline } from '../store/baselines.js';
import type { ExperimentRow } from '../store/experiments.js';
import type { Context } from './context.js';

/** What speaks for a text that is in force. */
export interface BaselineEvidence {
  /** Of the fresh paired run; null only when a person keeps it on their own judgement (`finish --keep`). */
  readonly verdict: WindowVerdict | null;
  /** Share of the applied text's fresh trials that passed, in [0, 1]; null = not measured. */
  readonly passRate: number | null;
  readonly evidenceFingerprint: string | null;
  /** Figures of the window. */
  readonly metrics?: object | null;
}

/** Records the text of an experiment as what later ones are held against; returns the id. Call it in a transaction. */
export function recordBaseline(
  ctx: Context,
  experiment: Pick<ExperimentRow, 'id' | 'profileId' | 'targetRelpath' | 'candidateSha256'>,
  { evidence, at }: { readonly evidence: BaselineEvidence; readonly at: number },
): number {
  if (experiment.candidateSha256 === null) throw new TypeError(`experiment ${experiment.id} has no text`);
  const { verdict, passRate, evidenceFingerprint, metrics } = evidence;
  return insertBaseline(ctx.db, {
    profileId: experiment.profileId,
    experimentId: experiment.id,
    file: experiment.targetRelpath,
    contentSha256: experiment.candidateSha256,
    evidenceFingerprint,
    passRate,
    effect: verdict?.effect ?? null,
    intervalLow: verdict?.interval?.[0] ?? null,
    intervalHigh: verdict?.interval?.[1] ?? null,
    groups: verdict?.groups ?? null,
    epochs: verdict?.epochs ?? null,
    metrics: metrics ?? null,
    recordedAt: at,
  });
}
