import { KarpathyError } from '../errors.js';
import { DELETION_MARGIN } from '../gate/deletion.js';
import { decideLiveWindow } from '../gate/liveWindow.js';
import type { WindowVerdict } from '../gate/types.js';
import { endEvalRun } from '../store/evalRuns.js';
import { getExperiment, recordWindow, type ExperimentRow } from '../store/experiments.js';
import { recordConsultation } from '../store/holdoutConsultations.js';
import { heedRepeats, repeatsOf } from './answersSeen.js';
import type { Context } from './context.js';
import { guarded, withEvalSession } from './evalSession.js';
import { freshEpochs, freshScenarios } from './freshScenarios.js';
import { groupsOf } from './groups.js';
import { finishedLiveRuns, type LiveRun } from './liveRuns.js';
import { planRun, resumableRun, type RunRequest } from './planRun.js';
import { proposerOf } from './proposerIdentity.js';
import { candidatePassRate, writeResults } from './scenarioResults.js';

/**
 * Compares the applied text with the one before it on fresh trials of the holdout. The first call runs the planned
 * epochs; after `extend` the next call runs as many again and pools both. A decided comparison is not run again until
 * the window is opened anew; an interrupted one goes on from its finished pairs.
 *
 * @throws KarpathyError `wrong_state` unless live or verified, `budget`, `price_unknown`, `model_limit`, `host_failed`, `interrupted`
 */
export async function runLiveComparison(
  ctx: Context,
  experimentId: number,
  options: { readonly fence?: () => void; readonly signal?: AbortSignal } = {},
): Promise<WindowVerdict> {
  const within = options.signal === undefined ? ctx : { ...ctx, signal: AbortSignal.any([ctx.signal, options.signal]) };
  const experiment = getExperiment(ctx.db, experimentId);
  if (experiment.state !== 'live' && experiment.state !== 'verified') {
    throw new KarpathyError(
      'wrong_state',
      `Experiment ${experimentId} is ${experiment.state}; only a live or verified one is compared.`,
    );
  }
  const done = finishedLiveRuns(ctx, experiment).filter(({ round }) => round === experiment.liveExtensions);
  const last = done.at(-1);
  if (last !== undefined && last.verdict.verdict !== 'extend' && last.verdict.verdict !== 'undecided')
    return last.verdict;
  const first = last?.verdict.verdict === 'extend' ? last : null;
  return compareFresh(within, { experiment, first, fence: options.fence });
}

async function compareFresh(
  ctx: Context,
  of: { experiment: ExperimentRow; first: LiveRun | null; fence?: () => void },
): Promise<WindowVerdict> {
  const { experiment, first, fence } = of;
  const scenarios = freshScenarios(ctx, experiment, first);
  const request = {
    purpose: 'live_window',
    experimentId: experiment.id,
    arms: ['incumbent', 'candidate'],
    contents: { incumbent: experiment.baseContent, candidate: experiment.candidateContent },
    scenarios,
    epochs: first === null ? freshEpochs(ctx, groupsOf(scenarios)) : first.epochs,
    firstEpoch: first === null ? 1 : 1 + Math.max(0, ...first.pairs.map((pair) => pair.epoch)),
    round: experiment.liveExtensions,
    looks: [],
    alpha: 0,
    targetRelpath: experiment.targetRelpath,
    proposer: experiment.proposerModel,
    fence,
    onStart: ({ evalRunId }) =>
      recordConsultation(ctx.db, {
        profileId: experiment.profileId,
        experimentId: experiment.id,
        evalRunId,
        kind: 'evaluation',
        actor: 'ratchet',
        detail: `live window of experiment ${experiment.id}${first === null ? '' : ', extension'}`,
        at: ctx.clock.now(),
      }),
  } satisfies RunRequest;
  const row = resumableRun(ctx, request) ?? (await planRun(ctx, request));
  const session = {
    evalRunId: row.id,
    contents: request.contents,
    proposer: proposerOf(ctx, experiment.proposerModel),
    fence,
  };
  return withEvalSession(ctx, session, async (run) => {
    await run.completeEpochs(run.plan.epochs);
    const pairs = [...(first?.pairs ?? []), ...run.pairs()];
    // A deletion was kept because it costs less than its margin, not because it helps.
    const above = experiment.operation === 'delete' ? -DELETION_MARGIN : 0;
    const plannedPairs = (first?.plannedPairs ?? 0) + run.plan.scenarios.length * run.plan.epochs;
    const decided = decideLiveWindow({ pairs, plannedPairs, extension: first === null ? 0 : 1, above });
    const texts = [run.plan.incumbentSha256, run.plan.candidateSha256].filter((text) => text !== null);
    const verdict = heedRepeats(decided, repeatsOf(ctx, { scenarios: run.plan.scenarios, texts }));
    const at = ctx.clock.now();
    guarded(ctx, of, () => {
      writeResults(ctx, { run, experimentId: experiment.id, proposer: experiment.proposerModel });
      endEvalRun(ctx.db, row.id, { state: 'finished', at, decision: { pairs, plannedPairs, verdict } });
      // Somebody may have reverted it meanwhile.
      if (getExperiment(ctx.db, experiment.id).state !== experiment.state) return;
      recordWindow(ctx.db, experiment.id, { liveScore: candidatePassRate(pairs), at });
    });
    return verdict;
  });
}
