import { IN_FLIGHT_STATES } from '../domain/experiment.js';
import { isKarpathyError, KarpathyError, toKarpathyError, type ErrorCode } from '../errors.js';
import type { ProgressUpdate } from '../ports.js';
import { assertSchemaVersion, immediate } from '../store/database.js';
import { getExperiment } from '../store/experiments.js';
import {
  endLease,
  getJob,
  holdsLease,
  leaseState,
  renewLease,
  requeueExpired,
  runningJob,
  takeLease,
  writeProgress,
  type JobKind,
  type JobRow,
  type JobState,
  type Lease,
  type LeaseState,
} from '../store/jobs.js';
import { bookLeftovers, PROCESS_OWNER } from './budget.js';
import type { Context } from './context.js';
import { clearSlots } from '../evaluation/orphans.js';
import { HEARTBEAT_MS, LEASE_TTL_MS, silentIfBefore } from './leaseTimes.js';

/** A person who pauses or cancels sees it stop within two seconds. */
const LOOK_EVERY_MS = 500;
const PROGRESS_EVERY_MS = 1_000;

export interface Timers {
  setInterval(callback: () => void, ms: number): unknown;
  clearInterval(handle: unknown): void;
}

const REAL_TIMERS: Timers = {
  setInterval: (callback, ms) => setInterval(callback, ms),
  clearInterval: (handle) => clearInterval(handle as NodeJS.Timeout),
};

export interface LeaseOptions {
  readonly owner?: string;
  readonly timers?: Timers;
  readonly ttlMs?: number;
  readonly heartbeatMs?: number;
}

/** Throws `busy` once the job belongs to another process; called inside every transaction that writes for the job. */
export type Fence = () => void;

export interface LeasedJob {
  readonly job: JobRow;
  readonly lease: Lease;
  readonly fence: Fence;
}

export type JobHandler = (ctx: Context, leased: LeasedJob) => Promise<void>;

/**
 * Takes the job's lease, runs `handler` under a heartbeat and records how it ended. `ctx.signal` of the handler also
 * fires when the job is cancelled or lost.
 *
 * An interrupted job goes back to the queue; one that ran out of budget or met a usage limit waits for a person.
 * @throws KarpathyError `busy` when another process runs it or took it over, `wrong_state` when it has ended, and
 *   whatever the handler threw
 */
export async function runLeased(
  ctx: Context,
  jobId: number,
  options: LeaseOptions & { handler: JobHandler },
): Promise<JobRow> {
  const owner = options.owner ?? PROCESS_OWNER;
  const ttlMs = options.ttlMs ?? LEASE_TTL_MS;
  const lease = acquire(ctx, jobId, { owner, ttlMs });
  // Whoever holds the lease owns the slots: what runs in them belongs to an executor that lost it.
  clearSlots(ctx.paths.slotsDir, ctx.profile.home);
  const stop = new AbortController();
  const signal = AbortSignal.any([ctx.signal, stop.signal]);
  const fence = () => assertHeld(ctx, lease);
  const beat = startHeartbeat(ctx, lease, { ...options, ttlMs, stop });
  const inner: Context = { ...ctx, signal, onProgress: recordProgress(ctx, lease) };
  try {
    signal.throwIfAborted();
    await options.handler(inner, { job: getJob(ctx.db, jobId), lease, fence });
    end(ctx, lease, { owner, state: 'finished', error: null });
  } catch (thrown) {
    const cancelled = beat.outcome() === 'cancelled';
    throw settleFailure(ctx, lease, { owner, error: beat.error() ?? thrown, cancelled });
  } finally {
    beat.stop();
  }
  return getJob(ctx.db, jobId);
}

function acquire(ctx: Context, jobId: number, options: { owner: string; ttlMs: number }): Lease {
  const now = ctx.clock.now();
  return immediate(ctx.db, () => {
    const { profileId } = getJob(ctx.db, jobId);
    takeBackExpired(ctx, { profileId, owner: options.owner });
    const lease = takeLease(ctx.db, { id: jobId, owner: options.owner, now, expiresAt: now + options.ttlMs });
    if (lease === null) throw notAvailable(ctx, jobId, profileId);
    return lease;
  });
}

