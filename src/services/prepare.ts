import { isKarpathyError } from '../errors.js';
import { findProfile } from '../store/profiles.js';
import type { Context } from './context.js';
import { refreshExpiredEvidence } from './evidenceEpochs.js';
import { reconcileOperations } from './reconcile.js';
import { refreshWindows } from './liveWindow.js';
import { watchVerified } from './watch.js';

/**
 * What every start of a command does: file operations that a dead process left open are finished or cancelled, the
 * sessions of the live window are counted, evidence that has expired is marked, and a verified text goes on being
 * watched. Returns what a person should know about it.
 */
export async function prepare(ctx: Context): Promise<string[]> {
  if (findProfile(ctx.db, ctx.profile.rootPath) === null) return [];
  const settled = await reconcileOperations(ctx);
  const notes = settled.map((operation) => operation.message);
  try {
    refreshWindows(ctx);
    await refreshExpiredEvidence(ctx);
    watchVerified(ctx);
  } catch (error) {
    // On a full or read-only disk a command that only looks goes on; one that writes says so itself.
    if (!isKarpathyError(error) || error.code !== 'io') throw error;
    notes.push(`Sessions are not counted now. ${error.message}`);
  }
  return notes;
}
