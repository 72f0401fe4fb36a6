import { dirname } from 'node:path';
import type { Actor, ExperimentState } from '../domain/experiment.js';
import { isKarpathyError, KarpathyError } from '../errors.js';
import { ABSENT, sha256 } from '../ratchet/digest.js';
import type { Inspection } from '../ratchet/git.js';
import { writeIntent } from '../ratchet/journal.js';
import { requireRoom, type Need } from '../ratchet/room.js';
import { writeSnapshotFile } from '../ratchet/snapshotFile.js';
import { immediate } from '../store/database.js';
import { getExperiment, markConflict, transition, type ExperimentRow } from '../store/experiments.js';
import {
  endFileOperation,
  getFileOperation,
  insertFileOperation,
  type FileOperationRow,
  type OperationKind,
} from '../store/fileOperations.js';
import { insertSnapshot, type SnapshotKind } from '../store/snapshots.js';
import { wrongState, type TransitionColumns } from '../store/transitions.js';
import type { Context } from './context.js';
import { commitOperation } from './gitProvenance.js';
import { followMarkers } from './followMarkers.js';
import { rowsNeed } from './room.js';
import { settleOperation } from './settleOperation.js';

/** A change of the target file together with the change of state that it means. */
export interface FileChange {
  readonly experiment: ExperimentRow;
  readonly kind: OperationKind;
  readonly to: ExperimentState;
  /** Real path of the target. */
  readonly path: string;
  /** Permission bits to give the file. */
  readonly mode: number;
  /** The bytes that must be there now; null = no file. */
  readonly prior: Buffer | null;
  readonly next: Buffer;
  readonly actor: Actor;
  readonly reason: string;
  readonly set?: TransitionColumns;
}

/** Another process may reconcile an intent in the moment before it is carried out; then it is made again. */
const ATTEMPTS = 5;

/**
 * Carries out a change through the intent journal: intent committed, then file and state in one transaction, then git.
 * @throws KarpathyError `wrong_state`, `conflict`, `bad_target`, `io`, `busy`, all with the file untouched
 */
export async function changeFile(ctx: Context, change: FileChange): Promise<ExperimentRow> {
  requireRoom(needsOf(ctx, change));
  // Loading git takes longer than most commands take in all, and only a change of a file needs it.
  const { inspectInGit } = await import('../ratchet/git.js');
  const git = await inspectInGit(change.path, ctx.env);
  let operation: FileOperationRow | null = null;
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const intended = recordIntent(ctx, change, git);
    operation = carryOutOrSettle(ctx, intended);
    if (operation.phase !== 'cancelled') break;
  }
  if (operation === null || operation.phase === 'cancelled') {
    throw new KarpathyError(
      'busy',
      `Other processes keep ending the ${change.kind} of experiment ${change.experiment.id}.`,
      {
        hint: 'Nothing was changed. Try again in a moment.',
      },
    );
  }
  if (operation.phase === 'conflict') throw editedMeanwhile(change);
  await commitOperation(ctx, operation);
  followMarkers(ctx);
  return getExperiment(ctx.db, change.experiment.id);
}

/** The rows hold both sides twice: as an operation and as snapshots. */
function needsOf(ctx: Context, { path, prior, next }: FileChange): Need[] {
  const both = (prior?.length ?? 0) + next.length;
  return [
    { what: 'the new text', path: dirname(path), bytes: next.length },
    { what: 'copies of both texts', path: ctx.paths.snapshotsDir, bytes: both },
    rowsNeed(ctx, 2 * both),
  ];
}

function editedMeanwhile(change: FileChange): KarpathyError {
  return new KarpathyError('conflict', `${change.path} was changed by somebody else just now; nothing was written.`);
}

/** Commits the intent and the bytes of both sides, before anything is touched. */
export function recordIntent(ctx: Context, change: FileChange, git: Inspection): FileOperationRow {
  const { experiment, prior, next } = change;
  const at = ctx.clock.now();
  const plain = keepPlainCopies(ctx, change);
  const tree = git.tree;
  const reason = whyNoCommit(git);
  const set: TransitionColumns = {
    ...(change.kind === 'apply'
      ? {
          profileGitRoot: tree?.root ?? null,
          baseBlobSha: tree?.headBlob ?? null,
          baseCommitSha: tree?.headSha ?? null,
          dirtyBeforeApply: tree?.dirty ?? null,
        }
      : {}),
    manualConflictDetected: false,
    gitNote: reason === null ? null : `${change.kind}: ${reason}`,
    ...change.set,
  };
  return immediate(ctx.db, () => {
    const { state } = getExperiment(ctx.db, experiment.id);
    if (state !== experiment.state) throw wrongState(experiment.id, state, change.to);
    for (const copy of plain) insertSnapshot(ctx.db, { ...copy, experimentId: experiment.id, createdAt: at });
    return insertFileOperation(ctx.db, {
      experimentId: experiment.id,
      kind: change.kind,
      path: change.path,
      mode: change.mode,
      priorSha256: prior === null ? ABSENT : sha256(prior),
      priorContent: prior ?? Buffer.alloc(0),
      newSha256: sha256(next),
      newContent: next,
      transition: {
        from: experiment.state,
        to: change.to,
        set,
        git:
          tree === null
            ? null
            : {
                root: tree.root,
                relpath: tree.relpath,
                headSha: tree.headSha,
                blobSha: tree.fileBlob,
                dirty: tree.dirty,
              },
      },
      gitReason: reason,
      actor: change.actor,
      reason: change.reason,
      createdAt: at,
    });
  });
}

