import type { EvalPlan } from '../evaluation/plan.js';
import { screenSteps } from '../gate/screen.js';
import type { ScenarioSnapshot } from '../schemas.js';
import { userTurns } from '../schemas.js';
import { snapshotsForPlan } from '../store/scenarios.js';
import type { Context } from './context.js';
import { freshEpochs } from './freshScenarios.js';
import { groupsOf } from './groups.js';
import { requireProfile } from './requireProfile.js';
import { trialCost, type StoredEstimate, type TrialCost } from './trialCost.js';

export interface EstimateOptions {
  /** Default `life`: everything one edit takes, from the train trials to the end of its live window. */
  readonly part?: 'life' | 'train_baseline' | 'screen' | 'selection' | 'live_window';
}

/** What a number of trials is expected to take. */
export interface Cost {
  readonly trials: number;
  /** Calls of the agent's model. */
  readonly calls: number;
  readonly tokens: number;
  /** Null while the price of the model is unknown. */
  readonly usd: number | null;
  readonly seconds: number;
}

/** Of an evaluation that is run to its planned end; looking again at scenarios that may be broken is extra. */
export interface EvaluationEstimate extends Cost {
  /** In words, what the figures rest on. */
  readonly basis: string;
}

/** From the suite as it is, and the profile's own trials where there are any. */
export function estimateEvaluation(ctx: Context, options: EstimateOptions = {}): EvaluationEstimate {
  const suite = snapshotsForPlan(ctx.db, requireProfile(ctx).id);
  const { gate } = ctx.config.config;
  const groups = (wanted: 'train' | 'holdout') => groupsOf(suite.filter(({ split }) => split === wanted));
  const screen = screenSteps(groups('train')).at(-1)?.epochs ?? 0;
  const fresh = freshEpochs(ctx, groups('holdout'));
  const times = {
    train: (has(options, 'train_baseline') ? 1 : 0) + (has(options, 'screen') ? 2 * screen : 0),
    holdout: 2 * ((has(options, 'selection') ? gate.epochs : 0) + (has(options, 'live_window') ? fresh : 0)),
  };
  const per = trialCost(ctx);
  return { ...costOfScenarios(per, suite, ({ split }) => times[split]), basis: per.said };
}

/** What a planned run takes at most, as it is stored with the run. */
export function estimateRun(ctx: Context, plan: Pick<EvalPlan, 'scenarios' | 'epochs' | 'arms'>): StoredEstimate {
  const per = trialCost(ctx);
  const cost = costOfScenarios(per, plan.scenarios, () => plan.epochs * plan.arms.length);
  return { ...cost, basis: per.basis, raw: per.raw };
}

/** So many trials of scenarios with one turn, or as they were on average. */
export function costOfTrials(per: TrialCost, trials: number): Cost {
  return costOf(per, { trials, weight: trials });
}

/** @param times how often each scenario is run, both arms counted */
export function costOfScenarios(
  per: TrialCost,
  scenarios: readonly ScenarioSnapshot[],
  times: (scenario: ScenarioSnapshot) => number,
): Cost {
  const trials = scenarios.reduce((sum, scenario) => sum + times(scenario), 0);
  // How many turns a scenario has matters only while nothing was measured: the means have it in them.
  const turns = scenarios.reduce((sum, scenario) => sum + times(scenario) * userTurns(scenario.spec).length, 0);
  return costOf(per, { trials, weight: per.basis === 'measured' ? trials : turns });
}

function costOf(per: TrialCost, { trials, weight }: { trials: number; weight: number }): Cost {
  return {
    trials,
    calls: Math.ceil(per.calls * weight),
    tokens: Math.ceil(per.tokens * weight),
    usd: per.usd === null ? null : per.usd * weight,
    seconds: Math.ceil(per.seconds * weight),
  };
}

function has(options: EstimateOptions, part: EstimateOptions['part']): boolean {
  return options.part === undefined || options.part === 'life' || options.part === part;
}
