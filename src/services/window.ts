import { isKarpathyError, KarpathyError } from '../errors.js';
import type { WindowVerdict } from '../gate/types.js';
import { immediate } from '../store/database.js';
import { listEvalRuns } from '../store/evalRuns.js';
import { getExperiment, recordWindow, type ExperimentRow, type WindowRecord } from '../store/experiments.js';
import { RATCHET } from './authority.js';
import { collectMetrics } from './collect.js';
import { alarmsOf, alarmText } from './guardrails.js';
import type { Context } from './context.js';
import { runLiveComparison } from './evaluate.js';
import { ownExperiment } from './ownExperiment.js';
import { revertExperiment } from './revert.js';
import { reverify } from './reverify.js';
import { verifyExperiment } from './verify.js';
import { windowGuardrails } from './windowGuardrails.js';
import { faultText, refreshWindows, WAITS_FOR_MONEY, WAITS_FOR_PERSON, type WindowStatus } from './liveWindow.js';

export { refreshWindows, type WindowStatus } from './liveWindow.js';

export interface JudgeOptions {
  /** Throws when the job's lease was lost; called before every change. */
  readonly fence?: () => void;
  readonly signal?: AbortSignal;
  /** The fresh paired run; another one only in tests. */
  readonly compare?: typeof runLiveComparison;
}

/**
 * What became of the window. `open`: not full yet; `waits`: something a person has to give or decide, said in
 * `message`; `extended`: it goes on for the same time once more.
 */
export interface WindowOutcome {
  readonly experimentId: number;
  readonly outcome: 'open' | 'extended' | 'waits' | 'conflict' | 'verified' | 'reverted';
  readonly verdict: WindowVerdict | null;
  readonly message: string;
}

/** Not enough of what only a person can give. None of it says anything about the edit. */
const SHORT_OF_MONEY = new Set(['budget', 'price_unknown', 'model_limit']);

/**
 * Judges the live window of an experiment once it is full: fresh trials of the applied text against the one before
 * it decide; too few sessions extend the window once and are then left to a person. Reverts by itself only when fresh
 * trials or a fault of the host say so and the person agreed to that at the approval; never for want of sessions or
 * money, and never over a person's edit.
 * A verified one is evaluated again, which reverts nothing.
 * @throws KarpathyError `wrong_state` unless live or verified; `budget`, `price_unknown`, `model_limit` with a note of it on the
 *   experiment; `interrupted`, and what else the fresh trials throw
 */
export async function judgeWindow(ctx: Context, id: number, options: JudgeOptions = {}): Promise<WindowOutcome> {
  const experiment = ownExperiment(ctx, id);
  if (experiment.state === 'verified') return judgeAgain(ctx, experiment, options);
  const status = refreshWindows(ctx).find((window) => window.experimentId === id);
  if (experiment.state !== 'live' || status === undefined) {
    throw new KarpathyError('wrong_state', `Experiment ${id} is ${experiment.state}; only a live one has a window.`);
  }
  const say = outcomeOf(id);
  if (status.conflict !== null) return say('conflict', conflictText(experiment));
  if (status.fault !== null) return judgeFault(ctx, { experiment, status, options });
  if (status.waitsForPerson) return say('waits', status.note ?? '');
  if (status.due === null) return say('open', `${status.counts.counted} of ${status.target ?? '?'} sessions so far.`);
  if (status.due === 'deadline_passed') return endWithTooFew(ctx, { experiment, status, options });
  return judgeByTrials(ctx, { experiment, status, options });
}

/** A verified text, by fresh trials under the model and suite of today. A person decides what follows. */
async function judgeAgain(ctx: Context, experiment: ExperimentRow, options: JudgeOptions): Promise<WindowOutcome> {
  const { id } = experiment;
  const again = await reverify(ctx, id, {
    ...(options.fence === undefined ? {} : { fence: options.fence }),
    compare: () => compare(ctx, { experiment, options }),
  });
  return outcomeOf(id)(again.confirmed ? 'verified' : 'waits', again.message, again.verdict);
}

interface Judged {
  readonly experiment: ExperimentRow;
  readonly status: WindowStatus;
  readonly options: JudgeOptions;
}

