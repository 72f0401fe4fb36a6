import { getExperiment } from '../store/experiments.js';
import { openFileOperations, uncommittedFileOperations, type OperationKind } from '../store/fileOperations.js';
import type { Context } from './context.js';
import { carryOut } from './fileChange.js';
import { commitOperation } from './gitProvenance.js';
import { followMarkers } from './followMarkers.js';
import { isDirectory } from './lostProfiles.js';
import { settleOperation, type Settled } from './settleOperation.js';

/** After that long a commit that was not recorded has no owner any more. */
const COMMIT_GRACE_MS = 5 * 60_000;

/** What became of one operation that a dead process left behind. */
export interface Reconciled {
  readonly operationId: number;
  readonly experimentId: number;
  readonly kind: OperationKind;
  readonly path: string;
  readonly outcome: Exclude<Settled, 'already_ended'> | 'committed';
  /** For a person. */
  readonly message: string;
}

const MESSAGES = {
  finished: 'had been written before the process ended; it is finished now',
  rolled_forward: 'had not been written when the process ended; it was carried out now',
  cancelled: 'had not been written when the process ended; it was cancelled and can be asked for again',
  conflict: 'was interrupted, and somebody edited the file since; nothing was written',
  failed: 'is still open; it could not be finished now',
} as const;

/**
 * Ends what dead processes left open, in all profiles: every start calls this first. One look at the DB when there is
 * nothing. Never throws for an operation's sake.
 */
export async function reconcileOperations(ctx: Context): Promise<Reconciled[]> {
  const done: Reconciled[] = [];
  const rollForward = (inner: Context, id: number) => void carryOut(inner, id, { reconciled: true });
  for (const { id, experimentId, kind, path } of openFileOperations(ctx.db)) {
    // The file went along with its profile: it is looked at when `relocate` has said where.
    if (!isDirectory(getExperiment(ctx.db, experimentId).targetProfileRoot)) continue;
    const outcome = settleOperation(ctx, id, { rollForward });
    if (outcome === 'already_ended') continue;
    const message = `The ${kind} of experiment ${experimentId} ${MESSAGES[outcome]}.`;
    ctx.log.warn(message);
    done.push({ operationId: id, experimentId, kind, path, outcome, message });
  }
  const settledNow = new Set(done.map((entry) => entry.operationId));
  const now = ctx.clock.now();
  for (const operation of uncommittedFileOperations(ctx.db, now)) {
    const ownerMayLive = !settledNow.has(operation.id) && (operation.finishedAt ?? 0) > now - COMMIT_GRACE_MS;
    if (ownerMayLive || !isDirectory(getExperiment(ctx.db, operation.experimentId).targetProfileRoot)) continue;
    await commitOperation(ctx, operation);
    if (settledNow.has(operation.id)) continue;
    const { id, experimentId, kind, path } = operation;
    const message = `The commit of the ${kind} of experiment ${experimentId} was looked after.`;
    done.push({ operationId: id, experimentId, kind, path, outcome: 'committed', message });
  }
  if (done.length > 0) followMarkers(ctx);
  return done;
}
