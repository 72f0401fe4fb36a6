import { chmodSync, copyFileSync, existsSync, linkSync, renameSync, rmSync, statSync } from 'node:fs';
import Database from 'better-sqlite3';
import { DB_WAIT_MS, faultCode, KarpathyError } from '../errors.js';
import { copyDatabase, requireIntact } from './backup.js';
import { refuseForeign } from './database.js';
import { refuseDuringJob } from './migrate.js';
import { assertSchemaVersion, openError, userVersion, type Db } from './transaction.js';

export interface Restored {
  /** Where what was replaced lies; null when there was nothing. */
  readonly keptAs: string | null;
  /** The schema of the backup; an older one is migrated when the DB is opened next. */
  readonly schema: number;
}

/**
 * Puts a backup in the place of the controller DB `path`, all or nothing, and keeps what was there as `keepAs`. Other
 * processes may have the DB open: its content is replaced in one transaction under the write lock, so that none of
 * them writes to a file that nobody reads any more. Only a DB that is damaged is moved aside.
 * @throws KarpathyError `bad_usage`, `db_corrupt`, `db_newer` when the backup can't be used; `busy` while a job runs;
 *   `db_busy`, `io`. Nothing is changed then.
 */
export function restoreDatabase(path: string, backup: string, options: { readonly keepAs: string }): Restored {
  const staged = `${path}.restoring`;
  removeWithJournals(staged);
  try {
    const schema = stage(backup, staged, path);
    const live = existsSync(path) ? openIntact(path) : null;
    if (live === null) return { keptAs: replaceFiles({ path, staged, keepAs: options.keepAs }), schema };
    try {
      replaceContent(live, { path, staged, keepAs: options.keepAs });
      return { keptAs: options.keepAs, schema };
    } finally {
      live.close();
    }
  } catch (error) {
    throw openError(path, error);
  } finally {
    removeWithJournals(staged);
  }
}

interface Files {
  readonly path: string;
  readonly staged: string;
  readonly keepAs: string;
}

/** For a DB that is gone or that SQLite can't read. A process that is killed on the way leaves one of both in place. */
function replaceFiles({ path, staged, keepAs }: Files): string | null {
  const there = existsSync(path);
  if (there) linkSync(path, keepAs);
  // The journal of the old one would be replayed into the new one.
  for (const suffix of ['-wal', '-shm', '-journal']) {
    if (existsSync(path + suffix)) renameSync(path + suffix, keepAs + suffix);
  }
  renameSync(staged, path);
  return there ? keepAs : null;
}

function removeWithJournals(path: string): void {
  for (const suffix of ['', '-journal', '-wal', '-shm']) rmSync(path + suffix, { force: true });
}

/** Copies the backup next to the DB and proves it there, so that what was proven is what is used. */
function stage(backup: string, staged: string, path: string): number {
  const stats = statSync(backup, { throwIfNoEntry: false });
  if (stats === undefined || !stats.isFile()) {
    throw new KarpathyError(
      'bad_usage',
      `${backup} ${stats === undefined ? 'does not exist' : 'is no regular file'}.`,
      {
        hint: '`hermes karpathy backup` writes one.',
      },
    );
  }
  const live = statSync(path, { throwIfNoEntry: false });
  if (live !== undefined && live.ino === stats.ino && live.dev === stats.dev) {
    throw new KarpathyError('bad_usage', `${backup} is the controller DB itself.`, { hint: 'Name a backup of it.' });
  }
  // A DB that was copied by hand, instead of by `backup`, may have its newest part in the second file.
  for (const suffix of ['', '-wal']) {
    if (!existsSync(backup + suffix)) continue;
    copyFileSync(backup + suffix, staged + suffix);
    chmodSync(staged + suffix, 0o600);
  }
  try {
    const db = new Database(staged);
    try {
      if (userVersion(db) === 0) throw notOurs(backup);
      assertSchemaVersion(db, backup);
      refuseForeign(db, backup);
      requireIntact(db, backup);
      db.pragma('journal_mode = DELETE');
      return userVersion(db);
    } finally {
      db.close();
    }
  } catch (error) {
    throw openError(backup, error);
  }
}

function notOurs(backup: string): KarpathyError {
  return new KarpathyError('db_corrupt', `${backup} is no backup of the controller DB: it is empty.`, {
    hint: 'Nothing was changed. `hermes karpathy backup` writes one.',
  });
}

/** The live DB, or null when SQLite can't read it any more. */
function openIntact(path: string): Db | null {
  const db = new Database(path, { timeout: DB_WAIT_MS });
  try {
    const found = db.prepare('PRAGMA quick_check(1)').pluck().get();
    if (found === 'ok') return db;
  } catch (error) {
    const code = faultCode(error);
    if (!/^SQLITE_(NOTADB|CORRUPT)/.test(code)) {
      db.close();
      throw error;
    }
  }
  db.close();
  return null;
}

function replaceContent(live: Db, files: Files): void {
  assertSchemaVersion(live, files.path);
  refuseForeign(live, files.path);
  // Tables are dropped while others still point to them; the pragma has no effect inside a transaction.
  live.pragma('foreign_keys = OFF');
  live.prepare('ATTACH ? AS restored').run(files.staged);
  live
    .transaction(() => {
      assertSchemaVersion(live, files.path);
      if (hasTable(live, 'jobs')) refuseDuringJob(live, 'replaced');
      keep(files);
      dropAll(live);
      copyAll(live);
      live.pragma(`user_version = ${live.pragma('restored.user_version', { simple: true }) as number}`);
      // Whoever ran a job when the backup was made does so no more; the next executor goes on with it.
      live.exec(`UPDATE jobs SET fencing_token = fencing_token + 1, lease_expires_at = 0 WHERE state = 'running'`);
    })
    .exclusive();
}

function hasTable(db: Db, name: string): boolean {
  return db.prepare("SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = ?").get(name) !== undefined;
}

/** Another connection reads what is committed, which the caller's lock keeps as it is. */
function keep({ path, keepAs }: Files): void {
  const reader = new Database(path, { readonly: true });
  try {
    // One name for all, so that the next restore removes what a killed one left.
    copyDatabase(reader, keepAs, `${path}.keeping`);
  } finally {
    reader.close();
  }
}

interface SchemaObject {
  readonly type: 'table' | 'index' | 'trigger' | 'view';
  readonly name: string;
  readonly sql: string;
}

function objects(db: Db, schema: 'main' | 'restored', type: SchemaObject['type']): SchemaObject[] {
  return db
    .prepare(
      `SELECT type, name, sql FROM ${schema}.sqlite_schema
       WHERE type = ? AND sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid`,
    )
    .all(type) as SchemaObject[];
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

function dropAll(db: Db): void {
  for (const type of ['trigger', 'view', 'table'] as const) {
    for (const { name } of objects(db, 'main', type)) db.exec(`DROP ${type} main.${quoted(name)}`);
  }
}

/** Rows before triggers: what is append-only takes them all the same. */
function copyAll(db: Db): void {
  for (const { name, sql } of objects(db, 'restored', 'table')) {
    db.exec(sql);
    db.exec(`INSERT INTO main.${quoted(name)} SELECT * FROM restored.${quoted(name)}`);
  }
  db.exec('DELETE FROM main.sqlite_sequence; INSERT INTO main.sqlite_sequence SELECT * FROM restored.sqlite_sequence');
  for (const type of ['index', 'view', 'trigger'] as const) {
    for (const { sql } of objects(db, 'restored', type)) db.exec(sql);
  }
}
