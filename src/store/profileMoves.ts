import { basename } from 'node:path';
import type { Actor } from '../domain/experiment.js';
import type { Db } from './database.js';

/** What a move needs of a profile. */
export interface ProfilePlace {
  readonly id: number;
  readonly name: string;
  readonly rootPath: string;
  readonly targetRelpath: string;
  /** Hooks write for it; false once it was forgotten, or uninstalled with its records kept. */
  readonly enabled: boolean;
}

/** Every profile of the DB. */
export function listProfilePlaces(db: Db): ProfilePlace[] {
  const rows = db
    .prepare(
      'SELECT id, name, root_path AS rootPath, target_relpath AS targetRelpath, enabled FROM profiles ORDER BY id',
    )
    .all() as (Omit<ProfilePlace, 'enabled'> & { enabled: 0 | 1 })[];
  return rows.map((row) => ({ ...row, enabled: row.enabled === 1 }));
}

export interface ProfileMove {
  readonly id: number;
  /** The profile's real path, before and now. */
  readonly from: string;
  readonly to: string;
  /** What was moved as a whole: this profile's home, or a directory above it, as the Hermes root. */
  readonly fromAbove: string;
  readonly toAbove: string;
  readonly name: string;
  readonly actor: Actor;
  readonly at: number;
}

/** Writes the new place wherever the records of a profile name the old one, and an audit row. In a transaction. */
export function moveProfile(db: Db, move: ProfileMove): void {
  db.prepare('UPDATE profiles SET root_path = @to, name = @name, enabled = 1, updated_at = @at WHERE id = @id').run(
    move,
  );
  db.prepare('UPDATE experiments SET target_profile_root = @to, profile = @name WHERE profile_id = @id').run(move);
  const own = 'experiment_id IN (SELECT id FROM experiments WHERE profile_id = @id)';
  db.prepare(`UPDATE experiments SET profile_git_root = ${moved('profile_git_root')} WHERE profile_id = @id`).run(move);
  db.prepare(`UPDATE file_operations SET path = ${moved('path')} WHERE ${own}`).run(move);
  // What an operation still has to do stands in its transition: the commit, and the columns of the experiment.
  for (const place of ['$.git.root', '$.set.profileGitRoot']) {
    const value = `json_extract(transition, '${place}')`;
    db.prepare(
      `UPDATE file_operations SET transition = json_set(transition, '${place}', ${moved(value)})
       WHERE ${own} AND ${value} IS NOT NULL`,
    ).run(move);
  }
  recordMove(db, {
    profileId: move.id,
    kind: 'relocated',
    from: move.from,
    to: move.to,
    actor: move.actor,
    at: move.at,
  });
}

/** `column` with the old place at its beginning replaced; another path stays. */
function moved(column: string): string {
  const when = (from: string, to: string) =>
    `WHEN ${column} = ${from} OR substr(${column}, 1, length(${from}) + 1) = ${from} || '/'
     THEN ${to} || substr(${column}, length(${from}) + 1)`;
  return `CASE ${when('@from', '@to')} ${when('@fromAbove', '@toAbove')} ELSE ${column} END`;
}

/** Where the plain files of a profile's snapshots lie now: `find` gets a file's name and says where, or null. */
export function movePlainFiles(db: Db, profileId: number, find: (name: string) => string | null): void {
  const rows = db
    .prepare(
      `SELECT s.id, s.plain_path AS path FROM experiment_snapshots AS s JOIN experiments AS e ON e.id = s.experiment_id
       WHERE e.profile_id = ? AND s.plain_path IS NOT NULL`,
    )
    .all(profileId) as { id: number; path: string }[];
  const set = db.prepare('UPDATE experiment_snapshots SET plain_path = ? WHERE id = ?');
  for (const { id, path } of rows) {
    const found = find(basename(path));
    if (found !== null && found !== path) set.run(found, id);
  }
}

const DECIDED = ['experiments', 'scenarios', 'eval_runs', 'jobs', 'cost_ledger', 'evidence_epochs', 'calibrations'];
const COUNTED = [
  'session_tags',
  'session_usage',
  'session_log_counts',
  'metrics_snapshots',
  'collection_cursors',
  'spool_events',
];

/** More than a set-up and counted sessions: what can't be joined with the records of another profile. */
export function hasHistory(db: Db, profileId: number): boolean {
  return [...DECIDED, 'holdout_consultations', 'baselines', 'profile_moves'].some(
    (table) => db.prepare(`SELECT 1 FROM ${table} WHERE profile_id = ? LIMIT 1`).get(profileId) !== undefined,
  );
}

/** Hands the sessions of a profile without a history to another one, and removes its row. */
export function absorbProfile(db: Db, absorbed: number, into: number): void {
  // Its sessions count from now on in the other's days.
  db.prepare(
    `INSERT INTO days_to_sum (profile_id, day)
     SELECT DISTINCT ?, started_at - started_at % 86400000 FROM session_tags WHERE profile_id = ?
     ON CONFLICT DO UPDATE SET revision = revision + 1`,
  ).run(into, absorbed);
  for (const table of COUNTED) {
    db.prepare(`UPDATE OR IGNORE ${table} SET profile_id = ? WHERE profile_id = ?`).run(into, absorbed);
    db.prepare(`DELETE FROM ${table} WHERE profile_id = ?`).run(absorbed);
  }
  db.prepare('DELETE FROM days_to_sum WHERE profile_id = ?').run(absorbed);
  db.prepare('DELETE FROM profiles WHERE id = ?').run(absorbed);
}

/** Hooks write nothing more for it and nothing is said about its place; its records stay. */
export function switchOffProfile(
  db: Db,
  off: { readonly id: number; readonly kind: 'forgotten' | 'uninstalled'; readonly actor: Actor; readonly at: number },
): void {
  const { id, kind, actor, at } = off;
  const from = db
    .prepare<[number], string>('SELECT root_path FROM profiles WHERE id = ? AND enabled = 1')
    .pluck()
    .get(id);
  if (from === undefined) return;
  db.prepare('UPDATE profiles SET enabled = 0, updated_at = ? WHERE id = ?').run(at, id);
  recordMove(db, { profileId: id, kind, from, to: null, actor, at });
}

export interface MoveRow {
  readonly profileId: number;
  readonly kind: 'relocated' | 'forgotten' | 'uninstalled';
  readonly from: string;
  readonly to: string | null;
  readonly actor: Actor;
  readonly at: number;
}

function recordMove(db: Db, row: MoveRow): void {
  db.prepare(
    `INSERT INTO profile_moves (profile_id, kind, from_path, to_path, actor, at)
     VALUES (@profileId, @kind, @from, @to, @actor, @at)`,
  ).run(row);
}

/** What was said about where the homes of profiles went, oldest first. */
export function listMoves(db: Db): MoveRow[] {
  return db
    .prepare(
      `SELECT profile_id AS profileId, kind, from_path AS "from", to_path AS "to", actor, at
       FROM profile_moves ORDER BY id`,
    )
    .all() as MoveRow[];
}