/**
 * Puts the job of an executor that has died back into the queue, and books what it may have spent. True when there
 * was one.
 */
export function takeBackExpired(ctx: Context, of: { profileId: number; owner: string }): boolean {
  const { profileId } = of;
  return immediate(ctx.db, () => {
    const now = ctx.clock.now();
    const lost = requeueExpired(ctx.db, { profileId, now, silentIfBefore: silentIfBefore(now) });
    const dead = lost?.owner ?? null;
    if (dead !== null && dead !== of.owner) bookLeftovers(ctx, { profileId, owner: dead });
    return lost !== null;
  });
}

function notAvailable(ctx: Context, jobId: number, profileId: number): KarpathyError {
  const running = runningJob(ctx.db, profileId);
  if (running !== null) {
    const which = running.id === jobId ? `Job ${jobId}` : `Job ${running.id} (${running.kind})`;
    return new KarpathyError('busy', `${which} of this profile is running in another process.`, {
      hint: '`hermes karpathy jobs` shows its progress; one job per profile runs at a time.',
    });
  }
  return new KarpathyError('wrong_state', `Job ${jobId} is ${getJob(ctx.db, jobId).state} already.`);
}

function assertHeld(ctx: Context, lease: Lease): void {
  if (!holdsLease(ctx.db, lease)) throw stoppedError(lease.jobId, 'lost');
}

function stoppedError(jobId: number, outcome: LeaseState): KarpathyError {
  if (outcome === 'paused') {
    return new KarpathyError('paused', `Job ${jobId} was paused; what is finished is kept.`, {
      hint: '`hermes karpathy resume` puts it back into the queue.',
    });
  }
  return outcome === 'lost'
    ? new KarpathyError('busy', `Job ${jobId} was taken over by another process; this one stopped.`, {
        hint: '`hermes karpathy jobs` shows who runs it.',
      })
    : new KarpathyError('interrupted', `Job ${jobId} was cancelled.`);
}

function startHeartbeat(
  ctx: Context,
  lease: Lease,
  options: LeaseOptions & { ttlMs: number; stop: AbortController },
): {
  outcome(): LeaseState;
  /** Why the job was stopped from outside; null when it was not. */
  error(): KarpathyError | null;
  stop(): void;
} {
  const timers = options.timers ?? REAL_TIMERS;
  const every = options.heartbeatMs ?? HEARTBEAT_MS;
  let outcome: LeaseState = 'held';
  let newer: KarpathyError | null = null;
  let renewedAt = ctx.clock.now();
  const handle = timers.setInterval(
    () => {
      try {
        const now = ctx.clock.now();
        assertSchemaVersion(ctx.db);
        outcome = leaseState(ctx.db, lease);
        if (outcome === 'held' && Math.abs(now - renewedAt) >= every) {
          renewLease(ctx.db, { ...lease, expiresAt: now + options.ttlMs });
          renewedAt = now;
        }
      } catch (error) {
        if (isKarpathyError(error) && error.code === 'db_newer') {
          newer = error;
          options.stop.abort();
          return;
        }
        // A locked DB is no reason to stop: the lease outlives several missed beats.
        ctx.log.warn(`job ${lease.jobId}: heartbeat failed: ${error instanceof Error ? error.message : String(error)}`);
        return;
      }
      if (outcome !== 'held') options.stop.abort();
    },
    Math.min(every, LOOK_EVERY_MS),
  );
  const error = () => newer ?? (outcome === 'held' ? null : stoppedError(lease.jobId, outcome));
  return { outcome: () => outcome, error, stop: () => timers.clearInterval(handle) };
}

