import { findProfile } from '../store/profiles.js';
import type { Context } from './context.js';
import { refreshExpiredEvidence } from './evidenceEpochs.js';
import { reconcileOperations } from './reconcile.js';
import { refreshWindows } from './liveWindow.js';

/**
 * What every start of a command does: file operations that a dead process left open are finished or cancelled, and
 * the sessions of the live window are counted, and evidence that has expired is marked. Returns what a person should know about it.
 */
export async function prepare(ctx: Context): Promise<string[]> {
  if (findProfile(ctx.db, ctx.profile.rootPath) === null) return [];
  const settled = await reconcileOperations(ctx);
  refreshWindows(ctx);
  await refreshExpiredEvidence(ctx);
  return settled.map((operation) => operation.message);
}
