import { listEvalRuns } from '../store/evalRuns.js';
import { runActuals } from '../store/trialCosts.js';
import type { ExperimentRow } from '../store/experiments.js';
import type { Context } from './context.js';
import { storedEstimate } from './trialCost.js';

/** What testing an edit took, beside what was expected of the very trials that were run. */
export interface EvaluationCost {
  /** Trials that were run, lost ones included, and how many were planned at most. */
  readonly trials: number;
  readonly plannedTrials: number;
  /** Of agent and judge. */
  readonly tokens: number;
  readonly estimatedTokens: number;
  /** Null while a price is unknown. */
  readonly usd: number | null;
  readonly estimatedUsd: number | null;
  readonly seconds: number;
  readonly estimatedSeconds: number;
}

/**
 * Over all runs of an experiment: train trials, screen, holdout, veto, live window.
 * @returns null before any trial
 */
export function evaluationCost(
  ctx: Context,
  experiment: Pick<ExperimentRow, 'id' | 'profileId'>,
): EvaluationCost | null {
  const states = ['planned', 'running', 'interrupted', 'finished', 'failed', 'cancelled'] as const;
  const runs = listEvalRuns(ctx.db, { profileId: experiment.profileId, experimentId: experiment.id, states });
  const costs = runs.flatMap(({ id, estimate }) => {
    const expected = storedEstimate(estimate);
    return expected === null ? [] : [{ expected, actual: runActuals(ctx.db, id) }];
  });
  const sum = (of: (cost: (typeof costs)[number]) => number): number =>
    costs.reduce((total, cost) => total + of(cost), 0);
  const trials = sum(({ actual }) => actual.trials);
  if (trials === 0) return null;
  // A run that stops early was not estimated too high: what counts is the estimate of the trials that were run.
  const share = ({ expected, actual }: (typeof costs)[number]): number =>
    expected.trials === 0 ? 0 : actual.trials / expected.trials;
  const priced = costs.every(({ actual }) => actual.usd !== null);
  const estimable = costs.every(({ expected }) => expected.usd !== null);
  return {
    trials,
    plannedTrials: sum(({ expected }) => expected.trials),
    tokens: sum(({ actual }) => actual.tokens),
    estimatedTokens: Math.round(sum((cost) => cost.expected.tokens * share(cost))),
    usd: priced ? sum(({ actual }) => actual.usd ?? 0) : null,
    estimatedUsd: estimable ? sum((cost) => (cost.expected.usd ?? 0) * share(cost)) : null,
    seconds: Math.round(sum(({ actual }) => actual.milliseconds) / 1000),
    estimatedSeconds: Math.round(sum((cost) => cost.expected.seconds * share(cost))),
  };
}
