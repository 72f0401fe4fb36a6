import { toKarpathyError } from '../errors.js';
import { readTargetText } from '../ratchet/target.js';
import type { ExperimentRow } from '../store/experiments.js';
import { findInFlight, listExperiments } from '../store/experiments.js';
import { listJobs, type JobRow } from '../store/jobs.js';
import { findProfile, type ProfileRow } from '../store/profiles.js';
import { listScenarios } from '../store/scenarios.js';
import { budgetLimits, spent, type Limits, type Spent } from './budget.js';
import { calibrationBrief, type CalibrationBrief } from './calibrationView.js';
import type { Context } from './context.js';
import { errorBudgetView, type ErrorBudgetView } from './errorBudget.js';
import { diffView, type DiffView } from './diffView.js';
import { evaluationCost, type EvaluationCost } from './evaluationCost.js';
import { evidenceFingerprint } from './evidence.js';
import { silentIfBefore } from './leaseTimes.js';
import { idleStep, nextStep, phaseOf, type NextStep, type OpenJob, type Phase } from './nextStep.js';
import { alarmsOf, type GuardrailReport } from './guardrails.js';
import { lostFix, lostProfiles, lostText, possibleOrigins, quoted } from './lostProfiles.js';
import { targetStatus } from './targetStatus.js';
import { watchedText } from './watch.js';
import { windowGuardrails } from './windowGuardrails.js';
import { windowRetry } from './windowRetry.js';
import { verdictView, type VerdictView } from './verdictView.js';

/** A job as every surface shows it. */
export interface JobView {
  readonly id: number;
  readonly kind: JobRow['kind'];
  /**
   * `stopping`: it was told to stop. `paused`: it waits because the profile was paused. One whose executor has died is
   * what the next executor will find.
   */
  readonly state: JobRow['state'] | 'stopping' | 'paused';
  readonly experiment: number | null;
  readonly progress: JobRow['progress'];
  readonly error: JobRow['error'];
  readonly requestedBy: string;
  readonly createdAt: number;
  readonly finishedAt: number | null;
}

export interface WindowView {
  readonly seen: number;
  readonly target: number | null;
  readonly deadlineAt: number | null;
  readonly extensions: number;
  /** What the window waits for, in words. */
  readonly note: string | null;
  /** Sessions since the apply against those before it; null without a text to compare. */
  readonly guardrails: GuardrailReport | null;
}

export interface ExperimentView {
  readonly id: number;
  readonly state: ExperimentRow['state'];
  readonly phase: Phase;
  readonly edit: Pick<DiffView, 'operation' | 'sentenceNumber' | 'before' | 'after' | 'file'>;
  readonly rationale: string | null;
  readonly proposer: string | null;
  readonly verdict: VerdictView | null;
  /** Model, judge, suite or evaluator are others than at the verdict: it says nothing about what is there now. */
  readonly evidenceExpired: boolean;
  readonly overrideReason: string | null;
  /** Null before the apply. */
  readonly window: WindowView | null;
  readonly spent: Spent;
  /** What testing took beside what was estimated; null before the first trial. */
  readonly testing: EvaluationCost | null;
  readonly createdAt: number;
}

export interface ClosedView {
  readonly id: number;
  readonly state: ExperimentRow['state'];
  readonly reason: string | null;
  readonly at: number;
}

export interface StatusView {
  readonly initialised: boolean;
  readonly home: string;
  readonly target: string | null;
  readonly paused: { readonly at: number; readonly reason: string | null } | null;
  readonly scenarios: { readonly train: number; readonly holdout: number };
  readonly budget: Limits | null;
  /** Null before the set-up. */
  readonly errorBudget: ErrorBudgetView | null;
  /** The last calibration; null without any. */
  readonly calibration: CalibrationBrief | null;
  readonly experiment: ExperimentView | null;
  readonly job: JobView | null;
  /** The last closed experiment. */
  readonly last: ClosedView | null;
  /** Profiles whose home is gone, each with the ways out, in words. */
  readonly lost: readonly string[];
  readonly next: NextStep;
}

