import { slotsFor } from '../evaluation/concurrency.js';
import { screenSteps } from '../gate/screen.js';
import { agentModel } from '../hermes/profiles.js';
import { listScenarios } from '../store/scenarios.js';
import type { ProfileRow } from '../store/profiles.js';
import type { Context } from './context.js';
import { costOf } from './budget.js';
import { estimateEvaluation } from './estimateEvaluation.js';
import { freshEpochs } from './freshScenarios.js';
import { ASSUMED_TRIAL } from './trialCost.js';

/** What the life of one edit is expected to take, to be shown beside the budget. */
export interface SetupEstimate {
  readonly trials: number;
  readonly calls: number;
  readonly tokens: number;
  /** Null while the price of a model is unknown. */
  readonly usd: number | null;
  readonly seconds: number;
  /** In words, what the figures rest on. */
  readonly basis: string;
}

/** A suite as small as the gate can decide on comfortably, when there is none to count yet. */
const ASSUMED = { train: 10, holdout: 20 };

/** From the profile's own suite and history when there is one; else from stated assumptions. */
export function setupEstimate(ctx: Context, profile: ProfileRow | null): SetupEstimate {
  const holdout = profile === null ? [] : listScenarios(ctx.db, profile.id, { split: 'holdout' });
  if (profile !== null && holdout.length > 0) {
    const { trials, calls, tokens, usd, seconds, basis } = estimateEvaluation(ctx, {});
    return { trials, calls, tokens, usd, seconds, basis };
  }
  const { gate, runner } = ctx.config.config;
  // Two arms on train to screen, on the holdout at selection and again in the live window; the incumbent alone on train.
  const screen = screenSteps(ASSUMED.train).at(-1)?.epochs ?? 0;
  const trials =
    ASSUMED.holdout * 2 * (gate.epochs + freshEpochs(ctx, ASSUMED.holdout)) + ASSUMED.train * (1 + 2 * screen);
  const calls = trials * ASSUMED_TRIAL.calls;
  const inputTokens = calls * ASSUMED_TRIAL.inputTokens;
  const outputTokens = calls * ASSUMED_TRIAL.outputTokens;
  const usage = { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens };
  return {
    trials,
    calls,
    tokens: usage.totalTokens,
    usd: costOf(ctx, { model: agentModel(ctx.profile.home).model, usage, costUsd: null }),
    seconds: Math.ceil((trials * ASSUMED_TRIAL.seconds) / slotsFor(runner.concurrency)),
    basis: `assumed, as there are no holdout scenarios yet: ${ASSUMED.holdout} holdout and ${ASSUMED.train} train scenarios, ${ASSUMED_TRIAL.calls} calls of ${ASSUMED_TRIAL.inputTokens.toLocaleString('en-US')} input tokens a trial`,
  };
}
