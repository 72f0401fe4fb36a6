import { KarpathyError } from '../errors.js';
import { readTarget, resolveAbsentTarget } from '../ratchet/target.js';
import { getExperiment, markConflict, transition, type ExperimentRow } from '../store/experiments.js';
import { findSnapshot } from '../store/snapshots.js';
import { commandLine, requirePerson } from './authority.js';
import type { Context } from './context.js';
import { endWorkOn } from './enqueue.js';
import { changeFile } from './fileChange.js';
import { ownExperiment } from './ownExperiment.js';
import { priorBytes } from './revert.js';
import { targetStatus, type TargetStatus } from './targetStatus.js';

export const SUPERSEDED = 'superseded_by_person';

export type ResolveOptions = { readonly keepMine: true } | { readonly restore: true };

/**
 * Ends a conflict between an applied edit and a person's own. `keepMine`: the file stays as it is, and a live
 * experiment ends as reverted, superseded by the person. `restore`: their bytes are kept as a snapshot, then the bytes
 * from before the apply are put back.
 * @throws KarpathyError `needs_person`, `wrong_state` when there is no conflict, `bad_target`, `conflict`, `io`, `busy`
 */
export async function resolveConflict(ctx: Context, id: number, options: ResolveOptions): Promise<ExperimentRow> {
  requirePerson(ctx, 'whose text stays');
  const experiment = ownExperiment(ctx, id);
  const status = requireConflict(ctx, experiment);
  if ('restore' in options) await restore(ctx, experiment, status);
  else keepTheirs(ctx, experiment);
  endWorkOn(ctx, id);
  return getExperiment(ctx.db, id);
}

function keepTheirs(ctx: Context, experiment: ExperimentRow): void {
  const { id } = experiment;
  const at = ctx.clock.now();
  if (experiment.state === 'live') {
    const set = { manualConflictDetected: false };
    transition(ctx.db, { id, from: 'live', to: 'reverted', actor: ctx.actor, reason: SUPERSEDED, at, set });
  } else {
    // A verified edit was proven and its window is over; that a person wrote on since takes nothing from it.
    markConflict(ctx.db, id, { detected: false, at });
  }
}

/** @throws KarpathyError `wrong_state` when nothing is to be resolved */
export function requireConflict(ctx: Context, experiment: ExperimentRow): Exclude<TargetStatus, 'as_applied'> {
  const { id, state } = experiment;
  const status = targetStatus(ctx, experiment);
  if ((state === 'live' || (state === 'verified' && experiment.manualConflictDetected)) && status !== 'as_applied') {
    return status;
  }
  if (status === 'as_applied') markConflict(ctx.db, id, { detected: false, at: ctx.clock.now() });
  const why =
    status === 'as_applied'
      ? 'the file holds exactly what was applied'
      : state === 'verified'
        ? 'it is verified, and an edit after that is no conflict until you revert'
        : `it is ${state}`;
  throw new KarpathyError('wrong_state', `There is no conflict to resolve in experiment ${id}: ${why}.`, {
    hint: state === 'live' || state === 'verified' ? `\`${commandLine(ctx, `revert ${id}`)}\` undoes it.` : undefined,
  });
}

async function restore(ctx: Context, experiment: ExperimentRow, status: TargetStatus): Promise<ExperimentRow> {
  const { targetProfileRoot: root, targetRelpath: relpath } = experiment;
  const mode = findSnapshot(ctx.db, experiment.id, 'prior')?.mode ?? 0o600;
  const place =
    status === 'missing' ? { path: resolveAbsentTarget(root, relpath), mode, bytes: null } : readTarget(root, relpath);
  return changeFile(ctx, {
    experiment,
    kind: 'restore',
    to: 'reverted',
    path: place.path,
    mode: place.mode,
    prior: place.bytes,
    next: priorBytes(experiment),
    actor: ctx.actor,
    reason: 'restored over an edit by a person, which is kept as a snapshot',
  });
}

/** The three texts of a conflict, for a view of what `resolve` would do. */
export interface ThreeWay {
  readonly experimentId: number;
  readonly relpath: string;
  readonly status: TargetStatus;
  /** From before the apply: what `--restore` puts back. */
  readonly base: Buffer;
  readonly applied: Buffer;
  /** What is there now, which `--keep-mine` keeps; null when there is no readable regular file. */
  readonly current: Buffer | null;
}

/** @throws KarpathyError `unknown_experiment`, `wrong_state` for an experiment that was never applied */
export function threeWay(ctx: Context, id: number): ThreeWay {
  const experiment = ownExperiment(ctx, id);
  const { candidateContent, targetProfileRoot: root, targetRelpath: relpath } = experiment;
  if (experiment.appliedAt === null || candidateContent === null) {
    throw new KarpathyError('wrong_state', `Experiment ${id} was never applied.`);
  }
  const status = targetStatus(ctx, experiment);
  let current: Buffer | null = null;
  try {
    current = readTarget(root, relpath).bytes;
  } catch {
    // Gone, a directory, a pipe, a link out of the profile: there is no text to show.
  }
  return { experimentId: id, relpath, status, base: priorBytes(experiment), applied: candidateContent, current };
}
