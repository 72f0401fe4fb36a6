import { completePairs } from '../evaluation/pairs.js';
import { restorePlan } from '../evaluation/plan.js';
import { estimateEffect } from '../gate/effect.js';
import { studentTQuantile } from '../gate/studentT.js';
import { groupDifferences, groupPairs, tallyPairs } from '../gate/tally.js';
import type { Pair, Tally, WindowVerdict } from '../gate/types.js';
import { getEvalRun } from '../store/evalRuns.js';
import type { ExperimentRow } from '../store/experiments.js';
import { runCosts, type RunCosts } from '../store/runCosts.js';
import { listTrials } from '../store/trials.js';
import type { Context } from './context.js';
import { finishedLiveRuns } from './liveRuns.js';
import { verdictView } from './verdictView.js';

/** What a verdict rests on, beside its figures. */
export interface VerdictEvidence {
  /** Candidate minus incumbent pass rate of each group, best first and without names, in [-1, 1]. */
  readonly differences: readonly number[];
  /** Most that p could be for a keep at the look that decided; null where p did not decide. */
  readonly allowedP: number | null;
  /** Looks that the plan had; 0 without any. */
  readonly looks: number;
  /**
   * About how many groups would be proof if the difference stayed as it is; null without a sign of a gain. A guess to
   * plan by: with that many, half of such edits are kept.
   */
  readonly groupsForProof: number | null;
  /** Of screen, holdout and second look, as often as the edit was tested. */
  readonly cost: RunCosts;
}

/** Null before there is a verdict, and for one without a run. */
export function verdictEvidence(ctx: Context, experiment: ExperimentRow): VerdictEvidence | null {
  const view = verdictView(experiment);
  if (view?.evalRunId == null) return null;
  const run = getEvalRun(ctx.db, view.evalRunId);
  const plan = restorePlan(run);
  const pairs = completePairs(plan, listTrials(ctx.db, run.id)).filter(
    ({ epoch }) => epoch <= (view.epochs ?? Infinity),
  );
  const tally = tallyPairs(pairs);
  const share = view.look === null ? undefined : plan.looks[view.look - 1]?.share;
  const lastShare = plan.looks.at(-1)?.share;
  return {
    differences: sortedDifferences(tally),
    allowedP: share === undefined ? null : share * plan.alpha,
    looks: plan.looks.length,
    groupsForProof: lastShare === undefined ? null : groupsForProof(tally, lastShare * plan.alpha),
    cost: runCosts(ctx.db, { experimentId: experiment.id, purposes: ['screen', 'selection', 'veto'] }),
  };
}

function sortedDifferences(tally: Tally): number[] {
  const pairs = groupPairs(tally);
  return groupDifferences(tally)
    .map((difference, group) => difference / (pairs[group] ?? 1))
    .sort((a, b) => b - a);
}

/** The standard error falls with the root of the number of groups: n * (needed z / seen z)^2. */
function groupsForProof(tally: Tally, alpha: number): number | null {
  const estimate = estimateEffect(tally);
  if (estimate === null || estimate.mean <= 0) return null;
  const variance = Math.max(estimate.within, estimate.between);
  if (!(variance > 0)) return null;
  const needed = studentTQuantile(1 - alpha, 1000);
  return Math.ceil((tally.groups * needed ** 2 * variance) / estimate.mean ** 2);
}

/** The fresh comparison of a live window: the effect on record. */
export interface FreshView extends Pick<
  WindowVerdict,
  'verdict' | 'reason' | 'pHarm' | 'effect' | 'groups' | 'epochs'
> {
  /** 90 %; only of a fixed sample, so not after an extension. */
  readonly interval: readonly [number, number] | null;
  readonly extended: boolean;
  /** Groups with nothing that the keep was decided on. */
  readonly newGroups: number;
  /** As of a verdict: best first, without names. */
  readonly differences: readonly number[];
  readonly cost: RunCosts;
}

/** Of the last finished comparison; null before there is one. */
export function freshView(ctx: Context, experiment: ExperimentRow): FreshView | null {
  const run = finishedLiveRuns(ctx, experiment).at(-1);
  if (run === undefined) return null;
  const { verdict, reason, pHarm, effect, groups, epochs, interval } = run.verdict;
  return {
    verdict,
    reason,
    pHarm,
    effect,
    groups,
    epochs,
    interval: run.extension ? null : interval,
    extended: run.extension,
    newGroups: newGroupsOf(run.pairs, decidedOn(ctx, experiment)),
    differences: sortedDifferences(tallyPairs(run.pairs)),
    cost: runCosts(ctx.db, { experimentId: experiment.id, purposes: ['live_window'] }),
  };
}

/** Scenarios that the verdict rests on. */
export function decidedOn(ctx: Context, experiment: ExperimentRow): ReadonlySet<number> {
  const id = verdictView(experiment)?.evalRunId;
  return new Set(id == null ? [] : restorePlan(getEvalRun(ctx.db, id)).scenarios.map((scenario) => scenario.id));
}

function newGroupsOf(pairs: readonly Pair[], known: ReadonlySet<number>): number {
  if (known.size === 0) return 0;
  const old = new Set(pairs.filter(({ scenario }) => known.has(scenario)).map(({ group }) => group));
  return new Set(pairs.map(({ group }) => group).filter((group) => !old.has(group))).size;
}
