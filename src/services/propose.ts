import type { StructuredEdit } from '../domain/edit.js';
import { HUMAN_PROPOSER } from '../domain/experiment.js';
import { describeModel } from '../domain/models.js';
import { placeSentences } from '../domain/sentences.js';
import { isKarpathyError, KarpathyError, toKarpathyError, type ErrorCode } from '../errors.js';
import type { ChatMessage, Completion } from '../ports.js';
import { requireRoom } from '../ratchet/room.js';
import { immediate } from '../store/database.js';
import { editsTried } from '../store/experimentLists.js';
import { createExperiment, findInFlight, recordEdit, transition, type EditRecord } from '../store/experiments.js';
import { listSnapshots } from '../store/metrics.js';
import { listScenarios, snapshotsForPlan } from '../store/scenarios.js';
import { failingTrainTrials, type FailingTrial } from '../store/trials.js';
import { checkEdit, readBase, RefusedEdit, type BaseText, type WantedEdit } from './checkedEdit.js';
import type { Context } from './context.js';
import { assertDraftAffordable } from './draftBudget.js';
import { enqueue } from './enqueue.js';
import { shareOf, type ErrorShare } from './errorBudget.js';
import { evidenceFingerprint } from './evidence.js';
import { evidenceNotice } from './evidenceEpochs.js';
import { requirePower } from './power.js';
import { followMarkers } from './followMarkers.js';
import { ownExperiment } from './ownExperiment.js';
import { readProposalAnswer } from './proposalAnswer.js';
import { MOST_TRIED, proposalMessages, repairMessages } from './proposalPrompt.js';
import { askProposer, assertProposerThere, assertProposerUsable } from './proposer.js';
import { commandFor, requireProfile } from './requireProfile.js';
import { requireRoomForTrials, rowsNeed } from './room.js';
import { requireRunnable } from './runnable.js';
import { requireTrainRunnable } from './trainBaseline.js';

const FAILING_TRIALS_SHOWN = 8;

export type ProposalSource =
  { readonly by: 'model' } | ({ readonly by: 'person'; readonly rationale?: string } & WantedEdit);

export interface ProposalOptions {
  /** Compare the candidate with the incumbent as soon as there is one. */
  readonly evaluate: boolean;
  /** Go on although the suite is too small to answer; recorded with the run. */
  readonly underpowered?: boolean;
}

export interface StartedProposal {
  readonly experimentId: number;
  /** Long work to run with `runJobNow` or `launchWork`; null when there is none. */
  readonly jobId: number | null;
  /** What a person should know: what would have been refused from a model, what has changed since the last test. */
  readonly warnings: readonly string[];
}

/**
 * Starts an experiment: a model's takes the profile's place at once and is drafted by its job, a person's is complete
 * (or refused before anything is written).
 * @throws KarpathyError `not_initialised`, `in_flight`, `bad_target`, `bad_edit`, `blocked_by_host`, `bad_scenario`,
 *   `bad_config`, `host_failed`, `same_model`, `price_unknown`, `budget`, `underpowered`, `model_failed`, `io`
 */
export async function startProposal(
  ctx: Context,
  source: ProposalSource,
  options: ProposalOptions,
): Promise<StartedProposal> {
  requireProfile(ctx);
  assertNoneInFlight(ctx);
  requireRoom([rowsNeed(ctx, 0)]);
  const base = readBase(ctx);
  const deletes = source.by === 'person' && 'edit' in source && source.edit.operation === 'delete';
  if (options.evaluate) await assertCanEvaluate(ctx, { ...options, kind: deletes ? 'deletion' : 'improvement' });
  const notice = options.evaluate ? await evidenceNotice(ctx) : null;
  const notices = notice === null ? [] : [notice];
  if (source.by === 'model') {
    assertProposerUsable(ctx);
    assertDraftAffordable(ctx);
    await requireTrainRunnable(ctx);
    await assertProposerThere(ctx);
    const started = immediate(ctx.db, () => {
      const experimentId = openExperiment(ctx, { reason: 'a proposal of the model was asked for' });
      return { experimentId, jobId: enqueue(ctx, { kind: 'propose', experimentId, payload: { ...options } }) };
    });
    return { ...started, warnings: notices };
  }
  const { record, warnings } = await checkEdit(ctx, base, {
    wanted: wantedOf(source),
    by: 'person',
    proposerModel: HUMAN_PROPOSER,
    experimentId: null,
  });
  const edit = source.rationale === undefined ? record : { ...record, rationale: source.rationale };
  const started = immediate(ctx.db, () => {
    const experimentId = openExperiment(ctx, { reason: 'a person proposed their own sentence', edit });
    if (!options.evaluate) return { experimentId, jobId: null };
    return { experimentId, jobId: enqueue(ctx, { kind: 'evaluate', experimentId, payload: { ...options } }) };
  });
  return { ...started, warnings: [...notices, ...warnings] };
}

