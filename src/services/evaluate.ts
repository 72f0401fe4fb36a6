import { KarpathyError } from '../errors.js';
import { restorePlan } from '../evaluation/plan.js';
import { decide } from '../gate/decide.js';
import { decideDeletion, DELETION_MARGIN } from '../gate/deletion.js';
import { defaultLooks } from '../gate/plan.js';
import type { Verdict } from '../gate/types.js';
import { verdictOf } from '../gate/verdict.js';
import { recordErrorSpending } from '../store/errorBudget.js';
import { endEvalRun, getEvalRun, type EvalRunRow } from '../store/evalRuns.js';
import { getExperiment, recordVerdict, transition, type ExperimentRow } from '../store/experiments.js';
import { recordConsultation } from '../store/holdoutConsultations.js';
import { snapshotsForPlan } from '../store/scenarios.js';
import { heedRepeats, repeatsOf } from './answersSeen.js';
import type { Context } from './context.js';
import { shareOf, type ErrorShare } from './errorBudget.js';
import { requireUndecided } from './evaluable.js';
import { epochToSpend } from './evidenceEpochs.js';
import { evidenceFingerprint, type EvidenceFingerprint } from './evidence.js';
import { guarded, withEvalSession, type EvalSession } from './evalSession.js';
import { planRun, resumableRun, type RunRequest } from './planRun.js';
import { groupsOf } from './groups.js';
import { powerView } from './power.js';
import { proposerOf } from './proposerIdentity.js';
import { referenceText } from './referenceText.js';
import { requireRunnable } from './runnable.js';
import { candidatePassRate, writeResults } from './scenarioResults.js';
import { screenEdit } from './screenEdit.js';
import { targetStatus } from './targetStatus.js';
import { checkVeto } from './vetoCheck.js';

export { estimateEvaluation, type EvaluationEstimate } from './estimateEvaluation.js';
export { runLiveComparison } from './liveComparison.js';
export { runTrainBaseline } from './trainBaseline.js';

export interface EvaluateOptions {
  /** Throws when the job's lease was taken over; called before every write. */
  readonly fence?: () => void;
  /** Run although the suite can't prove anything; the best result is `undecided`. */
  readonly underpowered?: boolean;
}

/**
 * Tries an edit on train scenarios, compares it with the incumbent on the holdout, look by look, and stores the gate's
 * verdict with the results of both arms. A discard rejects the experiment. An interrupted run goes on from its
 * finished pairs, with the share of the error budget it was given.
 *
 * @throws KarpathyError `wrong_state`, `stale`, `underpowered`, `same_model`, `bad_scenario`, `budget`,
 *   `price_unknown`, `model_limit`, `host_failed`, `interrupted`
 */
export async function evaluateExperiment(
  ctx: Context,
  experimentId: number,
  options: EvaluateOptions = {},
): Promise<Verdict> {
  const experiment = evaluable(ctx, experimentId);
  const contents = { incumbent: referenceText(ctx, experiment), candidate: experiment.candidateContent };
  const { fence } = options;
  const selection = { purpose: 'selection', experimentId, contents } as const;
  const row =
    resumableRun(ctx, selection) ??
    (await startSelection(ctx, { experiment, contents, underpowered: options.underpowered === true, fence }));
  if ('verdict' in row) return row;
  const proposer = proposerOf(ctx, experiment.proposerModel);
  const session = { evalRunId: row.id, contents, proposer, fence };
  const { run, verdict } = await withEvalSession(ctx, session, async (run) => ({
    run,
    verdict: cappedVerdict(run, await decideRun(ctx, run)),
  }));
  const vetoable = verdict.verdict === 'keep' && run.plan.margin === null;
  const final = vetoable ? await checkVeto(ctx, { selection: run, verdict, experiment, contents, fence }) : verdict;
  guarded(ctx, options, () => {
    writeResults(ctx, { run, experimentId, proposer: experiment.proposerModel });
    conclude(ctx, { experiment, verdict: final, evalRunId: row.id, score: candidatePassRate(run.pairs()) });
  });
  return final;
}

interface Selection {
  readonly experiment: ExperimentRow;
  readonly contents: RunRequest['contents'];
  readonly underpowered: boolean;
  readonly fence?: () => void;
}

/** Screens the edit, and plans its holdout run when it passed; the verdict when it did not. */
async function startSelection(ctx: Context, of: Selection): Promise<EvalRunRow | Verdict> {
  const { experiment, contents, fence } = of;
  const kind = experiment.operation === 'delete' ? 'deletion' : 'improvement';
  const margin = kind === 'deletion' ? DELETION_MARGIN : null;
  const scenarios = snapshotsForPlan(ctx.db, experiment.profileId).filter((scenario) => scenario.split === 'holdout');
  const { epochs } = ctx.config.config.gate;
  const groups = groupsOf(scenarios);
  await requireRunnable(ctx, scenarios);
  const evidence = await evidenceFingerprint(ctx);
  const share = shareOf(ctx, { kind, evidence });
  const underpowered = assertPower(ctx, { experiment, share, accepted: of.underpowered });
  const screened = await screenEdit(ctx, { experiment, contents, fence });
  if (screened !== null) {
    guarded(ctx, of, () => conclude(ctx, { ...screened, experiment, score: null }));
    return screened.verdict;
  }
  return planRun(ctx, {
    purpose: 'selection',
    experimentId: experiment.id,
    arms: ['incumbent', 'candidate'],
    contents,
    scenarios,
    epochs,
    looks: margin === null ? defaultLooks(epochs, groups) : [],
    alpha: share.alpha,
    underpowered,
    ...(margin === null ? {} : { margin }),
    targetRelpath: experiment.targetRelpath,
    proposer: experiment.proposerModel,
    fence,
    onStart: ({ evalRunId, fingerprint }) => consult(ctx, { experiment, evalRunId, fingerprint, share, evidence }),
  });
}

