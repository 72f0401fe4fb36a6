import { setTimeout as sleep } from 'node:timers/promises';
import { turnIsOpen } from '../store/spool.js';
import type { Context } from './context.js';
import { ingestSpool } from './ingest.js';

/** A turn that failed never ends in the spool. */
const LONGEST_TURN_MS = 10 * 60_000;
const LOOK_EVERY_MS = 1000;

/**
 * Returns when no session of the person's is in a turn, if `runner.yield_to_turns` asks for that; else at once.
 * @throws an AbortError when the signal fires
 */
export async function yieldToTurns(ctx: Context, signal: AbortSignal): Promise<void> {
  if (!ctx.config.config.runner.yield_to_turns) return;
  for (;;) {
    signal.throwIfAborted();
    ingestSpool(ctx);
    if (!turnIsOpen(ctx.db, ctx.clock.now() - LONGEST_TURN_MS)) return;
    await sleep(LOOK_EVERY_MS, undefined, { signal });
  }
}