function wantedOf(source: WantedEdit): WantedEdit {
  return 'edit' in source ? { edit: source.edit } : { candidateText: source.candidateText };
}

function assertNoneInFlight(ctx: Context): void {
  const other = findInFlight(ctx.db, requireProfile(ctx).id);
  if (other === null) return;
  throw new KarpathyError(
    'in_flight',
    `Profile ${ctx.profile.name} has experiment ${other.id} in flight (${other.state}); one at a time.`,
    { hint: `\`${commandFor(ctx.profile.name)} status\` says what it waits for.` },
  );
}

/**
 * What can be known to be missing before anything is spent on an evaluation.
 * @throws KarpathyError `bad_scenario` without a holdout or for one that can't be run here, `bad_config` without the
 *   judge that it asks for, `underpowered` with too small a one, `host_failed` without a Hermes,
 *   `io` without room for the slots
 */
export async function assertCanEvaluate(
  ctx: Context,
  options: { readonly underpowered?: boolean; readonly kind?: ErrorShare['kind'] } = {},
): Promise<void> {
  const command = commandFor(ctx.profile.name);
  const holdout = listScenarios(ctx.db, requireProfile(ctx).id, { split: 'holdout' });
  if (holdout.length === 0) {
    throw new KarpathyError(
      'bad_scenario',
      'There are no holdout scenarios, so nothing could tell whether the edit helps.',
      {
        hint: `Add some with \`${command} scenario add … --split holdout\` or \`${command} scenario import FILE\`; \`propose --no-evaluate\` drafts without testing.`,
      },
    );
  }
  if (ctx.hermes === null) {
    throw new KarpathyError('host_failed', 'No Hermes was found to run trials with.', {
      hint: 'Run `hermes karpathy`, or set runner.hermes to the path of the Hermes executable.',
    });
  }
  requireRoomForTrials(ctx);
  await requireRunnable(
    ctx,
    snapshotsForPlan(ctx.db, requireProfile(ctx).id).filter(({ split }) => split === 'holdout'),
  );
  if (options.underpowered === true) return;
  const share = shareOf(ctx, { kind: options.kind ?? 'improvement', evidence: await evidenceFingerprint(ctx) });
  requirePower(ctx, { share, experiment: null });
}

function openExperiment(ctx: Context, how: { reason: string; edit?: EditRecord }): number {
  const profile = requireProfile(ctx);
  return createExperiment(ctx.db, {
    profileId: profile.id,
    profile: ctx.profile.name,
    targetProfileRoot: profile.rootPath,
    targetRelpath: profile.targetRelpath,
    actor: ctx.actor,
    reason: how.reason,
    at: ctx.clock.now(),
    ...(how.edit === undefined ? {} : { edit: how.edit }),
  });
}

/** Opens an experiment of the model without a job of its own: whoever calls this drafts and evaluates it. */
export function openModelExperiment(ctx: Context, reason: string): number {
  assertNoneInFlight(ctx);
  readBase(ctx);
  assertProposerUsable(ctx);
  return openExperiment(ctx, { reason });
}

/** What would be sent to the proposer now, for `propose --show-prompt`. Nothing is called or written. */
export function promptPreview(ctx: Context): ChatMessage[] {
  const base = readBase(ctx);
  return proposalPrompt(ctx, { base, experimentId: null, failing: failingFor(ctx, base) });
}

/** The failures of the text that the proposer is shown; what it saw is not used to screen its edit. */
function failingFor(ctx: Context, base: BaseText): FailingTrial[] {
  return failingTrainTrials(ctx.db, requireProfile(ctx).id, base.sha256, FAILING_TRIALS_SHOWN);
}