function whyNoCommit(git: Inspection): string | null {
  if (git.tree === null) return git.reason;
  return git.tree.blocked ?? (git.tree.dirty ? 'the target had uncommitted changes before' : null);
}

type PlainCopy = { kind: SnapshotKind; content: Buffer; sha256: string; mode: number; plainPath: string };

function keepPlainCopies(ctx: Context, change: FileChange): PlainCopy[] {
  const kept: [SnapshotKind, Buffer | null][] =
    change.kind === 'apply'
      ? [
          ['prior', change.prior],
          ['applied', change.next],
        ]
      : change.kind === 'restore'
        ? [['person', change.prior]]
        : [];
  return kept.flatMap(([kind, content]) => {
    if (content === null) return [];
    const plainPath = writeSnapshotFile(ctx.paths.snapshotsDir, {
      experimentId: change.experiment.id,
      kind,
      targetRelpath: change.experiment.targetRelpath,
      bytes: content,
    });
    return [{ kind, content, sha256: sha256(content), mode: change.mode, plainPath }];
  });
}

/**
 * The second half: under the write lock, looks at the file again, writes it, and commits phase, state and audit row.
 * Returns the operation as it stands then; `cancelled` when somebody else's reconciliation came first.
 */
export function carryOut(
  ctx: Context,
  operationId: number,
  options: { readonly reconciled: boolean },
): FileOperationRow {
  return immediate(ctx.db, () => {
    const operation = getFileOperation(ctx.db, operationId);
    if (operation.phase !== 'intent') return operation;
    const experiment = getExperiment(ctx.db, operation.experimentId);
    const { from, to, set } = operation.transition;
    if (experiment.state !== from) throw wrongState(experiment.id, experiment.state, to);
    writeIntent(operation, { root: experiment.targetProfileRoot, relpath: experiment.targetRelpath });
    const at = ctx.clock.now();
    endFileOperation(ctx.db, operationId, { phase: 'done', at, reconciled: options.reconciled });
    const { id, actor, reason } = { ...operation, id: experiment.id };
    transition(ctx.db, { id, from, to, actor, reason, at, set, operationId });
    return getFileOperation(ctx.db, operationId);
  });
}

/** A failure after the intent must not leave it open: the file decides whether it happened. */
function carryOutOrSettle(ctx: Context, intended: FileOperationRow): FileOperationRow {
  try {
    return carryOut(ctx, intended.id, { reconciled: false });
  } catch (error) {
    const ended = settleOperation(ctx, intended.id, { rollForward: null });
    if (ended === 'finished') {
      ctx.log.warn(`${intended.kind} of experiment ${intended.experimentId} is done, after: ${String(error)}`);
      return getFileOperation(ctx.db, intended.id);
    }
    throw ended === 'failed' ? stillOpen(intended, error) : error;
  }
}

/** Neither carried out nor taken back: what the next command will make of it is part of the answer. */
function stillOpen({ kind, experimentId }: FileOperationRow, error: unknown): unknown {
  if (!isKarpathyError(error) || error.code !== 'db_busy') return error;
  const next = kind === 'apply' ? 'cancels it; then apply again' : 'carries it out';
  return new KarpathyError(
    'db_busy',
    `${error.message} The ${kind} of experiment ${experimentId} was not carried out.`,
    {
      cause: error,
      hint: `It is written down, and the next command ${next}. ${error.hint ?? ''}`.trim(),
    },
  );
}

/**
 * The error of a file that is not what was applied, with the conflict marked; nothing is written to the file. When
 * another process moved the experiment meanwhile, that is what happened to the file, and no conflict.
 */
export function conflictError(
  ctx: Context,
  input: { readonly experiment: ExperimentRow; readonly message: string; readonly hint: string },
): KarpathyError {
  const { id, state } = input.experiment;
  return immediate(ctx.db, () => {
    const now = getExperiment(ctx.db, id).state;
    if (now !== state) {
      return new KarpathyError('wrong_state', `Experiment ${id} has just become ${now}; nothing was changed here.`);
    }
    markConflict(ctx.db, id, { detected: true, at: ctx.clock.now() });
    return new KarpathyError('conflict', input.message, { hint: input.hint });
  });
}