function outcomeOf(experimentId: number) {
  return (outcome: WindowOutcome['outcome'], message: string, verdict: WindowVerdict | null = null): WindowOutcome => ({
    experimentId,
    outcome,
    verdict,
    message,
  });
}

function conflictText(experiment: ExperimentRow): string {
  return `${experiment.targetRelpath} was edited by a person; nothing is written until \`resolve ${experiment.id}\` decides.`;
}

/** Writes the window's progress unless somebody else ended it meanwhile. */
function record(
  ctx: Context,
  { experiment, options }: Pick<Judged, 'experiment' | 'options'>,
  values: Omit<WindowRecord, 'at'>,
): void {
  options.fence?.();
  immediate(ctx.db, () => {
    if (getExperiment(ctx.db, experiment.id).state !== 'live') return;
    recordWindow(ctx.db, experiment.id, { ...values, at: ctx.clock.now() });
  });
}

function leaveToPerson(ctx: Context, judged: Judged, why: { text: string; verdict?: WindowVerdict }): WindowOutcome {
  const { id } = judged.experiment;
  const note = `${WAITS_FOR_PERSON}${why.text}. \`finish ${id} --keep REASON\`, \`--revert\` or \`--again\`.`;
  record(ctx, judged, { note });
  return outcomeOf(id)('waits', note, why.verdict ?? null);
}

/** Sessions of the new text that start without it are worse than any verdict: this needs no trials. */
async function judgeFault(ctx: Context, judged: Judged): Promise<WindowOutcome> {
  const { experiment, status } = judged;
  const { id, targetRelpath } = experiment;
  if (status.fault === null) return outcomeOf(id)('open', '');
  const text = faultText(status.fault, targetRelpath);
  if (status.fault.kind === 'blocked' && (await blocksPriorToo(ctx, experiment))) {
    return leaveToPerson(ctx, judged, { text: `${text}, and would block the text from before the edit as well` });
  }
  if (!experiment.autoRevertAgreed) return leaveToPerson(ctx, judged, { text });
  return revert(ctx, judged, { reason: `hard fault: ${text}`, verdict: null });
}

async function blocksPriorToo(ctx: Context, experiment: ExperimentRow): Promise<boolean> {
  try {
    return (await ctx.checkPrompt(experiment.baseContent?.toString('utf8') ?? '')).blocked;
  } catch (error) {
    ctx.log.warn(`the text from before the edit could not be checked: ${String(error)}`);
    return false;
  }
}

/** Lack of traffic is no evidence: the window goes on once for the same time, then a person decides. */
function endWithTooFew(ctx: Context, judged: Judged): WindowOutcome {
  const { experiment, status } = judged;
  const { id, appliedAt, liveDeadlineAt, liveExtensions } = experiment;
  const seen = `${status.counts.counted} of ${status.target ?? '?'} sessions`;
  if (liveExtensions > 0) {
    return leaveToPerson(ctx, judged, { text: `the window ended a second time with ${seen}` });
  }
  const length = Math.max(0, (liveDeadlineAt ?? 0) - (appliedAt ?? 0));
  const note = `The window ended with ${seen} and goes on once more for the same time.`;
  record(ctx, judged, { deadlineAt: ctx.clock.now() + length, extensions: liveExtensions + 1, note });
  return outcomeOf(id)('extended', note);
}

/**
 * Looks at the guardrails when the window is full. An alarm lets it go on once, for as many sessions and as long again,
 * and says why; it decides nothing, because nobody assigned the sessions by chance.
 */
function checkGuardrails(ctx: Context, judged: Judged): WindowOutcome | null {
  const { experiment } = judged;
  const { id, appliedAt, liveDeadlineAt, liveExtensions, liveSessionsTarget } = experiment;
  const now = ctx.clock.now();
  collectMetrics(ctx, { kind: 'live', experimentId: id, startedAt: appliedAt ?? 0, endedAt: now });
  const report = windowGuardrails(ctx, experiment);
  if (report === null) return null;
  const alarms = alarmsOf(report);
  if (alarms.length === 0 || liveExtensions > 0) {
    record(ctx, judged, { guardrails: report });
    return null;
  }
  const length = Math.max(0, (liveDeadlineAt ?? now) - (appliedAt ?? now));
  const note = `${alarmText(alarms)} The window goes on for as long again; nothing is reverted for this alone.`;
  record(ctx, judged, {
    guardrails: report,
    note,
    extensions: liveExtensions + 1,
    deadlineAt: now + length,
    ...(liveSessionsTarget === null ? {} : { sessionsTarget: 2 * liveSessionsTarget }),
  });
  return outcomeOf(id)('extended', note);
}

