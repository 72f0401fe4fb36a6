import { KarpathyError } from '../errors.js';
import { decide } from '../gate/decide.js';
import { defaultLooks, fewestGroups } from '../gate/plan.js';
import type { GatePlan, Verdict } from '../gate/types.js';
import { snapshotsForPlan } from '../store/scenarios.js';
import { endEvalRun } from '../store/evalRuns.js';
import { getExperiment, recordVerdict, transition, type ExperimentRow } from '../store/experiments.js';
import { recordConsultation, recordErrorSpending } from '../store/holdoutConsultations.js';
import type { Context } from './context.js';
import { estimateEvaluation } from './estimateEvaluation.js';
import { guarded, withEvalSession, type EvalSession } from './evalSession.js';
import { planRun, resumableRun, type RunRequest } from './planRun.js';
import { proposerOf } from './proposerIdentity.js';
import { candidatePassRate, writeResults } from './scenarioResults.js';
import { targetStatus } from './targetStatus.js';

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
 * Compares candidate and incumbent on the holdout, look by look, and stores the gate's verdict with the results of
 * both arms. A discard rejects the experiment. An interrupted run goes on from its finished pairs.
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
  const { alpha, epochs } = ctx.config.config.gate;
  const scenarios = snapshotsForPlan(ctx.db, experiment.profileId).filter((scenario) => scenario.split === 'holdout');
  const looks = defaultLooks(epochs, new Set(scenarios.map(({ group }) => group)).size);
  const request = {
    purpose: 'selection',
    experimentId,
    arms: ['incumbent', 'candidate'],
    contents: { incumbent: experiment.baseContent, candidate: experiment.candidateContent },
    scenarios,
    epochs,
    looks,
    alpha,
    targetRelpath: experiment.targetRelpath,
    proposer: experiment.proposerModel,
    fence: options.fence,
    onStart: ({ evalRunId, fingerprint }) => consult(ctx, { experiment, evalRunId, fingerprint, alpha }),
  } satisfies Omit<RunRequest, 'estimate'>;
  let row = resumableRun(ctx, request);
  if (row === null) {
    if (options.underpowered !== true) requirePower(request);
    row = await planRun(ctx, { ...request, estimate: estimateEvaluation(ctx, { part: 'selection' }) });
  }
  const session = {
    evalRunId: row.id,
    contents: request.contents,
    proposer: proposerOf(ctx, experiment.proposerModel),
    fence: options.fence,
  };
  return withEvalSession(ctx, session, async (run) => {
    const verdict = await decideByLooks(run);
    conclude(ctx, { run, verdict, experiment, fence: options.fence });
    return verdict;
  });
}

function evaluable(ctx: Context, id: number): ExperimentRow {
  const experiment = getExperiment(ctx.db, id);
  const refuse = (message: string, hint: string): never => {
    throw new KarpathyError('wrong_state', message, { hint });
  };
  if (experiment.state !== 'proposed') {
    refuse(
      `Experiment ${id} is ${experiment.state}; only a proposed edit is evaluated.`,
      '`karpathy propose` starts a new one.',
    );
  }
  if (experiment.baseContent === null || experiment.candidateContent === null) {
    refuse(`Experiment ${id} has no edit yet: it is still being drafted.`, '`karpathy jobs` shows what is running.');
  }
  if (experiment.verdict === 'keep') {
    refuse(`Experiment ${id} was evaluated already: keep.`, `\`karpathy approve ${id}\` or \`karpathy reject ${id}\`.`);
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

/** Too few groups can't give a keep whatever the candidate does: money is not spent on that question. */
export function requirePower(request: {
  scenarios: RunRequest['scenarios'];
  looks: RunRequest['looks'];
  alpha: number;
}): void {
  const groups = new Set(request.scenarios.map((scenario) => scenario.group)).size;
  const needed = fewestGroups(request.alpha * Math.max(...request.looks.map((look) => look.share)));
  if (groups >= needed) return;
  throw new KarpathyError(
    'underpowered',
    `The suite has ${groups} holdout group${groups === 1 ? '' : 's'}; below ${needed} no edit can be kept at alpha ${request.alpha}.`,
    {
      hint: `Add at least ${needed - groups} holdout scenarios in groups of their own (\`karpathy scenario add\`), or run with --underpowered.`,
    },
  );
}

/** In the transaction that starts the run: the hidden scenarios are consulted, and the error budget pays for it. */
function consult(
  ctx: Context,
  of: { experiment: ExperimentRow; evalRunId: number; fingerprint: string; alpha: number },
): void {
  const { experiment, evalRunId } = of;
  const common = { profileId: experiment.profileId, experimentId: experiment.id, evalRunId, at: ctx.clock.now() };
  const consultation = recordErrorSpending(ctx.db, {
    ...common,
    evidenceFingerprint: of.fingerprint,
    kind: experiment.operation === 'delete' ? 'deletion' : 'improvement',
    alpha: of.alpha,
  });
  recordConsultation(ctx.db, {
    ...common,
    kind: 'evaluation',
    actor: 'gate',
    detail: `evaluation of experiment ${experiment.id}, consultation ${consultation} under this evidence`,
  });
}

async function decideByLooks(run: EvalSession): Promise<Verdict> {
  const { plan } = run;
  const gatePlan: GatePlan = {
    alpha: plan.alpha,
    epochs: plan.epochs,
    scenarios: plan.scenarios.map(({ id, group }) => ({ scenario: id, group })),
    looks: plan.looks,
  };
  for (const [index, look] of plan.looks.entries()) {
    await run.completeEpochs(look.epochs);
    const verdict = decide({ pairs: run.pairs(), infra: run.infra() }, gatePlan, index + 1);
    if (verdict !== null) return verdict;
  }
  throw new Error('the last look of a plan always decides');
}

function conclude(
  ctx: Context,
  of: { run: EvalSession; verdict: Verdict; experiment: ExperimentRow; fence?: () => void },
): void {
  const { run, verdict, experiment } = of;
  const at = ctx.clock.now();
  guarded(ctx, of, () => {
    writeResults(ctx, { run, experimentId: experiment.id, proposer: experiment.proposerModel });
    endEvalRun(ctx.db, run.row.id, { state: 'finished', at, decision: verdict });
    recordVerdict(ctx.db, experiment.id, {
      verdict: verdict.verdict,
      reason: verdict.reason,
      detail: { ...verdict, evalRunId: run.row.id },
      offlineScore: candidatePassRate(run.pairs()),
      evidenceFingerprint: run.row.evidenceFingerprint ?? '',
      judgeModel: run.judgeModel(),
      at,
    });
    if (verdict.verdict !== 'discard') return;
    transition(ctx.db, {
      id: experiment.id,
      from: 'proposed',
      to: 'rejected',
      actor: 'gate',
      reason: verdict.reason,
      at,
    });
  });
}
