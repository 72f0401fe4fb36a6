import { baselinesOf, insertBaseline, type Baseline } from '../store/baselines.js';
import { getExperiment } from '../store/experiments.js';
import { listSnapshots } from '../store/metrics.js';
import type { Context } from './context.js';
import { requireProfile } from './requireProfile.js';

export interface BaselineInput {
  readonly experimentId: number;
  readonly contentSha256: string;
  /** Of model, suite, evaluator and host; null when the fresh trials were not run. */
  readonly fingerprint: string | null;
  /** Fresh estimate in [-1, 1], with its 90 % interval. */
  readonly effect: number | null;
  readonly interval: readonly [number, number] | null;
  readonly passRate: number | null;
  readonly groups: number | null;
  readonly epochs: number | null;
}

/**
 * Records the verified text with its evidence, and the live window's figures if they were collected; returns the
 * row's id. Synchronous, so that it can stand in the transaction of the verification.
 */
export function recordBaseline(ctx: Pick<Context, 'db' | 'clock'>, input: BaselineInput): number {
  const experiment = getExperiment(ctx.db, input.experimentId);
  const { fingerprint, ...evidence } = input;
  return insertBaseline(ctx.db, {
    ...evidence,
    profileId: experiment.profileId,
    file: experiment.targetRelpath,
    evidenceFingerprint: fingerprint,
    metrics: liveFigures(ctx, experiment),
    recordedAt: ctx.clock.now(),
  });
}

function liveFigures(
  ctx: Pick<Context, 'db'>,
  experiment: { readonly id: number; readonly profileId: number },
): Record<string, unknown> | null {
  const of = { profileId: experiment.profileId, experimentId: experiment.id, windowKind: 'live' as const };
  const snapshot = listSnapshots(ctx.db, of).at(-1);
  if (snapshot === undefined) return null;
  const { id: _id, profileId: _profileId, profile: _profile, experimentId: _experimentId, ...figures } = snapshot;
  return figures;
}

/** The texts of this profile that were verified, oldest first. */
export function listBaselines(ctx: Context): Baseline[] {
  return baselinesOf(ctx.db, requireProfile(ctx).id);
}
