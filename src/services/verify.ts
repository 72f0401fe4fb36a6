import type { Actor } from '../domain/experiment.js';
import { KarpathyError } from '../errors.js';
import { immediate } from '../store/database.js';
import { getExperiment, transition, type ExperimentRow } from '../store/experiments.js';
import { actorOf, commandLine } from './authority.js';
import type { Context } from './context.js';
import { conflictError } from './fileChange.js';
import { followMarkers } from './followMarkers.js';
import { ownExperiment } from './ownExperiment.js';
import { recordBaseline, type BaselineEvidence } from './recordBaseline.js';
import { targetStatus } from './targetStatus.js';

/** What speaks for keeping a live edit. */
export interface VerifyEvidence extends BaselineEvidence {
  readonly reason: string;
}

/** Enough sessions have run, or the time is over. */
export function windowIsFull(ctx: Pick<Context, 'clock'>, experiment: ExperimentRow): boolean {
  const { liveSessionsTarget, liveSessionsObserved, liveDeadlineAt } = experiment;
  if (liveSessionsTarget !== null && liveSessionsObserved >= liveSessionsTarget) return true;
  return liveDeadlineAt !== null && ctx.clock.now() >= liveDeadlineAt;
}

/** @throws KarpathyError `wrong_state` unless `live` with a full window */
export function requireFullWindow(ctx: Context, experiment: ExperimentRow): void {
  const { id, state } = experiment;
  if (state !== 'live') {
    throw new KarpathyError('wrong_state', `Experiment ${id} is ${state}; only a live one has a window to end.`);
  }
  if (windowIsFull(ctx, experiment)) return;
  const { liveSessionsObserved: seen, liveSessionsTarget: wanted, liveDeadlineAt: deadline } = experiment;
  const until = deadline === null ? '' : `, or until ${new Date(deadline).toISOString().slice(0, 16)}Z`;
  throw new KarpathyError(
    'wrong_state',
    `The live window of experiment ${id} is not full: ${seen} of ${wanted ?? '?'} sessions${until}.`,
    { hint: `Wait for it, or end it now with \`${commandLine(ctx, `revert ${id}`)}\`.` },
  );
}

/**
 * Ends a full live window with the edit kept; records the baseline.
 * @throws KarpathyError `wrong_state` before the window is full or when the evidence does not verify; `conflict` (marked)
 *   when the file no longer holds what was applied
 */
export async function verifyExperiment(
  ctx: Context,
  id: number,
  options: { readonly evidence: VerifyEvidence; readonly actor?: Actor },
): Promise<ExperimentRow> {
  const { evidence } = options;
  const experiment = ownExperiment(ctx, id);
  requireFullWindow(ctx, experiment);
  if (evidence.verdict?.verdict !== 'verified') {
    throw new KarpathyError('wrong_state', `The fresh trials do not verify experiment ${id}: ${evidence.reason}.`, {
      hint: `Decide yourself: \`${commandLine(ctx, `finish ${id} --keep REASON | --revert | --again`)}\`.`,
    });
  }
  return closeAsVerified(ctx, experiment, { evidence, actor: options.actor ?? actorOf(ctx) });
}

/** live -> verified with its baseline, for whoever had the right to decide it. @throws KarpathyError `conflict`, `wrong_state` */
export function closeAsVerified(
  ctx: Context,
  experiment: ExperimentRow,
  decision: { readonly evidence: VerifyEvidence; readonly actor: Actor },
): ExperimentRow {
  const { id, targetRelpath, candidateSha256 } = experiment;
  if (targetStatus(ctx, experiment) !== 'as_applied' || candidateSha256 === null) {
    throw conflictError(ctx, {
      experiment,
      message: `${targetRelpath} is not what was applied any more; experiment ${id} cannot be verified.`,
      hint: `\`${commandLine(ctx, `resolve ${id} --keep-mine | --restore`)}\` decides whose text stays.`,
    });
  }
  const { evidence, actor } = decision;
  const at = ctx.clock.now();
  immediate(ctx.db, () => {
    const baselineId = recordBaseline(ctx, experiment, { evidence, at });
    const set = { baselineId, liveScore: evidence.passRate, manualConflictDetected: false };
    transition(ctx.db, { id, from: 'live', to: 'verified', actor, reason: evidence.reason, at, set });
  });
  followMarkers(ctx);
  return getExperiment(ctx.db, id);
}
