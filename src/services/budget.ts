import { randomUUID } from 'node:crypto';
import { KarpathyError } from '../errors.js';
import type { TokenUsage } from '../ports.js';
import {
  insertReservation,
  ledgerSums,
  openReservations,
  releaseReservation,
  settledHistory,
  settleReservation,
  type LedgerPurpose,
  type LedgerSums,
} from '../store/costLedger.js';
import { immediate } from '../store/database.js';
import { addCost } from '../store/experiments.js';
import type { Context } from './context.js';
import { requireProfile } from './requireProfile.js';

/** Marks this process's reservations and leases, so that those of a dead one can be told apart. */
export const PROCESS_OWNER = `worker-${randomUUID()}`;

const HISTORY_LENGTH = 200;
const HISTORY_NEEDED = 10;

/** Over the whole life of one edit; null = no limit of that kind. */
export interface Limits {
  readonly usd: number | null;
  readonly tokens: number | null;
}

export interface SpendingRequest {
  readonly experimentId: number | null;
  readonly evalRunId?: number | null;
  readonly purpose: LedgerPurpose;
  /** Name of the model that will be called. */
  readonly model: string | null;
  readonly tokens: number;
  /** USD the call may cost; null = its price is unknown. */
  readonly usd: number | null;
  readonly owner?: string;
}

export interface Reservation {
  readonly id: number;
  readonly experimentId: number | null;
  readonly tokens: number;
  readonly usd: number | null;
}

export interface Spent {
  /** Known prices only; null when none of the spending has a known price. */
  readonly usd: number | null;
  readonly tokens: number;
  /** Some of the spending has no known price, so `usd` is less than the truth. */
  readonly unknownPrice: boolean;
}

/** config.yaml decides; what neither file sets comes from what `init` asked for. */
export function budgetLimits(ctx: Context): Limits {
  const { config, sources } = ctx.config;
  const profile = requireProfile(ctx);
  const unset = (leaf: string) => (sources.get(leaf) ?? 'default') === 'default';
  return {
    usd: unset('budget.usd') ? profile.budgetUsd : config.budget.usd,
    tokens: unset('budget.tokens') ? profile.budgetTokens : config.budget.tokens,
  };
}

/**
 * Refuses spending that the budget could not hold: with an unknown price a token limit is mandatory and a USD limit
 * is refused, not ignored.
 * @throws KarpathyError `price_unknown`
 */
export function assertPriced(ctx: Context, call: { model: string | null; usd: number | null }): void {
  if (call.usd !== null) return;
  const limits = budgetLimits(ctx);
  const model = call.model ?? 'the model';
  if (limits.usd !== null) {
    throw new KarpathyError(
      'price_unknown',
      `The budget is limited to $${limits.usd}, but the price of ${model} is not known, so the limit could not be held.`,
      { hint: priceHint(call.model, 'replace budget.usd by budget.tokens') },
    );
  }
  if (limits.tokens === null) {
    throw new KarpathyError('price_unknown', `The price of ${model} is not known and there is no token limit.`, {
      hint: priceHint(call.model, 'set budget.tokens'),
    });
  }
}

function priceHint(model: string | null, otherwise: string): string {
  const key = model === null ? 'prices' : `prices.${JSON.stringify(model)}`;
  return `Set ${key} to {input, output} in USD per million tokens, or ${otherwise} (plugins.karpathy_self_improve in the root's config.yaml).`;
}

/**
 * Sets money aside before a call. What is settled, what is reserved by others and this request together must fit
 * into the budget, so the overshoot is what one call per slot takes beyond its reservation.
 * @throws KarpathyError `budget`, `price_unknown`
 */
export function reserve(ctx: Context, request: SpendingRequest): Reservation {
  assertPriced(ctx, request);
  const limits = budgetLimits(ctx);
  const profileId = requireProfile(ctx).id;
  const owner = request.owner ?? PROCESS_OWNER;
  const at = ctx.clock.now();
  const id = immediate(ctx.db, () => {
    const sums = ledgerSums(ctx.db, { profileId, experimentId: request.experimentId });
    assertFits(request, limits, taken(sums));
    return insertReservation(ctx.db, {
      profileId,
      experimentId: request.experimentId,
      evalRunId: request.evalRunId ?? null,
      purpose: request.purpose,
      model: request.model,
      tokens: Math.ceil(request.tokens),
      usd: request.usd,
      owner,
      at,
    });
  });
  return { id, experimentId: request.experimentId, tokens: Math.ceil(request.tokens), usd: request.usd };
}

/** What counts against the limits. */
function taken(sums: LedgerSums): { tokens: number; usd: number } {
  return {
    tokens: sums.settledTokens + sums.reservedTokens,
    usd: sums.settledUsd + sums.unpricedUsd + sums.reservedUsd,
  };
}

function assertFits(request: SpendingRequest, limits: Limits, taken: { tokens: number; usd: number }): void {
  const hint =
    'Raise budget.tokens or budget.usd (config.yaml or `hermes karpathy init`), or reject the edit; nothing was spent on this call.';
  if (limits.tokens !== null && taken.tokens + request.tokens > limits.tokens) {
    throw new KarpathyError(
      'budget',
      `The budget of this edit does not allow another ${request.purpose} call: ${taken.tokens} of ${limits.tokens} tokens are spent or reserved and it may need ${Math.ceil(request.tokens)}.`,
      { hint },
    );
  }
  if (limits.usd !== null && request.usd !== null && taken.usd + request.usd > limits.usd) {
    throw new KarpathyError(
      'budget',
      `The budget of this edit does not allow another ${request.purpose} call: $${taken.usd.toFixed(4)} of $${limits.usd} are spent or reserved and it may need $${request.usd.toFixed(4)}.`,
      { hint },
    );
  }
}

