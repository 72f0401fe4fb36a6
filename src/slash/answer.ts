import type { Context } from '../services/context.js';
import { ownExperiment } from '../services/ownExperiment.js';
import { standing } from '../services/status.js';
import type { Look } from '../text/look.js';
import { nextText } from '../text/next.js';
import type { SlashCall } from './call.js';

export interface SlashRun {
  readonly ctx: Context;
  readonly call: SlashCall;
  readonly look: Look;
  /** In a gateway a decision needs a code. */
  readonly inGateway: boolean;
}

/** What was done, and what comes next. */
export async function done({ ctx, look }: SlashRun, id: number, what: string): Promise<string> {
  const { next } = await standing(ctx, ownExperiment(ctx, id));
  return `${what}\n\n${nextText(look, next)}`;
}
