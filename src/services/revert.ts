import type { Actor } from '../domain/experiment.js';
import { KarpathyError } from '../errors.js';
import { readTarget } from '../ratchet/target.js';
import { keptAfter } from '../store/experimentLists.js';
import { getExperiment, type ExperimentRow } from '../store/experiments.js';
import { commandLine, RATCHET, requirePerson } from './authority.js';
import type { Context } from './context.js';
import { endWorkOn } from './enqueue.js';
import { changeFile, conflictError } from './fileChange.js';
import { ownExperiment } from './ownExperiment.js';
import { targetStatus } from './targetStatus.js';

export interface RevertOptions {
  readonly reason: string;
  /** `ratchet`: without a person, which the approval must have agreed to. */
  readonly actor?: Actor;
}

/**
 * Puts back the exact bytes from before the apply, of a live or a verified experiment.
 * @throws KarpathyError `needs_person`, `wrong_state`, `bad_target`, `io`, `busy`; `conflict` when the file no longer
 *   holds what was applied, which is marked on the experiment. Nothing is written then.
 */
export async function revertExperiment(ctx: Context, id: number, options: RevertOptions): Promise<ExperimentRow> {
  const byRatchet = options.actor === RATCHET;
  if (!byRatchet) requirePerson(ctx, 'reverting a change');
  const experiment = ownExperiment(ctx, id);
  requireRevertable(experiment, byRatchet);
  const status = targetStatus(ctx, experiment);
  if (status !== 'as_applied') throw notAsApplied(ctx, experiment, status);
  const file = readTarget(experiment.targetProfileRoot, experiment.targetRelpath);
  const prior = priorBytes(experiment);
  const reverted = await changeFile(ctx, {
    experiment,
    kind: 'revert',
    to: 'reverted',
    path: file.path,
    mode: file.mode,
    prior: file.bytes,
    next: prior,
    actor: options.actor ?? ctx.actor,
    reason: ctx.scrub.text(options.reason),
  });
  // The ratchet reverts from within the job that judged the window.
  if (!byRatchet) endWorkOn(ctx, id);
  return reverted;
}

/** The exact bytes from before the apply. */
export function priorBytes(experiment: ExperimentRow): Buffer {
  if (experiment.baseContent === null) {
    throw new KarpathyError('internal', `Experiment ${experiment.id} has no prior bytes.`);
  }
  return experiment.baseContent;
}

/** @throws KarpathyError `wrong_state`; `needs_person` for an automatic revert that nobody agreed to */
export function requireRevertable(experiment: ExperimentRow, byRatchet: boolean): void {
  const { id, state } = experiment;
  if (state !== 'live' && state !== 'verified') {
    throw new KarpathyError(
      'wrong_state',
      `Experiment ${id} is ${state}; only a live or verified one can be reverted.`,
      {
        hint:
          state === 'proposed' || state === 'approved'
            ? 'The file has not been touched; reject it instead.'
            : undefined,
      },
    );
  }
  if (byRatchet && (state !== 'live' || !experiment.autoRevertAgreed)) {
    throw new KarpathyError('needs_person', `Nobody agreed to an automatic revert of experiment ${id}.`, {
      hint: `Decide in a terminal: \`karpathy revert ${id}\` or \`karpathy finish ${id}\`.`,
    });
  }
}

function notAsApplied(ctx: Context, experiment: ExperimentRow, status: string): KarpathyError {
  const { id, targetRelpath } = experiment;
  const later = keptAfter(ctx.db, { profileId: experiment.profileId, id }).find(
    (other) => targetStatus(ctx, getExperiment(ctx.db, other)) === 'as_applied',
  );
  if (later !== undefined) {
    // Not a person's edit: the chain of kept edits comes off from its end.
    return new KarpathyError('conflict', `${targetRelpath} holds experiment ${later}, which was built on ${id}.`, {
      hint: `Revert it first: \`${commandLine(ctx, `revert ${later}`)}\`. Nothing was changed.`,
    });
  }
  const what = {
    missing: 'is gone',
    as_base: 'already holds the text from before it, put there by somebody else',
    edited: 'was edited since it was applied',
  }[status];
  return conflictError(ctx, {
    experiment,
    message: `${targetRelpath} ${what ?? 'changed'}; experiment ${id} was not reverted and nothing was written.`,
    hint: `\`${commandLine(ctx, `resolve ${id} --keep-mine`)}\` keeps the file as it is; \`--restore\` puts the prior text back and keeps a copy of yours.`,
  });
}
