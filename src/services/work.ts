import * as z from 'zod';
import { KarpathyError, toKarpathyError, type ErrorCode } from '../errors.js';
import { baselinesOf } from '../store/baselines.js';
import { getExperiment } from '../store/experiments.js';
import { getJob, nextQueuedJob, runningJob, type JobKind, type JobRow } from '../store/jobs.js';
import { PROCESS_OWNER } from './budget.js';
import { runCalibration } from './calibrate.js';
import type { Context } from './context.js';
import { evaluateExperiment } from './evaluate.js';
import { dropDeadFrozen } from './frozenRuns.js';
import { followMarkers } from './followMarkers.js';
import { runLeased, takeBackExpired, type JobHandler, type LeaseOptions } from './jobLease.js';
import { measureIncumbent } from './measureIncumbent.js';
import { draftProposal } from './propose.js';
import { requireProfile } from './requireProfile.js';
import { runLoop } from './runLoop.js';
import { jobView, type JobView } from './status.js';
import { judgeWindow } from './window.js';

export { cancelJob, enqueue, type JobRequest } from './enqueue.js';

/** One job that this executor ran, with how it ended. */
export interface WorkedJob {
  readonly jobId: number;
  readonly kind: JobKind;
  readonly state: JobView['state'];
  readonly error: { readonly code: ErrorCode; readonly message: string } | null;
}

export interface WorkSummary {
  readonly ran: readonly WorkedJob[];
  /** The job that another process is running, which is why this one stopped; null otherwise. */
  readonly busyWith: number | null;
}

/**
 * The one executor: runs the profile's queued jobs, oldest first, and those whose executor has died. A job that fails
 * is recorded and the next one runs; jobs that wait for a person stay.
 * @throws KarpathyError `interrupted` when stopped; the job at work goes back to the queue
 */
export async function work(ctx: Context, options: LeaseOptions = {}): Promise<WorkSummary> {
  const profileId = requireProfile(ctx).id;
  const ran: WorkedJob[] = [];
  for (;;) {
    takeBackExpired(ctx, { profileId, owner: options.owner ?? PROCESS_OWNER });
    const running = runningJob(ctx.db, profileId);
    if (running !== null) return { ran, busyWith: running.id };
    const job = nextQueuedJob(ctx.db, { profileId });
    // One that is queued again after it ran here would run for ever.
    if (job === null || ran.some((done) => done.jobId === job.id)) return { ran, busyWith: null };
    ran.push(await runRecorded(ctx, job, options));
  }
}

async function runRecorded(ctx: Context, job: JobRow, options: LeaseOptions): Promise<WorkedJob> {
  const done = { jobId: job.id, kind: job.kind };
  try {
    const { state } = await runJobNow(ctx, job.id, options);
    return { ...done, state, error: null };
  } catch (thrown) {
    const error = toKarpathyError(thrown);
    if (ctx.signal.aborted) throw error;
    ctx.log.warn(`job ${job.id} (${job.kind}) ended: ${error.message}`);
    const { state } = jobView(getJob(ctx.db, job.id), ctx.clock.now());
    return { ...done, state, error: { code: error.code, message: error.message } };
  }
}

/**
 * Runs one job in this process, waiting ones included, and returns its row when it has finished.
 * @throws KarpathyError `busy` when another process runs it or a job of the same profile, `wrong_state` when it has
 *   ended, `interrupted`, or why it failed
 */
export async function runJobNow(ctx: Context, jobId: number, options: LeaseOptions = {}): Promise<JobRow> {
  try {
    const { kind } = getJob(ctx.db, jobId);
    return await runLeased(ctx, jobId, { ...options, handler: HANDLERS[kind] });
  } finally {
    followMarkers(ctx);
    dropDeadFrozen(ctx);
  }
}

const payloadSchema = z.object({ evaluate: z.boolean().default(true), underpowered: z.boolean().optional() });

const HANDLERS: Readonly<Record<JobKind, JobHandler>> = {
  propose: async (ctx, { job, fence }) => {
    const id = experimentOf(job);
    const payload = payloadSchema.parse(job.payload);
    if (isDone(ctx, job)) return;
    if (getExperiment(ctx.db, id).candidateSha256 === null) {
      await measureIncumbent(ctx, id, { fence });
      await draftProposal(ctx, id, { fence });
    }
    if (payload.evaluate) await evaluateExperiment(ctx, id, { fence, underpowered: payload.underpowered });
  },
  evaluate: async (ctx, { job, fence }) => {
    const { underpowered } = payloadSchema.parse(job.payload);
    if (isDone(ctx, job)) return;
    await evaluateExperiment(ctx, experimentOf(job), { fence, underpowered });
  },
  window: async (ctx, { job, fence }) => {
    if (isDone(ctx, job)) return;
    await judgeWindow(ctx, experimentOf(job), { fence });
  },
  run: runLoop,
  calibrate: runCalibration,
};

/**
 * Whether what the job was to decide is decided: by a person while it waited, or by an executor that died before it
 * could say so. Then nothing is left to do, and nothing has failed.
 */
export function isDone(ctx: Pick<Context, 'db'>, job: JobRow): boolean {
  switch (job.kind) {
    case 'propose':
    case 'evaluate': {
      const { state, verdict } = getExperiment(ctx.db, experimentOf(job));
      return state !== 'proposed' || verdict === 'keep';
    }
    case 'window': {
      const { id, state, profileId } = getExperiment(ctx.db, experimentOf(job));
      if (state !== 'live' && state !== 'verified') return true;
      // A verified one may be asked about again; a confirmation leaves its baseline.
      return baselinesOf(ctx.db, profileId).some(
        (baseline) => baseline.experimentId === id && baseline.recordedAt > job.createdAt,
      );
    }
    case 'run':
    case 'calibrate':
      return false;
  }
}

function experimentOf(job: JobRow): number {
  if (job.experimentId === null)
    throw new KarpathyError('internal', `Job ${job.id} (${job.kind}) names no experiment.`);
  return job.experimentId;
}
