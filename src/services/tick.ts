import { isKarpathyError } from '../errors.js';
import { getExperiment } from '../store/experiments.js';
import { getJob, nextQueuedJob, runningJob, type JobRow } from '../store/jobs.js';
import { findProfile, type ProfileRow } from '../store/profiles.js';
import { PROCESS_OWNER } from './budget.js';
import type { Context } from './context.js';
import { clearSlots } from '../evaluation/orphans.js';
import { collectMetrics } from './collect.js';
import { enqueue } from './enqueue.js';
import { dropDeadFrozen } from './frozenRuns.js';
import { ingestSpool, type IngestSummary } from './ingest.js';
import { takeBackExpired } from './jobLease.js';
import { lostFix, lostProfiles, lostText } from './lostProfiles.js';
import { refreshMarkers } from './markers.js';
import { reconcileOperations, type Reconciled } from './reconcile.js';
import { commandFor } from './requireProfile.js';
import { judgeWindow, refreshWindows, type WindowOutcome, type WindowStatus } from './window.js';
import { retryText, windowRetry } from './windowRetry.js';
import { isDone, runJobNow } from './work.js';

/** What a wake-up found and did. */
export interface TickSummary {
  /** File operations of dead processes that were ended. */
  readonly reconciled: readonly Reconciled[];
  readonly ingested: IngestSummary;
  readonly windows: readonly WindowStatus[];
  /** Windows that were ended or extended now. */
  readonly judged: readonly WindowOutcome[];
  /** What waits for a person, money or the agreed hours, in words. */
  readonly waiting: readonly string[];
}

export interface TickOptions {
  /** Runs a job; another one only in tests. */
  readonly runJob?: typeof runJobNow;
}

/**
 * What a hook's wake-up does: ends what dead processes left open, takes the spool, counts the live window, collects
 * what its guardrails compare, and acts on what needs no trials. Trials, and work that broke off, go on here only if `background.evaluate` is on, within
 * `background.hours`.
 */
export async function tick(ctx: Context, options: TickOptions = {}): Promise<TickSummary> {
  const reconciled = await reconcileOperations(ctx);
  const ingested = ingestSpool(ctx);
  const profile = findProfile(ctx.db, ctx.profile.rootPath);
  const windows = profile === null ? [] : refreshWindows(ctx);
  // So that `status` shows guardrails of now. They are judged once, when the window is full: looking at them after
  // every turn would find a false alarm sooner or later.
  if (windows.length > 0) collectMetrics(ctx);
  const runJob = options.runJob ?? runJobNow;
  const judged: WindowOutcome[] = [];
  const waiting: string[] = [];
  for (const window of windows) {
    const result = await look(ctx, window, runJob);
    if (typeof result === 'string') waiting.push(result);
    else if (result !== null) judged.push(result);
  }
  const left = profile === null ? null : await goOn(ctx, profile, runJob);
  if (left !== null) waiting.push(left);
  refreshMarkers(ctx);
  dropDeadFrozen(ctx);
  waiting.push(...lostProfiles(ctx).map((lost) => `${lostText(lost)} ${lostFix(lost)}`));
  for (const { outcome, message } of judged) if (outcome === 'waits' || outcome === 'conflict') waiting.push(message);
  return { reconciled, ingested, windows, judged, waiting };
}

/** An outcome, what the window waits for, or null while it simply runs. */
async function look(
  ctx: Context,
  window: WindowStatus,
  runJob: typeof runJobNow,
): Promise<WindowOutcome | string | null> {
  const id = window.experimentId;
  if (window.waitsForPerson && window.fault === null) return window.note;
  const needsTrials = window.due === 'target_reached' && window.fault === null && window.conflict === null;
  if (!needsTrials) {
    const decidable = window.due !== null || window.fault !== null || window.conflict !== null;
    return decidable ? judgeWindow(ctx, id) : null;
  }
  const retry = windowRetry(ctx, id);
  if (retry !== null && retry.at > ctx.clock.now()) return retryText(retry, id);
  // Recorded either way: `work` runs what is recorded, whoever starts it.
  const jobId = enqueue(ctx, { kind: 'window', experimentId: id });
  const { state, error } = getJob(ctx.db, jobId);
  // Its budget or its provider's limit is used up: trying again at every turn would lift neither.
  if (state === 'waiting') return `The live window of experiment ${id} waits for you: ${error?.message ?? 'stopped'}`;
  const refusal = whyNotNow(ctx);
  if (refusal !== null) return `The live window of experiment ${id} is full; judging it takes fresh trials. ${refusal}`;
  try {
    await runJob(ctx, jobId);
  } catch (error) {
    if (!isKarpathyError(error) || error.code === 'interrupted') throw error;
    return `The live window of experiment ${id} could not be judged: ${error.message}`;
  }
  return null;
}

/** Goes on with the oldest job whose executor died or never started; says so when it may not, null without any. */
async function goOn(ctx: Context, profile: ProfileRow, runJob: typeof runJobNow): Promise<string | null> {
  // Whether or not the work may go on here, trials of an executor that is dead must not.
  if (takeBackExpired(ctx, { profileId: profile.id, owner: PROCESS_OWNER })) {
    clearSlots(ctx.paths.slotsDir, ctx.profile.home);
  }
  if (runningJob(ctx.db, profile.id) !== null) return null;
  const job = queuedJob(ctx, profile.id);
  if (job === null) return null;
  const refusal = isDone(ctx, job) ? null : whyNotNow(ctx);
  if (refusal !== null) return `Job ${job.id} (${job.kind}) is queued. ${refusal}`;
  try {
    await runJob(ctx, job.id);
  } catch (error) {
    if (!isKarpathyError(error) || error.code === 'interrupted') throw error;
    return `Job ${job.id} (${job.kind}) stopped: ${error.message}`;
  }
  return null;
}

/** The job of a live window is looked after where its window is. */
function queuedJob(ctx: Context, profileId: number): JobRow | null {
  const job = nextQueuedJob(ctx.db, { profileId, kinds: ['propose', 'evaluate', 'run', 'calibrate'] });
  if (job !== null) return job;
  const window = nextQueuedJob(ctx.db, { profileId, kinds: ['window'] });
  const isLive = window?.experimentId != null && getExperiment(ctx.db, window.experimentId).state === 'live';
  return isLive ? null : window;
}

/** Why background trials may not run now, with the way out; null when they may. */
function whyNotNow(ctx: Context): string | null {
  const { evaluate, hours } = ctx.config.config.background;
  const way = `Run \`${commandFor(ctx.profile.name)} work\``;
  if (!evaluate) return `${way}, or set background.evaluate.`;
  if (withinHours(hours, new Date(ctx.clock.now()).getHours())) return null;
  return `They run between ${hours ?? ''} o'clock, as background.hours says. ${way} to run them now.`;
}

/** `22-06`: from 22:00 to 5:59 local time. Equal hours are the whole day; null is no limit. */
export function withinHours(hours: string | null, hour: number): boolean {
  if (hours === null) return true;
  const [from = 0, to = 0] = hours.split('-').map(Number);
  if (from === to) return true;
  return from < to ? hour >= from && hour < to : hour >= from || hour < to;
}
