import { KarpathyError } from '../errors.js';
import type { EvalPlan } from '../evaluation/plan.js';
import type { Completion } from '../ports.js';
import { userTurns, type ScenarioSpec } from '../schemas.js';
import { remaining, reservationFor, reserve, type Reservation } from './budget.js';
import { chargedCall } from './chargedCall.js';
import type { Context } from './context.js';

/** One call of a default profile carries about 15,500 input tokens, most of them tool schemas. */
const CONTEXT_PER_CALL = 16_000;
const OUTPUT_PER_CALL = 1_000;
const CALLS_PER_TURN = 4;
const JUDGE_BOUND = { inputTokens: 8_000, outputTokens: 600 };

export interface TrialAllowance {
  readonly reservation: Reservation;
  /** The guard ends the trial before the model call that would pass this. */
  readonly tokenLimit: number;
  /** The limit is what is left of the budget, not the plan's: reaching it stops the run instead of failing the trial. */
  readonly byBudget: boolean;
}

/** Input and output tokens that a trial may take, for a reservation made before there is any history. */
export function trialBound(spec: ScenarioSpec, maxTurns: number): { inputTokens: number; outputTokens: number } {
  const calls = userTurns(spec).length * Math.min(maxTurns, CALLS_PER_TURN);
  return { inputTokens: calls * CONTEXT_PER_CALL, outputTokens: calls * OUTPUT_PER_CALL };
}

/**
 * Sets a trial's money aside and says how far it may go: its reservation and its slot's share of what is left.
 * @throws KarpathyError `budget`, `price_unknown`
 */
export function allowTrial(
  ctx: Context,
  trial: { experimentId: number | null; evalRunId: number; plan: EvalPlan; spec: ScenarioSpec },
): TrialAllowance {
  const { plan } = trial;
  const model = plan.agentModel.model;
  const bound = trialBound(trial.spec, trial.spec.max_turns ?? plan.maxTurns);
  const estimate = reservationFor(ctx, { purpose: 'trial', model, bound });
  const reservation = reserve(ctx, {
    experimentId: trial.experimentId,
    evalRunId: trial.evalRunId,
    purpose: 'trial',
    model,
    tokens: estimate.tokens,
    usd: estimate.usd,
  });
  const left = remaining(ctx, trial.experimentId);
  const perToken = estimate.usd === null || estimate.usd === 0 ? null : estimate.usd / estimate.tokens;
  const spare = Math.min(
    left.tokens ?? Infinity,
    left.usd === null || perToken === null ? Infinity : left.usd / perToken,
  );
  const allowed = reservation.tokens + Math.floor(spare / plan.slots);
  return { reservation, tokenLimit: Math.min(plan.tokenCap, allowed), byBudget: allowed < plan.tokenCap };
}

/** Brackets a judge's calls with the budget. */
export function chargeJudge(
  ctx: Context,
  of: { experimentId: number | null; evalRunId: number; model: string },
): (call: () => Promise<Completion>) => Promise<Completion> {
  return (call) => chargedCall(ctx, { ...of, purpose: 'judge', bound: JUDGE_BOUND }, call);
}

export function budgetSpent(used: number | null): KarpathyError {
  const so = used === null ? '' : ` after ${used} tokens`;
  return new KarpathyError(
    'budget',
    `The budget of this edit was spent in the middle of a trial${so}; the run stopped.`,
    {
      hint: 'Raise budget.tokens or budget.usd and run `evaluate` again: finished pairs are kept. Or reject the edit.',
    },
  );
}
