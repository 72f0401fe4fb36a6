import type { Actor, ExperimentState } from '../domain/experiment.js';
import { faultCode, KarpathyError } from '../errors.js';
import type { Db } from './database.js';
import type { TransitionColumns } from './transitions.js';

export type OperationKind = 'apply' | 'revert' | 'restore';
export type OperationPhase = 'intent' | 'done' | 'cancelled' | 'conflict';
export type GitPhase = 'pending' | 'committed' | 'skipped' | 'failed';

/** What git knew about the target before the operation; null outside a work tree. */
export interface GitBefore {
  readonly root: string;
  /** Path of the target in the repository. */
  readonly relpath: string;
  readonly headSha: string | null;
  /** The blob of the prior bytes, filters applied. */
  readonly blobSha: string | null;
  readonly dirty: boolean;
}

/** The change of state that is committed together with the file. */
export interface OperationTransition {
  readonly from: ExperimentState;
  readonly to: ExperimentState;
  readonly set: TransitionColumns;
  readonly git: GitBefore | null;
}

/** A row of `file_operations`: the intent journal. `priorSha256` is `absent` when there was no file. */
export interface FileOperationRow {
  readonly id: number;
  readonly experimentId: number;
  readonly kind: OperationKind;
  readonly path: string;
  readonly mode: number;
  readonly priorSha256: string;
  readonly priorContent: Buffer;
  readonly newSha256: string;
  readonly newContent: Buffer;
  readonly phase: OperationPhase;
  readonly transition: OperationTransition;
  readonly gitPhase: GitPhase;
  readonly gitCommitSha: string | null;
  readonly gitReason: string | null;
  readonly actor: Actor;
  readonly reason: string;
  readonly reconciledAt: number | null;
  readonly createdAt: number;
  readonly finishedAt: number | null;
}

export type NewFileOperation = Pick<
  FileOperationRow,
  | 'experimentId'
  | 'kind'
  | 'path'
  | 'mode'
  | 'priorSha256'
  | 'priorContent'
  | 'newSha256'
  | 'newContent'
  | 'transition'
  | 'actor'
  | 'reason'
  | 'createdAt'
> & {
  /** Set when it is known already that there will be no commit. */
  readonly gitReason: string | null;
};

const COLUMNS = `id, experiment_id AS experimentId, kind, path, mode, prior_sha256 AS priorSha256,
  prior_content AS priorContent, new_sha256 AS newSha256, new_content AS newContent, phase, transition,
  git_phase AS gitPhase, git_commit_sha AS gitCommitSha, git_reason AS gitReason, actor, reason,
  reconciled_at AS reconciledAt, created_at AS createdAt, finished_at AS finishedAt`;

function operationRow(raw: unknown): FileOperationRow {
  const row = raw as Omit<FileOperationRow, 'transition'> & { readonly transition: string };
  return { ...row, transition: JSON.parse(row.transition) as OperationTransition };
}

/** @throws KarpathyError `busy` when the file has another operation open */
export function insertFileOperation(db: Db, operation: NewFileOperation): FileOperationRow {
  try {
    const { lastInsertRowid } = db
      .prepare(
        `INSERT INTO file_operations (experiment_id, kind, path, mode, prior_sha256, prior_content, new_sha256,
           new_content, transition, git_phase, git_reason, actor, reason, created_at)
         VALUES (@experimentId, @kind, @path, @mode, @priorSha256, @priorContent, @newSha256, @newContent, @transition,
           @gitPhase, @gitReason, @actor, @reason, @createdAt)`,
      )
      .run({
        ...operation,
        transition: JSON.stringify(operation.transition),
        gitPhase: operation.gitReason === null ? 'pending' : 'skipped',
      });
    return getFileOperation(db, Number(lastInsertRowid));
  } catch (error) {
    if (faultCode(error) === 'SQLITE_CONSTRAINT_UNIQUE') {
      throw new KarpathyError('busy', `Another operation on ${operation.path} is open.`, {
        cause: error,
        hint: 'Run the command again: the open operation is finished or cancelled first.',
      });
    }
    throw error;
  }
}

export function getFileOperation(db: Db, id: number): FileOperationRow {
  const raw = db.prepare(`SELECT ${COLUMNS} FROM file_operations WHERE id = ?`).get(id);
  if (raw === undefined) throw new RangeError(`there is no file operation ${id}`);
  return operationRow(raw);
}

/** Operations that were begun and not ended, of all profiles, oldest first. */
export function openFileOperations(db: Db): FileOperationRow[] {
  return db
    .prepare(
      `SELECT ${COLUMNS} FROM file_operations INDEXED BY file_operations_one_open WHERE phase = 'intent' ORDER BY id`,
    )
    .all()
    .map(operationRow);
}

/** Ended operations whose commit was never tried or never recorded, oldest first. */
export function uncommittedFileOperations(db: Db, finishedBefore: number): FileOperationRow[] {
  return db
    .prepare(
      `SELECT ${COLUMNS} FROM file_operations INDEXED BY file_operations_uncommitted
       WHERE phase = 'done' AND git_phase = 'pending' AND finished_at <= ? ORDER BY id`,
    )
    .all(finishedBefore)
    .map(operationRow);
}

/** What was ended for a process that died, of all profiles, newest first. */
export function reconciledFileOperations(db: Db, limit: number): FileOperationRow[] {
  return db
    .prepare(
      `SELECT ${COLUMNS} FROM file_operations WHERE reconciled_at IS NOT NULL ORDER BY reconciled_at DESC LIMIT ?`,
    )
    .all(limit)
    .map(operationRow);
}

/** All operations of an experiment, oldest first. */
export function listFileOperations(db: Db, experimentId: number): FileOperationRow[] {
  return db
    .prepare(`SELECT ${COLUMNS} FROM file_operations WHERE experiment_id = ? ORDER BY id`)
    .all(experimentId)
    .map(operationRow);
}

/** Ends an open operation; false when somebody else ended it first. */
export function endFileOperation(
  db: Db,
  id: number,
  end: { readonly phase: 'done' | 'cancelled' | 'conflict'; readonly at: number; readonly reconciled: boolean },
): boolean {
  const { changes } = db
    .prepare(
      `UPDATE file_operations SET phase = @phase, finished_at = @at,
         reconciled_at = CASE WHEN @reconciled THEN @at ELSE reconciled_at END
       WHERE id = @id AND phase = 'intent'`,
    )
    .run({ id, phase: end.phase, at: end.at, reconciled: Number(end.reconciled) });
  return changes === 1;
}

/** Records what git made of it; a commit that another process recorded stands. */
export function recordGitPhase(
  db: Db,
  id: number,
  git: {
    readonly phase: Exclude<GitPhase, 'pending'>;
    readonly commitSha: string | null;
    readonly reason: string | null;
  },
): void {
  db.prepare(
    `UPDATE file_operations SET git_phase = @phase, git_commit_sha = @commitSha, git_reason = @reason
     WHERE id = @id AND git_phase <> 'committed'`,
  ).run({ id, ...git });
}
