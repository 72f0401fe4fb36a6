import { isKarpathyError } from '../errors.js';
import { removeLeftovers } from '../ratchet/atomicFile.js';
import { lookAt, repairOf } from '../ratchet/journal.js';
import { immediate } from '../store/database.js';
import { getExperiment, markConflict, transition } from '../store/experiments.js';
import { endFileOperation, getFileOperation } from '../store/fileOperations.js';
import type { Context } from './context.js';

export type Settled = 'finished' | 'rolled_forward' | 'cancelled' | 'conflict' | 'already_ended' | 'failed';

/**
 * Ends an open operation by what its file holds. Taking the write lock first means that its owner is dead, failed, or
 * has not begun to write. `rollForward` goes on with a revert whose file still has the prior bytes; without it such a
 * revert is cancelled (its owner is alive and tells the person).
 */
export function settleOperation(
  ctx: Context,
  operationId: number,
  options: { readonly rollForward: ((ctx: Context, operationId: number) => void) | null },
): Settled {
  try {
    return immediate(ctx.db, () => settle(ctx, operationId, options));
  } catch (error) {
    if (!isKarpathyError(error) && !(error instanceof Error && 'code' in error)) throw error;
    // A full disk, a lock that stays: the intent stays open and the next start tries again.
    ctx.log.error(`file operation ${operationId} stays open: ${error.message}`);
    return 'failed';
  }
}

function settle(ctx: Context, operationId: number, options: Parameters<typeof settleOperation>[2]): Settled {
  const operation = getFileOperation(ctx.db, operationId);
  if (operation.phase !== 'intent') return 'already_ended';
  removeLeftovers(operation.path);
  const at = ctx.clock.now();
  const experiment = getExperiment(ctx.db, operation.experimentId);
  const { from, to, set } = operation.transition;
  const end = <P extends 'done' | 'cancelled' | 'conflict'>(phase: P): P => {
    endFileOperation(ctx.db, operationId, { phase, at, reconciled: true });
    if (phase === 'conflict') markConflict(ctx.db, experiment.id, { detected: true, at });
    return phase;
  };

  const found = lookAt(operation);
  // The state stands still while an operation is open; should it have moved all the same, nothing is written.
  const moved = experiment.state !== from;
  const repair = !moved ? repairOf(operation.kind, found) : found === 'prior' ? 'cancel' : 'conflict';
  switch (repair) {
    case 'finish': {
      end('done');
      const { actor, reason } = operation;
      transition(ctx.db, { id: experiment.id, from, to, actor, reason, at, set, operationId });
      return 'finished';
    }
    case 'roll_forward':
      if (options.rollForward === null) return end('cancelled');
      try {
        options.rollForward(ctx, operationId);
        return 'rolled_forward';
      } catch (error) {
        if (!isKarpathyError(error) || (error.code !== 'conflict' && error.code !== 'bad_target')) throw error;
        return end('conflict');
      }
    case 'cancel':
      return end('cancelled');
    case 'conflict':
      return end('conflict');
  }
}