async function judgeByTrials(ctx: Context, judged: Judged): Promise<WindowOutcome> {
  const { experiment, options } = judged;
  const alarmed = checkGuardrails(ctx, judged);
  if (alarmed !== null) return alarmed;
  const compared = await compare(ctx, judged);
  options.fence?.();
  switch (compared.verdict) {
    case 'verified':
      return verify(ctx, judged, compared);
    case 'revert':
      if (!experiment.autoRevertAgreed) {
        return leaveToPerson(ctx, judged, { text: `${compared.reason}, which speaks for a revert`, verdict: compared });
      }
      return revert(ctx, judged, { reason: compared.reason, verdict: compared });
    case 'extend':
    case 'undecided':
      return leaveToPerson(ctx, judged, { text: compared.reason, verdict: compared });
  }
}

/** The verdict of the fresh run and its one extension. Want of money is noted and changes nothing. */
async function compare(ctx: Context, judged: Pick<Judged, 'experiment' | 'options'>): Promise<WindowVerdict> {
  const { experiment, options } = judged;
  const run = options.compare ?? runLiveComparison;
  const { fence, signal } = options;
  const passed = { ...(fence === undefined ? {} : { fence }), ...(signal === undefined ? {} : { signal }) };
  try {
    const first = await run(ctx, experiment.id, passed);
    return first.verdict === 'extend' ? await run(ctx, experiment.id, passed) : first;
  } catch (error) {
    if (isKarpathyError(error) && SHORT_OF_MONEY.has(error.code)) {
      record(ctx, judged, { note: `${WAITS_FOR_MONEY}${error.message} The edit stays as it is.` });
    }
    throw error;
  }
}

async function verify(ctx: Context, judged: Judged, verdict: WindowVerdict): Promise<WindowOutcome> {
  const { id, profileId, appliedAt } = judged.experiment;
  const window = { kind: 'live', experimentId: id, startedAt: appliedAt ?? 0, endedAt: ctx.clock.now() } as const;
  const [run] = listEvalRuns(ctx.db, { profileId, purpose: 'live_window', experimentId: id, states: ['finished'] });
  const evidence = {
    verdict,
    passRate: getExperiment(ctx.db, id).liveScore,
    evidenceFingerprint: run?.evidenceFingerprint ?? null,
    metrics: { ...collectMetrics(ctx, window).snapshots[0], guardrails: getExperiment(ctx.db, id).liveGuardrails },
    reason: verdict.reason,
  };
  const report = windowGuardrails(ctx, getExperiment(ctx.db, id));
  const alarms = report === null ? [] : alarmsOf(report);
  return unlessConflict(judged, async () => {
    await verifyExperiment(ctx, id, { evidence });
    const said = [`Verified: ${verdict.reason}.`, ...(alarms.length === 0 ? [] : [alarmText(alarms)])];
    return outcomeOf(id)('verified', said.join(' '), verdict);
  });
}

async function revert(
  ctx: Context,
  judged: Judged,
  why: { reason: string; verdict: WindowVerdict | null },
): Promise<WindowOutcome> {
  const { id } = judged.experiment;
  judged.options.fence?.();
  return unlessConflict(judged, async () => {
    await revertExperiment(ctx, id, { reason: why.reason, actor: RATCHET });
    return outcomeOf(id)('reverted', `Reverted to the exact text from before: ${why.reason}.`, why.verdict);
  });
}

/** A person may edit the file while the trials run; then theirs stands and the experiment is marked. */
async function unlessConflict(judged: Judged, act: () => Promise<WindowOutcome>): Promise<WindowOutcome> {
  try {
    return await act();
  } catch (error) {
    if (!isKarpathyError(error) || error.code !== 'conflict') throw error;
    return outcomeOf(judged.experiment.id)('conflict', conflictText(judged.experiment));
  }
}
