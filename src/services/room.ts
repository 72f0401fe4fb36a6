import { slotsFor } from '../evaluation/concurrency.js';
import { requireRoom, type Need } from '../ratchet/room.js';
import type { Context } from './context.js';

/** What a transaction of a few rows adds to the write-ahead log. */
const ROWS_BYTES = 256 * 1024;
/** A slot with its copies, the session store of a trial and what tools write: several times what one was seen to take. */
const SLOT_BYTES = 32 * 1024 * 1024;

/** Rows of the controller DB that hold so many bytes of content. They are written twice: to the log, then to the DB. */
export function rowsNeed(ctx: Pick<Context, 'paths'>, contentBytes: number): Need {
  return { what: 'rows of the controller DB', path: ctx.paths.dbPath, bytes: ROWS_BYTES + 2 * contentBytes };
}

/** The slots that trials run in. */
export function slotsNeed(ctx: Pick<Context, 'paths' | 'config'>): Need {
  const bytes = SLOT_BYTES * slotsFor(ctx.config.config.runner.concurrency);
  return { what: 'the slots of the trials', path: ctx.paths.slotsDir, bytes };
}

/**
 * What has to be there before trials are planned or paid for.
 * @throws KarpathyError `io`
 */
export function requireRoomForTrials(ctx: Pick<Context, 'paths' | 'config'>): void {
  requireRoom([rowsNeed(ctx, 0), slotsNeed(ctx)]);
}
