import { screenSteps } from '../gate/screen.js';
import { VETO_PAIRS } from '../gate/veto.js';
import { agentModel } from '../hermes/profiles.js';
import type { ScenarioSnapshot } from '../schemas.js';
import { userTurns } from '../schemas.js';
import { snapshotsForPlan } from '../store/scenarios.js';
import { trialAverages, type TrialAverages } from '../store/trials.js';
import { costOf } from './budget.js';
import type { Context } from './context.js';
import { groupsOf } from './power.js';
import { requireProfile } from './requireProfile.js';

export interface EstimateOptions {
  /** Default `life`: everything one edit takes, from the train trials to the end of its live window. */
  readonly part?: 'life' | 'train_baseline' | 'screen' | 'selection' | 'veto' | 'live_window';
  /** Of a veto: the scenarios that are looked at again. Otherwise the whole suite counts. */
  readonly scenarioIds?: readonly number[];
}

/** What an evaluation is expected to take, run to its planned end; looking again at scenarios that may be broken is extra. */
export interface EvaluationEstimate {
  readonly trials: number;
  /** Calls of the agent's model. */
  readonly calls: number;
  readonly tokens: number;
  /** Null while the price of the model is unknown. */
  readonly usd: number | null;
  readonly seconds: number;
  /** In words, what the figures rest on. */
  readonly basis: string;
}

/** Without history: measured on Hermes with its default tools. */
const ASSUMED = { calls: 2, inputTokens: 15_500, outputTokens: 300, seconds: 12 };

/** From the suite as it is, and the profile's own trials where there are any. */
export function estimateEvaluation(ctx: Context, options: EstimateOptions = {}): EvaluationEstimate {
  const profile = requireProfile(ctx);
  const suite = snapshotsForPlan(ctx.db, profile.id).filter(({ id }) => options.scenarioIds?.includes(id) ?? true);
  const { gate, live, runner } = ctx.config.config;
  const weight = turnsOf(suite, {
    train: (has(options, 'train_baseline') ? 1 : 0) + (has(options, 'screen') ? 2 * screenEpochs(suite) : 0),
    holdout:
      2 *
      ((has(options, 'selection') ? gate.epochs : 0) +
        (options.part === 'veto' ? VETO_PAIRS : 0) +
        (has(options, 'live_window') ? live.epochs : 0)),
  });
  const seen = trialAverages(ctx.db, profile.id);
  const per = seen === null ? assumedTrial(ctx) : measuredTrial(seen);
  return {
    trials: weight.trials,
    calls: Math.ceil(per.calls * weight.trials * weight.turnsPerTrial(seen)),
    tokens: Math.ceil(per.tokens * weight.trials * weight.turnsPerTrial(seen)),
    usd: per.usd === null ? null : per.usd * weight.trials * weight.turnsPerTrial(seen),
    seconds: Math.ceil((per.seconds * weight.trials * weight.turnsPerTrial(seen)) / runner.concurrency),
    basis: per.basis,
  };
}

function has(options: EstimateOptions, part: EstimateOptions['part']): boolean {
  return options.part === undefined || options.part === 'life' || options.part === part;
}

/** The longest screen there can be: of all train groups. */
function screenEpochs(suite: readonly ScenarioSnapshot[]): number {
  return screenSteps(groupsOf(suite.filter(({ split }) => split === 'train'))).at(-1)?.epochs ?? 0;
}

/** Trials of the suite; how much longer than one turn they are matters only while nothing was measured. */
function turnsOf(suite: readonly ScenarioSnapshot[], times: { train: number; holdout: number }) {
  const weighed = suite.map((scenario) => ({ times: times[scenario.split], turns: userTurns(scenario.spec).length }));
  const trials = weighed.reduce((sum, scenario) => sum + scenario.times, 0);
  const turns = weighed.reduce((sum, scenario) => sum + scenario.times * scenario.turns, 0);
  return {
    trials,
    turnsPerTrial: (seen: TrialAverages | null) => (seen !== null || trials === 0 ? 1 : turns / trials),
  };
}

interface PerTrial {
  readonly calls: number;
  readonly tokens: number;
  readonly usd: number | null;
  readonly seconds: number;
  readonly basis: string;
}

function measuredTrial(seen: TrialAverages): PerTrial {
  return {
    calls: seen.calls ?? ASSUMED.calls,
    tokens: seen.tokens ?? ASSUMED.calls * (ASSUMED.inputTokens + ASSUMED.outputTokens),
    usd: seen.usd,
    seconds: seen.durationMs / 1000,
    basis: `the means of this profile's last ${seen.trials} trials`,
  };
}

function assumedTrial(ctx: Context): PerTrial {
  const { calls } = ASSUMED;
  const inputTokens = calls * ASSUMED.inputTokens;
  const outputTokens = calls * ASSUMED.outputTokens;
  const usage = { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens };
  return {
    calls,
    tokens: usage.totalTokens,
    usd: costOf(ctx, { model: agentModel(ctx.profile.home).model, usage, costUsd: null }),
    seconds: ASSUMED.seconds,
    basis: `assumed, as there are no trials of this profile yet: ${calls} calls of ${ASSUMED.inputTokens} input tokens a turn`,
  };
}
