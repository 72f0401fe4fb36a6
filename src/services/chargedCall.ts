import { isKarpathyError } from '../errors.js';
import type { Completion } from '../ports.js';
import type { LedgerPurpose } from '../store/costLedger.js';
import { costOf, release, reservationFor, reserve, settle } from './budget.js';
import type { Context } from './context.js';

export interface ChargedCall {
  readonly experimentId: number | null;
  readonly evalRunId?: number | null;
  readonly purpose: LedgerPurpose;
  /** Name under which the model's price and history are found; null while only the host knows it. */
  readonly model: string | null;
  /** What the call may take, while there is no history. */
  readonly bound: { readonly inputTokens: number; readonly outputTokens: number };
}

/**
 * Brackets one call of a model with the budget: set aside before, booked with what it cost after. A call that failed
 * after it may have been charged is booked as reserved, or a limit could be passed by failing.
 * @throws KarpathyError `budget`, `price_unknown`, and whatever the call throws
 */
export async function chargedCall(ctx: Context, of: ChargedCall, call: () => Promise<Completion>): Promise<Completion> {
  const { bound, ...request } = of;
  const { tokens, usd } = reservationFor(ctx, { purpose: of.purpose, model: of.model, bound });
  const reservation = reserve(ctx, { ...request, tokens, usd });
  let completion: Completion;
  try {
    completion = await call();
  } catch (error) {
    if (mayHaveCost(error)) settle(ctx, reservation, { tokens: null, usd: reservation.usd });
    else release(ctx, reservation);
    throw error;
  }
  const { usage, costUsd, identity } = completion;
  settle(ctx, reservation, {
    tokens: usage.totalTokens,
    // The provider may call the model by a longer name than the one its price was configured under.
    usd: costOf(ctx, { model: identity.model, usage, costUsd }) ?? costOf(ctx, { model: of.model, usage, costUsd }),
    model: identity.model,
  });
  return completion;
}

/** Stopping to listen does not stop the provider. */
function mayHaveCost(error: unknown): boolean {
  if (isKarpathyError(error)) return error.charged || error.code === 'interrupted';
  return error instanceof Error && error.name === 'AbortError';
}