function proposalPrompt(
  ctx: Context,
  of: { base: BaseText; experimentId: number | null; failing: readonly FailingTrial[] },
): ChatMessage[] {
  const profileId = requireProfile(ctx).id;
  const { privacy } = ctx.config.config;
  return proposalMessages({
    path: of.base.relpath,
    sentences: placeSentences(of.base.text),
    failing: of.failing,
    toolTraces: privacy.tool_traces,
    metrics: privacy.metrics
      ? (listSnapshots(ctx.db, { profileId, windowKind: 'collect', limit: 1 })[0] ?? null)
      : null,
    tried: editsTried(ctx.db, { profileId, newest: MOST_TRIED + 1 }).filter((edit) => edit.id !== of.experimentId),
  });
}

/** None of these says anything about the draft: the job can go on. */
const LEAVES_IT_OPEN: ReadonlySet<ErrorCode> = new Set(['interrupted', 'busy', 'wrong_state', 'io']);

export interface DraftOptions {
  /** Throws when the job's lease was taken over; called with every write. */
  readonly fence?: () => void;
}

/**
 * Lets the proposer draft the edit of an experiment that has none. An answer that cannot be used gets one more try
 * with the reason; after that, and when the model fails, the experiment ends `rejected` by `system`.
 * @throws KarpathyError `bad_edit`, `blocked_by_host`, `model_failed`, `model_limit`, `budget`, ... after the rejection;
 *   `interrupted`, `busy` and `io` leave the experiment as it is
 */
export async function draftProposal(ctx: Context, experimentId: number, options: DraftOptions = {}): Promise<void> {
  const experiment = ownExperiment(ctx, experimentId);
  if (experiment.candidateSha256 !== null) return;
  if (experiment.state !== 'proposed') {
    throw new KarpathyError(
      'wrong_state',
      `Experiment ${experimentId} is ${experiment.state}; there is nothing to draft.`,
    );
  }
  try {
    const record = await draft(ctx, experimentId);
    guardedWrite(ctx, options, () => recordEdit(ctx.db, experimentId, { ...record, at: ctx.clock.now() }));
  } catch (thrown) {
    const error =
      ctx.signal.aborted && !isKarpathyError(thrown)
        ? new KarpathyError('interrupted', 'Interrupted.')
        : toKarpathyError(thrown);
    if (LEAVES_IT_OPEN.has(error.code)) throw error;
    rejectDraft(ctx, experimentId, { error, options });
    throw rejected(experimentId, error);
  }
}

function guardedWrite(ctx: Context, options: DraftOptions, write: () => void): void {
  immediate(ctx.db, () => {
    options.fence?.();
    write();
  });
}

async function draft(ctx: Context, experimentId: number): Promise<EditRecord> {
  const base = readBase(ctx);
  const failing = failingFor(ctx, base);
  const messages = proposalPrompt(ctx, { base, experimentId, failing });
  const shownGroups = [...new Set(failing.map(({ group }) => group))];
  const first = await askProposer(ctx, { experimentId, messages });
  try {
    return { ...(await recordOf(ctx, first, { base, experimentId })), shownGroups };
  } catch (error) {
    const unusable = isKarpathyError(error) && (error.code === 'bad_edit' || error.code === 'blocked_by_host');
    if (!unusable) throw error;
    ctx.log.info(`the proposer's first answer was not used: ${error.message}`);
    const repair = [...messages, ...repairMessages(first.text, error.message)];
    const second = await askProposer(ctx, { experimentId, messages: repair });
    return { ...(await recordOf(ctx, second, { base, experimentId })), shownGroups };
  }
}

async function recordOf(
  ctx: Context,
  completion: Completion,
  of: { base: BaseText; experimentId: number },
): Promise<EditRecord> {
  const edit: StructuredEdit = readProposalAnswer(completion.text);
  const { record } = await checkEdit(ctx, of.base, {
    wanted: { edit },
    by: 'model',
    proposerModel: describeModel(completion.identity),
    experimentId: of.experimentId,
  });
  return record;
}

function rejectDraft(ctx: Context, experimentId: number, how: { error: KarpathyError; options: DraftOptions }): void {
  const { error, options } = how;
  const at = ctx.clock.now();
  guardedWrite(ctx, options, () => {
    // What was refused is shown in the history, and to the proposer as tried.
    if (error instanceof RefusedEdit) recordEdit(ctx.db, experimentId, { ...error.record, at });
    transition(ctx.db, { id: experimentId, to: 'rejected', actor: 'system', reason: error.message, at });
  });
  followMarkers(ctx);
}

function rejected(experimentId: number, error: KarpathyError): KarpathyError {
  return new KarpathyError(error.code, `Experiment ${experimentId} was rejected: ${error.message}`, {
    hint: error.hint,
    problems: error.problems,
    cause: error,
  });
}