/**
 * Books what the call really cost. Unknown tokens are booked as reserved; an unknown price stays unknown.
 */
export function settle(
  ctx: Context,
  reservation: Reservation,
  cost: { tokens: number | null; usd: number | null; model?: string | null },
): void {
  const tokens = cost.tokens ?? reservation.tokens;
  immediate(ctx.db, () => {
    const settled = settleReservation(ctx.db, {
      id: reservation.id,
      tokens,
      usd: cost.usd,
      model: cost.model ?? null,
      at: ctx.clock.now(),
    });
    if (settled && reservation.experimentId !== null)
      addCost(ctx.db, reservation.experimentId, { usd: cost.usd, tokens });
  });
}

/** Gives back what a call that cost nothing had reserved. */
export function release(ctx: Context, reservation: Reservation): void {
  immediate(ctx.db, () => releaseReservation(ctx.db, { id: reservation.id, at: ctx.clock.now() }));
}

/**
 * Books what an owner that has ended left open as it was reserved: how much of it was spent, nobody knows any more,
 * and given back it would let a process that dies again and again pass the limit.
 */
export function bookLeftovers(ctx: Context, of: { profileId: number; owner: string }): void {
  immediate(ctx.db, () => {
    for (const { id, experimentId, reservedTokens: tokens, reservedUsd: usd } of openReservations(ctx.db, of)) {
      settle(ctx, { id, experimentId, tokens, usd }, { tokens, usd });
    }
  });
}

export function spent(ctx: Context, experimentId: number | null): Spent {
  const sums = ledgerSums(ctx.db, { profileId: requireProfile(ctx).id, experimentId });
  const nothingPriced = sums.unpriced > 0 && sums.settledUsd === 0;
  return { usd: nothingPriced ? null : sums.settledUsd, tokens: sums.settledTokens, unknownPrice: sums.unpriced > 0 };
}

/** What is left of the budget, reservations counted as spent; null = no limit of that kind. Never negative. */
export function remaining(ctx: Context, experimentId: number | null): Limits {
  const limits = budgetLimits(ctx);
  const { usd, tokens } = taken(ledgerSums(ctx.db, { profileId: requireProfile(ctx).id, experimentId }));
  return {
    usd: limits.usd === null ? null : Math.max(0, limits.usd - usd),
    tokens: limits.tokens === null ? null : Math.max(0, limits.tokens - tokens),
  };
}

/** USD of a finished call: the provider's own figure, else the configured price, else null. */
export function costOf(
  ctx: Context,
  call: { model: string | null; usage: TokenUsage; costUsd: number | null },
): number | null {
  if (call.costUsd !== null) return call.costUsd;
  const price = call.model === null ? undefined : ctx.config.config.prices[call.model];
  if (price === undefined) return null;
  const { inputTokens, outputTokens, totalTokens } = call.usage;
  if (inputTokens !== null && outputTokens !== null) {
    return (inputTokens * price.input + outputTokens * price.output) / 1e6;
  }
  // Without the split the dearer rate is the safe one.
  return totalTokens === null ? null : (totalTokens * Math.max(price.input, price.output)) / 1e6;
}

export interface ReservationEstimate {
  readonly tokens: number;
  readonly usd: number | null;
  readonly basis: 'history' | 'bound';
}

/**
 * What to reserve for one call or trial: the 95th percentile of the last ones of the same purpose and model, or the
 * caller's bound while there are fewer than ten.
 */
export function reservationFor(
  ctx: Context,
  call: { purpose: LedgerPurpose; model: string | null; bound: { inputTokens: number; outputTokens: number } },
): ReservationEstimate {
  const history = settledHistory(ctx.db, {
    profileId: requireProfile(ctx).id,
    purpose: call.purpose,
    model: call.model,
    limit: HISTORY_LENGTH,
  });
  const known = history.map((h) => h.usd).filter((usd) => usd !== null);
  const usdFromHistory = known.length > 0 && known.length === history.length ? percentile95(known) : null;
  if (history.length >= HISTORY_NEEDED) {
    const tokens = percentile95(history.map((h) => h.tokens));
    return { tokens, usd: usdFromHistory ?? priceOfTokens(ctx, call.model, tokens), basis: 'history' };
  }
  const { inputTokens, outputTokens } = call.bound;
  const tokens = inputTokens + outputTokens;
  const priced = costOf(ctx, {
    model: call.model,
    usage: { inputTokens, outputTokens, totalTokens: tokens },
    costUsd: null,
  });
  return { tokens, usd: priced ?? usdFromHistory, basis: 'bound' };
}

function priceOfTokens(ctx: Context, model: string | null, tokens: number): number | null {
  return costOf(ctx, { model, usage: { inputTokens: null, outputTokens: null, totalTokens: tokens }, costUsd: null });
}

/** Nearest rank. */
function percentile95(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * 0.95) - 1)] ?? 0;
}
