import { KarpathyError } from '../errors.js';
import { budgetLimits, reservationFor } from './budget.js';
import type { Context } from './context.js';
import { plannedAgent } from './plannedAgent.js';
import { proposerReservation } from './proposer.js';
import { openTrain } from './trainBaseline.js';
import { trialBound } from './trialBudget.js';
import { trialCost } from './trialCost.js';

/**
 * Refuses a budget that would end before there is an edit: it has to hold the train trials, as far as their cost is
 * known, and one call of the proposer.
 * @throws KarpathyError `budget`, `price_unknown`
 */
export function assertDraftAffordable(ctx: Context): void {
  const limits = budgetLimits(ctx);
  const trials = trainReservation(ctx);
  const draft = proposerReservation(ctx);
  const tokens = trials.tokens + draft.tokens;
  const usd = trials.usd === null || draft.usd === null ? null : trials.usd + draft.usd;
  const before =
    trials.count === 0 ? 'one call of the proposer' : `${trials.count} train trials and one call of the proposer`;
  const refuse = (limit: string, needed: string): never => {
    throw new KarpathyError(
      'budget',
      `The budget of an edit is ${limit}, and ${before} may need ${needed} before there is an edit to test; nothing was spent.`,
      {
        hint: 'Raise budget.tokens or budget.usd (config.yaml or `karpathy init`); `karpathy preflight` shows what a test takes.',
      },
    );
  };
  if (limits.tokens !== null && tokens > limits.tokens) {
    refuse(`${limits.tokens.toLocaleString('en-US')} tokens`, Math.ceil(tokens).toLocaleString('en-US'));
  }
  if (limits.usd !== null && usd !== null && usd > limits.usd) refuse(`$${limits.usd}`, `$${usd.toFixed(4)}`);
}

/** What the train trials have to have in reserve: what they cost when that is known, at least one of them. */
function trainReservation(ctx: Context): { count: number; tokens: number; usd: number | null } {
  const [first, ...others] = ctx.hermes === null ? [] : openTrain(ctx);
  if (first === undefined) return { count: 0, tokens: 0, usd: 0 };
  const { runner } = ctx.config.config;
  const bound = trialBound(first.spec, first.spec.max_turns ?? runner.max_turns);
  const one = reservationFor(ctx, { purpose: 'trial', model: plannedAgent(ctx).model, bound });
  const per = trialCost(ctx);
  const more = per.basis === 'measured' ? others.length : 0;
  return {
    count: others.length + 1,
    tokens: one.tokens + more * per.tokens,
    usd: one.usd === null ? null : one.usd + more * (per.usd ?? 0),
  };
}