/** Progress goes to the surface at once and to the job's row at most once a second, for whoever looks from outside. */
function recordProgress(ctx: Context, lease: Lease): (update: ProgressUpdate) => void {
  let last: { phase: string; at: number } | null = null;
  return (update) => {
    ctx.onProgress(update);
    const at = ctx.clock.now();
    if (
      last !== null &&
      last.phase === update.phase &&
      at - last.at < PROGRESS_EVERY_MS &&
      update.done < update.total
    ) {
      return;
    }
    last = { phase: update.phase, at };
    writeProgress(ctx.db, { ...lease, progress: { ...update, at } });
  };
}

/** Stops that a person can lift (`io`: a full disk): what is done is kept and the job goes on when asked for again. */
const WAITS_FOR_A_PERSON: ReadonlySet<ErrorCode> = new Set(['budget', 'model_limit', 'price_unknown', 'paused', 'io']);

function settleFailure(
  ctx: Context,
  lease: Lease,
  failure: { owner: string; error: unknown; cancelled: boolean },
): KarpathyError {
  const aborted = ctx.signal.aborted && !isKarpathyError(failure.error);
  const error = aborted
    ? new KarpathyError('interrupted', 'Interrupted.')
    : withWayOn(toKarpathyError(ctx.scrub.error(failure.error)), getJob(ctx.db, lease.jobId));
  const shown = { code: error.code, message: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) };
  try {
    const { cancelled, owner } = failure;
    const closed = experimentIsClosed(ctx, lease.jobId);
    const { kind } = getJob(ctx.db, lease.jobId);
    end(ctx, lease, { owner, ...endOf(error, { cancelled, closed, kind }), shown });
  } catch (lost) {
    // The one who took the job over writes its end.
    return toKarpathyError(lost);
  }
  if (error.code !== 'interrupted' || failure.cancelled) return error;
  return new KarpathyError(
    'interrupted',
    `Interrupted; what is finished is kept and job ${lease.jobId} goes on from there.`,
    {
      hint: '`hermes karpathy work` resumes it.',
    },
  );
}

function withWayOn(error: KarpathyError, job: JobRow): KarpathyError {
  if (error.code !== 'outage' || !outlastsOutage(job.kind)) return error;
  const way = `When it is mended, \`hermes karpathy resume\` and \`hermes karpathy work\` go on with job ${job.id}.`;
  return new KarpathyError(error.code, error.message, {
    hint: [error.hint, way].filter(Boolean).join(' '),
    cause: error,
  });
}

/** The background judges a window that failed to be judged again, by itself. */
function outlastsOutage(kind: JobKind): boolean {
  return kind !== 'window';
}

/** A run goes on with another experiment; the other kinds have nothing left to do once theirs is decided. */
function experimentIsClosed(ctx: Context, jobId: number): boolean {
  const { experimentId, kind } = getJob(ctx.db, jobId);
  if (experimentId === null || kind === 'run') return false;
  return !IN_FLIGHT_STATES.some((state) => state === getExperiment(ctx.db, experimentId).state);
}

function endOf(
  error: KarpathyError,
  job: { cancelled: boolean; closed: boolean; kind: JobKind },
): { state: Exclude<JobState, 'running'>; keepError: boolean } {
  if (job.cancelled) return { state: 'cancelled', keepError: false };
  if (job.closed) return { state: 'failed', keepError: true };
  if (error.code === 'interrupted') return { state: 'queued', keepError: false };
  const waits = WAITS_FOR_A_PERSON.has(error.code) || (error.code === 'outage' && outlastsOutage(job.kind));
  return { state: waits ? 'waiting' : 'failed', keepError: true };
}

function end(
  ctx: Context,
  lease: Lease,
  how: {
    owner: string;
    state: Exclude<JobState, 'running'>;
    keepError?: boolean;
    shown?: { code: string; message: string; hint?: string };
    error?: null;
  },
): void {
  const at = ctx.clock.now();
  immediate(ctx.db, () => {
    endLease(ctx.db, { ...lease, state: how.state, error: how.keepError === true ? (how.shown ?? null) : null, at });
    bookLeftovers(ctx, { profileId: getJob(ctx.db, lease.jobId).profileId, owner: how.owner });
  });
}