export function jobView(job: JobRow, now: number): JobView {
  const { id, kind, experimentId, progress, error, requestedBy, createdAt, finishedAt } = job;
  return {
    id,
    kind,
    state: stateNow(job, now),
    experiment: experimentId,
    progress,
    error,
    requestedBy,
    createdAt,
    finishedAt,
  };
}

function stateNow({ state, error, cancelRequestedAt, leaseExpiresAt }: JobRow, now: number): JobView['state'] {
  if (state === 'waiting' && error?.code === 'paused') return 'paused';
  if (state !== 'running') return state;
  const lease = leaseExpiresAt ?? 0;
  if (cancelRequestedAt !== null) return lease <= silentIfBefore(now) ? 'cancelled' : 'stopping';
  return lease <= now ? 'queued' : 'running';
}

/** Where a profile stands and what to do next. Reads only; quick enough for a chat. */
export async function status(ctx: Context): Promise<StatusView> {
  const profile = findProfile(ctx.db, ctx.profile.rootPath);
  if (profile === null) return notInitialised(ctx);
  const experiment = findInFlight(ctx.db, profile.id);
  const jobs = listJobs(ctx.db, { profileId: profile.id, open: true })
    .map((job) => jobView(job, ctx.clock.now()))
    .filter((job) => job.state !== 'cancelled');
  const suite = listScenarios(ctx.db, profile.id);
  const holdout = suite.filter((scenario) => scenario.split === 'holdout').length;
  const scenarios = { train: suite.length - holdout, holdout };
  const current = experiment === null ? null : await standing(ctx, experiment);
  return {
    initialised: true,
    home: ctx.profile.home,
    target: profile.targetRelpath,
    paused: pauseOf(profile),
    scenarios,
    budget: budgetLimits(ctx),
    errorBudget: await errorBudgetView(ctx),
    calibration: await calibrationBrief(ctx),
    experiment: current?.view ?? null,
    job: jobs.find((job) => job.state === 'running' || job.state === 'stopping') ?? jobs[0] ?? null,
    last: lastClosed(ctx, profile.id),
    lost: lostTexts(ctx),
    next:
      switchedOff(profile) ??
      current?.next ??
      idleStep({
        scenarios: suite.length,
        holdout,
        paused: profile.pausedAt !== null,
        targetFault: targetFault(profile),
        outdated: outdated(ctx),
      }),
  };
}

function lostTexts(ctx: Context): string[] {
  return lostProfiles(ctx).map((one) => `${lostText(one)} ${lostFix(one)}`);
}

function switchedOff({ enabled }: ProfileRow): NextStep | null {
  if (enabled) return null;
  const say =
    'The plugin was uninstalled, and its records were kept: sessions are not counted until it is set up again.';
  return { say, commands: ['init'] };
}

/** Why the evidence of the text in force should be taken again; null when it need not be. */
function outdated(ctx: Context): { experimentId: number; why: string } | null {
  const watched = watchedText(ctx);
  if (watched === null) return null;
  const { experimentId, expired, drift } = watched;
  if (expired) return { experimentId, why: 'model, judge, scenarios or evaluator are others since' };
  if (drift === null) return null;
  return {
    experimentId,
    why: `sessions since are not as they were (more ${alarmsOf(drift)
      .map(({ name }) => name)
      .join(', ')})`,
  };
}

/** Why the target can't be edited as it is now, in words; null when it can. */
function targetFault(profile: ProfileRow): string | null {
  try {
    readTargetText(profile.rootPath, profile.targetRelpath);
    return null;
  } catch (error) {
    const { message, hint } = toKarpathyError(error);
    return hint === undefined ? message : `${message} ${hint}`;
  }
}

