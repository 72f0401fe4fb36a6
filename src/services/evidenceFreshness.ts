import { KarpathyError } from '../errors.js';
import { fingerprintDetail } from '../store/evalRuns.js';
import type { ExperimentRow } from '../store/experiments.js';
import { commandLine } from './authority.js';
import type { Context } from './context.js';
import { changesOf, evidenceFingerprint, type Evidence } from './evidence.js';
import { targetStatus } from './targetStatus.js';

/**
 * The evidence speaks of one text under one model, judge, suite and evaluator: refuses when any of them is another now.
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
  const { sha256, detail } = await evidenceFingerprint(ctx);
  if (experiment.evidenceFingerprint !== null && experiment.evidenceFingerprint !== sha256) {
    const then = fingerprintDetail(ctx.db, { profileId: experiment.profileId, sha256: experiment.evidenceFingerprint });
    const changes = then === null ? [] : changesOf(JSON.parse(then) as Evidence, detail);
    const what = changes.length === 0 ? 'model, judge, scenarios or evaluator changed since' : changes.join('; ');
    throw new KarpathyError('stale', `The evidence for experiment ${id} has expired: ${what}. Nothing was changed.`, {
      hint: wayOut,
    });
  }
}
