import { tallyPairs } from '../gate/tally.js';
import type { Pair, Verdict } from '../gate/types.js';
import { decideVeto, VETO_PAIRS, vetoFlags } from '../gate/veto.js';
import { endEvalRun } from '../store/evalRuns.js';
import type { ExperimentRow } from '../store/experiments.js';
import type { Context } from './context.js';
import { guarded, withEvalSession, type EvalSession } from './evalSession.js';
import { planRun, resumableRun, type RunRequest } from './planRun.js';
import { proposerOf } from './proposerIdentity.js';

/**
 * Looks again, with fresh pairs, at the scenarios that an edit worth keeping may have broken.
 * @param of the selection run whose verdict is `keep`
 * @returns the verdict, which is still `keep` when nothing was flagged or no flag was confirmed
 */
export async function checkVeto(
  ctx: Context,
  of: {
    selection: EvalSession;
    verdict: Verdict;
    experiment: ExperimentRow;
    contents: RunRequest['contents'];
    fence?: () => void;
  },
): Promise<Verdict> {
  const { selection, verdict, experiment, contents, fence } = of;
  const seen = selection.pairs().filter((pair) => pair.epoch <= verdict.epochs);
  const flagged = vetoFlags(tallyPairs(seen));
  if (flagged.length === 0) return verdict;
  const request = {
    purpose: 'veto',
    experimentId: experiment.id,
    arms: ['incumbent', 'candidate'],
    contents,
    scenarios: selection.plan.scenarios.filter(({ id }) => flagged.includes(id)),
    epochs: VETO_PAIRS,
    looks: [],
    alpha: 0,
    targetRelpath: experiment.targetRelpath,
    proposer: experiment.proposerModel,
    // Each selection has a veto run of its own: pairs of an earlier one are not fresh.
    round: selection.row.id,
    fence,
  } satisfies RunRequest;
  const row = resumableRun(ctx, request) ?? (await planRun(ctx, request));
  const proposer = proposerOf(ctx, experiment.proposerModel);
  return withEvalSession(ctx, { evalRunId: row.id, contents, proposer, fence }, async (run) => {
    await run.completeEpochs(VETO_PAIRS);
    const decided = withVeto(verdict, run.pairs(), flagged);
    const end = { state: 'finished', at: ctx.clock.now(), decision: { verdict: decided.verdict } } as const;
    guarded(ctx, of, () => endEvalRun(ctx.db, row.id, end));
    return decided;
  });
}

function withVeto(verdict: Verdict, fresh: readonly Pair[], flagged: readonly number[]): Verdict {
  switch (decideVeto(fresh, flagged)) {
    case 'clear':
      return verdict;
    case 'veto':
      return {
        ...verdict,
        verdict: 'discard',
        reason: 'it helps on the whole, and breaks what worked: fresh pairs of a scenario confirm it',
      };
    case 'unclear':
      return {
        ...verdict,
        verdict: 'undecided',
        reason: 'it may break a scenario, and the fresh pairs to tell could not be completed',
      };
  }
}
