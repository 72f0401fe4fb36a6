import { isKarpathyError, KarpathyError } from '../errors.js';
import { immediate } from '../store/database.js';
import { findOpenJob, getJob, insertJob, openJobsOf, requestCancel, type JobKind, type JobRow } from '../store/jobs.js';
import { bookLeftovers } from './budget.js';
import type { Context } from './context.js';
import { followMarkers } from './followMarkers.js';
import { silentIfBefore } from './leaseTimes.js';
import { requireProfile } from './requireProfile.js';

export interface JobRequest {
  readonly kind: JobKind;
  /** null only for `run`, which makes its own experiments. */
  readonly experimentId: number | null;
  readonly payload?: Readonly<Record<string, unknown>>;
}

/** Records long work and returns the job's id; work of that kind that is open already is not recorded twice. */
export function enqueue(ctx: Context, request: JobRequest): number {
  const profileId = requireProfile(ctx).id;
  const id = immediate(ctx.db, () => {
    const open = findOpenJob(ctx.db, { profileId, experimentId: request.experimentId, kind: request.kind });
    if (open !== null) return open.id;
    return insertJob(ctx.db, {
      profileId,
      experimentId: request.experimentId,
      kind: request.kind,
      payload: request.payload ?? {},
      requestedBy: ctx.actor,
      at: ctx.clock.now(),
    });
  });
  followMarkers(ctx);
  return id;
}

/**
 * Ends the work on an experiment that a person has decided: what is queued at once, what is running stops spending
 * within a heartbeat. That it cannot be ended now must not report the decision as failed: whoever takes it up sees the
 * experiment's state.
 */
export function endWorkOn(ctx: Context, experimentId: number): void {
  try {
    immediate(ctx.db, () => stopJobsOf(ctx, experimentId));
  } catch (error) {
    if (!isKarpathyError(error)) throw error;
    ctx.log.warn(`the work on experiment ${experimentId} could not be ended: ${error.message}`);
  }
  followMarkers(ctx);
}

/** The same inside the caller's transaction; the hooks' markers follow when that is committed. */
export function stopJobsOf(ctx: Context, experimentId: number): void {
  for (const id of openJobsOf(ctx.db, experimentId)) stopJob(ctx, id);
}

/**
 * Ends an open job: one that no one runs at once, a running one within a heartbeat of its executor.
 * @throws KarpathyError `bad_usage` for an unknown job, `wrong_state` when it has ended
 */
export function cancelJob(ctx: Context, jobId: number): JobRow {
  return immediate(ctx.db, () => {
    const job = getJob(ctx.db, jobId);
    const stopped = stopJob(ctx, jobId);
    if (stopped !== null) return stopped;
    throw new KarpathyError('wrong_state', `Job ${jobId} is ${job.state}; there is nothing to stop.`);
  });
}

/** Inside the caller's transaction. What a dead executor may have spent is booked. */
function stopJob(ctx: Context, id: number): JobRow | null {
  const at = ctx.clock.now();
  const { leaseOwner, state } = getJob(ctx.db, id);
  const job = requestCancel(ctx.db, { id, at, silentIfBefore: silentIfBefore(at) });
  if (job?.state === 'cancelled' && state === 'running' && leaseOwner !== null) {
    bookLeftovers(ctx, { profileId: job.profileId, owner: leaseOwner });
  }
  return job;
}