/**
 * @returns whether the run is one that can prove nothing, which the person has accepted
 * @throws KarpathyError `underpowered`
 */
function assertPower(ctx: Context, of: { experiment: ExperimentRow; share: ErrorShare; accepted: boolean }): boolean {
  const { refusal } = powerView(ctx, { share: of.share, experiment: of.experiment });
  if (refusal === null || of.accepted) return refusal !== null;
  throw new KarpathyError('underpowered', refusal.message, { hint: refusal.hint });
}

function evaluable(ctx: Context, id: number): ExperimentRow {
  const experiment = getExperiment(ctx.db, id);
  requireUndecided(ctx, experiment);
  if (experiment.baseContent === null || experiment.candidateContent === null) {
    throw new KarpathyError('wrong_state', `Experiment ${id} has no edit yet: it is still being drafted.`, {
      hint: '`karpathy jobs` shows what is running.',
    });
  }
  if (targetStatus(ctx, experiment) !== 'as_base') {
    throw new KarpathyError(
      'stale',
      `${experiment.targetRelpath} was changed after edit ${id} was proposed; nothing was run.`,
      {
        hint: `Reject it (\`karpathy reject ${id}\`) and propose again from the text as it is now.`,
      },
    );
  }
  return experiment;
}

/** In the transaction that starts the run: the hidden scenarios are consulted, and the error budget pays for it. */
function consult(
  ctx: Context,
  of: {
    experiment: ExperimentRow;
    evalRunId: number;
    fingerprint: string;
    share: ErrorShare;
    evidence: EvidenceFingerprint;
  },
): void {
  const { experiment, evalRunId, fingerprint, share, evidence } = of;
  const now = shareOf(ctx, { kind: share.kind, evidence });
  if (
    fingerprint !== share.evidenceFingerprint ||
    now.epoch !== share.epoch ||
    now.consultation !== share.consultation
  ) {
    throw new KarpathyError('stale', 'The suite, the model or the error budget changed just now; nothing was run.', {
      hint: 'Run the command again.',
    });
  }
  const { profileId } = experiment;
  const common = { profileId, experimentId: experiment.id, evalRunId, at: ctx.clock.now() };
  const { kind, consultation, alpha } = share;
  const epochId = epochToSpend(ctx, evidence);
  recordErrorSpending(ctx.db, { ...common, epochId, evidenceFingerprint: fingerprint, kind, consultation, alpha });
  recordConsultation(ctx.db, {
    ...common,
    kind: 'evaluation',
    actor: 'gate',
    detail: `evaluation of experiment ${experiment.id}, consultation ${consultation} of epoch ${share.epoch}`,
  });
}

/** What a suite without power seems to show is too large an effect or none at all: it decides nothing. */
function cappedVerdict({ plan }: EvalSession, verdict: Verdict): Verdict {
  if (!plan.underpowered || verdict.verdict !== 'keep') return verdict;
  const reason = `run underpowered, so that it can prove nothing: ${verdict.reason}`;
  return { ...verdict, verdict: 'undecided', reason };
}

async function decideRun(ctx: Context, run: EvalSession): Promise<Verdict> {
  const { alpha, epochs, looks, margin } = run.plan;
  const scenarios = run.plan.scenarios.map(({ id, group }) => ({ scenario: id, group }));
  const data = () => ({ pairs: run.pairs(), infra: run.infra() });
  const texts = [run.plan.incumbentSha256, run.plan.candidateSha256].filter((text) => text !== null);
  const repeats = () => repeatsOf(ctx, { scenarios: run.plan.scenarios, texts });
  if (margin !== null) {
    await run.completeEpochs(epochs);
    return heedRepeats(decideDeletion(data(), { alpha, epochs, scenarios, margin }), repeats(), { deletion: true });
  }
  for (const [index, look] of looks.entries()) {
    await run.completeEpochs(look.epochs);
    const seen = repeats();
    const verdict = decide(data(), { alpha, epochs, scenarios, looks }, index + 1);
    // What comes out of a cache costs money and proves nothing, so no further look is taken.
    if (verdict !== null || seen.kind === 'cached') {
      const open = verdictOf('undecided', { alpha, look: index + 1, epochs: look.epochs }, 'not decided yet');
      return heedRepeats(verdict ?? open, seen, { deletion: false });
    }
  }
  throw new Error('the last look of a plan always decides');
}

/** Ends the run that decided, and what it decided about. Call it in a transaction. */
function conclude(
  ctx: Context,
  of: { experiment: ExperimentRow; verdict: Verdict; evalRunId: number; score: number | null },
): void {
  const { experiment, verdict, evalRunId } = of;
  const at = ctx.clock.now();
  endEvalRun(ctx.db, evalRunId, { state: 'finished', at, decision: verdict });
  const run = getEvalRun(ctx.db, evalRunId);
  recordVerdict(ctx.db, experiment.id, {
    verdict: verdict.verdict,
    reason: verdict.reason,
    detail: { ...verdict, evalRunId, margin: restorePlan(run).margin },
    offlineScore: of.score,
    evidenceFingerprint: run.evidenceFingerprint ?? '',
    judgeModel: run.judgeModel,
    at,
  });
  if (verdict.verdict !== 'discard') return;
  const { reason } = verdict;
  transition(ctx.db, { id: experiment.id, from: 'proposed', to: 'rejected', actor: 'gate', reason, at });
}