/** An experiment with its phase, and what to do about it. */
export async function standing(
  ctx: Context,
  experiment: ExperimentRow,
): Promise<{ view: ExperimentView; next: NextStep }> {
  const facts = {
    experiment,
    target: targetStatus(ctx, experiment),
    job: openJob(ctx, experiment),
    now: ctx.clock.now(),
    evidenceExpired: await evidenceExpired(ctx, experiment),
    retry: experiment.state === 'live' ? windowRetry(ctx, experiment.id) : null,
  };
  const phase = phaseOf(facts);
  const { operation, sentenceNumber, before, after, file } = diffView(experiment);
  const view: ExperimentView = {
    id: experiment.id,
    state: experiment.state,
    phase,
    edit: { operation, sentenceNumber, before, after, file },
    rationale: experiment.rationale,
    proposer: experiment.proposerModel,
    verdict: verdictView(experiment),
    evidenceExpired: facts.evidenceExpired,
    overrideReason: experiment.approvalOverrideReason,
    window: windowOf(ctx, experiment),
    spent: spent(ctx, experiment.id),
    testing: evaluationCost(ctx, experiment),
    createdAt: experiment.createdAt,
  };
  return { view, next: nextStep(phase, facts) };
}

async function evidenceExpired(ctx: Context, experiment: ExperimentRow): Promise<boolean> {
  if (experiment.verdict === null || experiment.evidenceFingerprint === null) return false;
  return (await evidenceFingerprint(ctx)).sha256 !== experiment.evidenceFingerprint;
}

function openJob(ctx: Context, experiment: ExperimentRow): OpenJob | null {
  const open = listJobs(ctx.db, { profileId: experiment.profileId, open: true }).filter(
    (job) => job.experimentId === experiment.id,
  );
  const job = open.find(({ state }) => state === 'running') ?? open[0];
  if (job === undefined || (job.state !== 'queued' && job.state !== 'running' && job.state !== 'waiting')) return null;
  // A lease that has run out belongs to a process that died; whoever works next takes the job over.
  const dead = job.state === 'running' && (job.leaseExpiresAt ?? 0) <= ctx.clock.now();
  return {
    id: job.id,
    kind: job.kind,
    state: dead ? 'queued' : job.state,
    waitsFor: job.state === 'waiting' ? job.error : null,
  };
}

function windowOf(ctx: Context, experiment: ExperimentRow): WindowView | null {
  if (experiment.appliedAt === null) return null;
  return {
    seen: experiment.liveSessionsObserved,
    target: experiment.liveSessionsTarget,
    deadlineAt: experiment.liveDeadlineAt,
    extensions: experiment.liveExtensions,
    note: experiment.liveNote,
    guardrails: windowGuardrails(ctx, experiment),
  };
}

function pauseOf(profile: ProfileRow): StatusView['paused'] {
  return profile.pausedAt === null ? null : { at: profile.pausedAt, reason: profile.pauseReason };
}

function lastClosed(ctx: Context, profileId: number): ClosedView | null {
  const [row] = listExperiments(ctx.db, { profileId, states: ['verified', 'reverted', 'rejected'], limit: 1 });
  if (row === undefined) return null;
  return {
    id: row.id,
    state: row.state,
    reason: row.closingReason ?? row.rejectionReason,
    at: row.verifiedAt ?? row.revertedAt ?? row.rejectedAt ?? row.updatedAt,
  };
}

function notInitialised(ctx: Context): StatusView {
  return {
    initialised: false,
    home: ctx.profile.home,
    target: null,
    paused: null,
    scenarios: { train: 0, holdout: 0 },
    budget: null,
    errorBudget: null,
    calibration: null,
    experiment: null,
    job: null,
    last: null,
    lost: lostTexts(ctx),
    next: firstStep(ctx),
  };
}

/** A profile that was renamed or moved looks like a new one. */
function firstStep(ctx: Context): NextStep {
  const say = 'This profile is not set up yet. Setting it up asks for target, models and budget.';
  const origins = possibleOrigins(ctx);
  if (origins.length === 0) return { say, commands: ['init'] };
  return {
    say: `${say} If it is one of these, renamed, moved or copied, its history goes on with relocate: ${origins
      .map(({ name, rootPath }) => `${name} (${rootPath})`)
      .join(', ')}.`,
    commands: [...origins.map(({ rootPath }) => `relocate --from ${quoted(rootPath)}`), 'init'],
  };
}
