import type { Db } from './database.js';

/** `prior`: before the apply; `applied`: what was applied; `person`: a person's edit that a restore replaced. */
export type SnapshotKind = 'prior' | 'applied' | 'person';

export interface SnapshotRow {
  readonly id: number;
  readonly experimentId: number;
  readonly kind: SnapshotKind;
  readonly content: Buffer;
  readonly sha256: string;
  /** Permission bits of the file. */
  readonly mode: number;
  /** The same bytes as a plain file in the data directory. */
  readonly plainPath: string | null;
  readonly createdAt: number;
}

const COLUMNS = `id, experiment_id AS experimentId, kind, content, sha256, mode, plain_path AS plainPath,
  created_at AS createdAt`;

/** Inserts a snapshot unless the same bytes of the same kind are there; returns its id. */
export function insertSnapshot(db: Db, snapshot: Omit<SnapshotRow, 'id'>): number {
  const found = db
    .prepare('SELECT id FROM experiment_snapshots WHERE experiment_id = ? AND kind = ? AND sha256 = ?')
    .pluck()
    .get(snapshot.experimentId, snapshot.kind, snapshot.sha256);
  if (found !== undefined) return Number(found);
  return Number(
    db
      .prepare(
        `INSERT INTO experiment_snapshots (experiment_id, kind, content, sha256, mode, plain_path, created_at)
         VALUES (@experimentId, @kind, @content, @sha256, @mode, @plainPath, @createdAt)`,
      )
      .run(snapshot).lastInsertRowid,
  );
}

/** The newest snapshot of a kind. */
export function findSnapshot(db: Db, experimentId: number, kind: SnapshotKind): SnapshotRow | null {
  const row = db
    .prepare(`SELECT ${COLUMNS} FROM experiment_snapshots WHERE experiment_id = ? AND kind = ? ORDER BY id DESC`)
    .get(experimentId, kind);
  return (row as SnapshotRow | undefined) ?? null;
}

/** All snapshots of an experiment, oldest first. */
export function listSnapshots(db: Db, experimentId: number): SnapshotRow[] {
  return db
    .prepare(`SELECT ${COLUMNS} FROM experiment_snapshots WHERE experiment_id = ? ORDER BY id`)
    .all(experimentId) as SnapshotRow[];
}
