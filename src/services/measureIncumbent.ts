import { toKarpathyError, type ErrorCode } from '../errors.js';
import { immediate } from '../store/database.js';
import { getExperiment, transition } from '../store/experiments.js';
import { listScenarios } from '../store/scenarios.js';
import { spent } from './budget.js';
import type { Context } from './context.js';
import type { Fence } from './jobLease.js';
import { runTrainBaseline } from './trainBaseline.js';

/** After these the same job can go on; anything else ends the experiment, or it would hold the profile's place. */
const RESUMABLE: ReadonlySet<ErrorCode> = new Set([
  ...(['interrupted', 'busy', 'budget', 'model_limit', 'price_unknown', 'outage', 'io'] as const),
]);

/**
 * Runs the train scenarios for an experiment that has no edit yet. When that fails for good, the experiment ends
 * `rejected` by `system`.
 * @throws what `runTrainBaseline` throws
 */
export async function measureIncumbent(
  ctx: Context,
  experimentId: number,
  { fence }: { readonly fence: Fence },
): Promise<void> {
  const { profileId } = getExperiment(ctx.db, experimentId);
  // Without Hermes the proposer still sees the file itself.
  if (ctx.hermes === null || listScenarios(ctx.db, profileId, { split: 'train' }).length === 0) return;
  try {
    await runTrainBaseline(ctx, experimentId, { fence });
  } catch (thrown) {
    const error = toKarpathyError(thrown);
    if (ctx.signal.aborted || (RESUMABLE.has(error.code) && !neverBegan(ctx, experimentId, error.code))) throw thrown;
    immediate(ctx.db, () => {
      fence();
      const reason = `the train scenarios could not be run: ${error.message}`;
      transition(ctx.db, { id: experimentId, to: 'rejected', actor: 'system', reason, at: ctx.clock.now() });
    });
    throw thrown;
  }
}

/** A budget that holds not even the first trial: there is nothing to go on with, and the profile's place is free again. */
function neverBegan(ctx: Context, experimentId: number, code: ErrorCode): boolean {
  return (code === 'budget' || code === 'price_unknown') && spent(ctx, experimentId).tokens === 0;
}
