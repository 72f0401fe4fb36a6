import { KarpathyError } from '../errors.js';
import type { WindowVerdict } from '../gate/types.js';
import { immediate } from '../store/database.js';
import { listEvalRuns } from '../store/evalRuns.js';
import { findOpenJob } from '../store/jobs.js';
import { getExperiment, recordWindow, type ExperimentRow } from '../store/experiments.js';
import { commandLine } from './authority.js';
import { collectMetrics } from './collect.js';
import type { Context } from './context.js';
import { enqueue } from './enqueue.js';
import { ownExperiment } from './ownExperiment.js';
import { recordBaseline } from './recordBaseline.js';
import { targetStatus } from './targetStatus.js';

/** @throws KarpathyError `wrong_state` unless the experiment is verified and its text is what the target holds */
export function requireInForce(ctx: Context, experiment: ExperimentRow): void {
  const { id, state, targetRelpath } = experiment;
  if (state === 'verified' && targetStatus(ctx, experiment) === 'as_applied') return;
  throw new KarpathyError(
    'wrong_state',
    state === 'verified'
      ? `${targetRelpath} no longer holds the text of experiment ${id}; there is nothing to evaluate again.`
      : `Experiment ${id} is ${state}; only a verified one is evaluated again.`,
    { hint: `\`${commandLine(ctx, 'status')}\` says what is in force.` },
  );
}

/**
 * Records the work of evaluating a verified text again and returns its job. Work that is open already goes on as it is;
 * else it takes trials of its own, not those of an earlier comparison.
 * @throws KarpathyError `wrong_state`
 */
export function startReverify(ctx: Context, id: number): number {
  const experiment = ownExperiment(ctx, id);
  requireInForce(ctx, experiment);
  return immediate(ctx.db, () => {
    const open = findOpenJob(ctx.db, { profileId: experiment.profileId, experimentId: id, kind: 'window' });
    if (open !== null) return open.id;
    recordWindow(ctx.db, id, { extensions: experiment.liveExtensions + 1, at: ctx.clock.now() });
    return enqueue(ctx, { kind: 'window', experimentId: id });
  });
}

/**
 * Evaluates a verified text again, by fresh trials against the text from before it, under the model and suite of today.
 * Confirmed: a new baseline. Otherwise the person is told and decides; nothing is reverted.
 * @throws KarpathyError `wrong_state`; what the trials throw
 */
export async function reverify(
  ctx: Context,
  id: number,
  options: { readonly fence?: () => void; readonly compare: () => Promise<WindowVerdict> },
): Promise<{ readonly confirmed: boolean; readonly verdict: WindowVerdict; readonly message: string }> {
  const experiment = ownExperiment(ctx, id);
  requireInForce(ctx, experiment);
  const verdict = await options.compare();
  options.fence?.();
  requireInForce(ctx, getExperiment(ctx.db, id));
  const confirmed = verdict.verdict === 'verified';
  const message = confirmed
    ? `Confirmed: ${verdict.reason}.`
    : `The fresh trials do not confirm it: ${verdict.reason}. \`${commandLine(ctx, `revert ${id} --reason '…'`)}\` puts the text from before back.`;
  const at = ctx.clock.now();
  const [run] = listEvalRuns(ctx.db, {
    profileId: experiment.profileId,
    purpose: 'live_window',
    experimentId: id,
    states: ['finished'],
  });
  const window = { kind: 'after', experimentId: id, startedAt: experiment.verifiedAt ?? at, endedAt: at } as const;
  const [metrics] = collectMetrics(ctx, window).snapshots;
  immediate(ctx.db, () => {
    recordWindow(ctx.db, id, { note: confirmed ? null : message, at });
    if (!confirmed) return;
    const { liveScore: passRate } = getExperiment(ctx.db, id);
    const evidenceFingerprint = run?.evidenceFingerprint ?? null;
    const evidence = { verdict, passRate, evidenceFingerprint, metrics: metrics ?? null };
    recordBaseline(ctx, experiment, { evidence, at });
  });
  return { confirmed, verdict, message };
}
