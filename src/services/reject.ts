import type { Actor } from '../domain/experiment.js';
import { KarpathyError } from '../errors.js';
import { immediate } from '../store/database.js';
import { getExperiment, transition, type ExperimentRow } from '../store/experiments.js';
import type { Context } from './context.js';
import { stopJobsOf } from './enqueue.js';
import { followMarkers } from './followMarkers.js';
import { dropDeadFrozen } from './frozenRuns.js';
import { ownExperiment } from './ownExperiment.js';

/**
 * Ends an experiment that is proposed or approved. `actor`: `gate` for a discard, `system` for a failed draft; default
 * whoever gave the command.
 * @throws KarpathyError `wrong_state`, `unknown_experiment`, `bad_usage` without a reason
 */
export async function reject(
  ctx: Context,
  id: number,
  options: { readonly reason: string; readonly actor?: Actor },
): Promise<ExperimentRow> {
  const reason = ctx.scrub.text(options.reason.trim());
  if (reason === '')
    throw new KarpathyError('bad_usage', 'A rejection needs a reason.', { hint: 'Add --reason TEXT.' });
  ownExperiment(ctx, id);
  const at = ctx.clock.now();
  immediate(ctx.db, () => {
    transition(ctx.db, { id, to: 'rejected', actor: options.actor ?? ctx.actor, reason, at });
    stopJobsOf(ctx, id);
  });
  followMarkers(ctx);
  dropDeadFrozen(ctx);
  return getExperiment(ctx.db, id);
}
