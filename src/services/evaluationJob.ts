import type { ExperimentRow } from '../store/experiments.js';
import { listJobs } from '../store/jobs.js';
import type { Context } from './context.js';
import { enqueue } from './enqueue.js';
import { requireUndecided } from './evaluable.js';
import { requireRoomForTrials } from './room.js';

/**
 * The job that brings a proposed experiment to its verdict: the one that is open, whatever it waits for, else a new
 * one, which drafts first when there is no edit yet. Returns its id.
 * @throws KarpathyError `wrong_state` when it is not proposed any more, or its verdict is keep already; `io` without
 *   room for the slots
 */
export function evaluationJob(ctx: Context, experiment: ExperimentRow, options: { underpowered: boolean }): number {
  const open = listJobs(ctx.db, { profileId: experiment.profileId, open: true }).find(
    (job) => job.experimentId === experiment.id && (job.kind === 'evaluate' || job.kind === 'propose'),
  );
  if (open !== undefined && !options.underpowered) return open.id;
  requireUndecided(ctx, experiment);
  requireRoomForTrials(ctx);
  const kind = experiment.candidateSha256 === null ? 'propose' : 'evaluate';
  return enqueue(ctx, { kind, experimentId: experiment.id, payload: { evaluate: true, ...options } });
}
