import { KarpathyError } from '../errors.js';
import type { ExperimentRow } from '../store/experiments.js';
import { commandLine } from './authority.js';
import type { Context } from './context.js';
import { evidenceFingerprint } from './evidence.js';
import { targetStatus } from './targetStatus.js';

/**
 * The evidence speaks of one text under one model, suite, evaluator and host: refuses when any of them is another now.
 * @throws KarpathyError `stale`
 */
export async function requireFresh(ctx: Context, experiment: ExperimentRow): Promise<void> {
  const { id } = experiment;
  const wayOut = `Reject it (\`${commandLine(ctx, `reject ${id}`)}\`) and propose again from what is there now.`;
  const status = targetStatus(ctx, experiment);
  if (status !== 'as_base') {
    const what = status === 'missing' ? 'is gone' : 'has changed';
    throw new KarpathyError(
      'stale',
      `${experiment.targetRelpath} ${what} since experiment ${id} was evaluated; nothing was changed.`,
      { hint: wayOut },
    );
  }
  const { sha256 } = await evidenceFingerprint(ctx);
  if (experiment.evidenceFingerprint !== null && experiment.evidenceFingerprint !== sha256) {
    throw new KarpathyError(
      'stale',
      `The evidence for experiment ${id} has expired: the model, the scenarios, the evaluator or the host changed since.`,
      { hint: wayOut },
    );
  }
}
