import { budgetLimits, remaining } from '../services/budget.js';
import { show } from '../services/show.js';
import { decisionText } from '../text/decision.js';
import type { Session } from './command.js';

/** The text in front of a question about experiment `id`; `effect` says what agreeing does. */
export async function preview({ ctx, look }: Session, id: number, effect: string): Promise<string> {
  return decisionText(look, await show(ctx, id), { budget: budgetLimits(ctx), remaining: remaining(ctx, id), effect });
}
