import type { ExperimentRow } from '../store/experiments.js';
import { listJobs, type JobRow } from '../store/jobs.js';
import type { Context } from './context.js';
import { enqueue } from './enqueue.js';
import { requireUndecided } from './evaluable.js';
import { requireRoomForTrials } from './room.js';

/** The job that is open for an experiment without a verdict, whatever it waits for. */
function openJob(ctx: Context, experiment: ExperimentRow): JobRow | undefined {
  return listJobs(ctx.db, { profileId: experiment.profileId, open: true }).find(
    (job) => job.experimentId === experiment.id && (job.kind === 'evaluate' || job.kind === 'propose'),
  );
}

/** @throws KarpathyError `wrong_state` unless it is proposed, and has something to find out or work to end */
export function requireEvaluable(
  ctx: Context,
  experiment: ExperimentRow,
  options: { readonly underpowered: boolean },
): void {
  // What is worth keeping by its verdict may still have a job that ends here.
  const ends = experiment.state === 'proposed' && openJob(ctx, experiment) !== undefined && !options.underpowered;
  if (!ends) requireUndecided(ctx, experiment);
}

/**
 * The job that brings a proposed experiment to its verdict: the one that is open, whatever it waits for, else a new
 * one, which drafts first when there is no edit yet. Returns its id.
 * @throws KarpathyError `wrong_state` when it is not proposed any more, or its verdict is keep already; `io` without
 *   room for the slots
 */
export function evaluationJob(ctx: Context, experiment: ExperimentRow, options: { underpowered: boolean }): number {
  requireEvaluable(ctx, experiment, options);
  const open = openJob(ctx, experiment);
  if (open !== undefined && !options.underpowered) return open.id;
  requireRoomForTrials(ctx);
  const kind = experiment.candidateSha256 === null ? 'propose' : 'evaluate';
  return enqueue(ctx, { kind, experimentId: experiment.id, payload: { evaluate: true, ...options } });
}
