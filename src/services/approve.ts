import { KarpathyError } from '../errors.js';
import { getExperiment, transition, type ExperimentRow } from '../store/experiments.js';
import { requirePerson } from './authority.js';
import type { Context } from './context.js';
import { requireFresh } from './evidenceFreshness.js';
import { followMarkers } from './followMarkers.js';
import { ownExperiment } from './ownExperiment.js';

export interface ApproveOptions {
  /** Why an undecided edit is approved all the same; shown for ever. */
  readonly override?: string;
  /** Whether the ratchet may revert without asking when the live window shows harm. Default false. */
  readonly autoRevert?: boolean;
}

/**
 * A person's yes to a proven edit; the file is not touched yet.
 * @throws KarpathyError `needs_person`, `wrong_state`, `stale`, `unknown_experiment`, `bad_usage`
 */
export async function approve(ctx: Context, id: number, options: ApproveOptions = {}): Promise<ExperimentRow> {
  requirePerson(ctx, 'approving a change');
  const experiment = ownExperiment(ctx, id);
  requireApprovable(experiment, options);
  await requireFresh(ctx, experiment);
  const overridden = experiment.verdict === 'undecided' ? ctx.scrub.text(options.override?.trim() ?? '') : null;
  transition(ctx.db, {
    id,
    from: 'proposed',
    to: 'approved',
    actor: ctx.actor,
    reason: overridden === null ? 'approved' : `approved although undecided: ${overridden}`,
    at: ctx.clock.now(),
    set: {
      approvalOverrideReason: overridden,
      autoRevertAgreed: options.autoRevert === true,
      liveSessionsTarget: ctx.config.config.live.sessions,
    },
  });
  followMarkers(ctx);
  return getExperiment(ctx.db, id);
}

/** @throws KarpathyError `wrong_state` when state or verdict do not allow an approval */
export function requireApprovable(experiment: ExperimentRow, options: ApproveOptions): void {
  const { id, state, verdict } = experiment;
  const refuse = (message: string, hint: string): never => {
    throw new KarpathyError('wrong_state', message, { hint });
  };
  if (state !== 'proposed') {
    refuse(`Experiment ${id} is ${state}; only a proposed one can be approved.`, 'Nothing was changed.');
  }
  if (verdict === null) {
    refuse(`Experiment ${id} has no verdict yet.`, `Run \`karpathy evaluate ${id}\` first.`);
  }
  if (verdict === 'discard') {
    refuse(`The evidence speaks against experiment ${id}: ${experiment.verdictReason ?? 'discarded'}.`, 'Reject it.');
  }
  if (verdict === 'undecided' && (options.override ?? '').trim() === '') {
    refuse(
      `Experiment ${id} is undecided: ${experiment.verdictReason ?? 'the evidence does not tell'}.`,
      `Evaluate more, reject it, or approve it on your own judgement with --override REASON, which is recorded.`,
    );
  }
}
