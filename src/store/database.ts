import { chmodSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { KarpathyError } from '../errors.js';
import { MIGRATIONS } from './migrations.js';

export type Db = Database.Database;

export const SCHEMA_VERSION = MIGRATIONS.length;

export interface OpenOptions {
  /** How long a statement waits for another process's write lock. */
  readonly busyTimeoutMs?: number;
}

/**
 * Opens the controller DB, creating and migrating it as needed. Mode 0600.
 * @throws KarpathyError `db_newer`, `db_corrupt`, `db_busy`, `io`
 */
export function openDatabase(path: string, options: OpenOptions = {}): Db {
  const fresh = !existsSync(path);
  let db: Db;
  try {
    makeDirectory(dirname(path));
    db = new Database(path, { timeout: options.busyTimeoutMs ?? 5000 });
  } catch (error) {
    throw openError(path, error);
  }
  try {
    // First of all: switching the journal mode already writes.
    assertSchemaVersion(db, path);
    refuseForeign(db, path);
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = FULL');
    db.pragma('foreign_keys = ON');
    // Without this, INSERT OR REPLACE deletes rows behind the back of the append-only triggers.
    db.pragma('recursive_triggers = ON');
    if (fresh) chmodSync(path, 0o600);
    migrate(db, path);
    return db;
  } catch (error) {
    db.close();
    throw openError(path, error);
  }
}

/** Step by step: Node's own recursive mkdir never returns where a file system refuses new directories, as /proc does. */
function makeDirectory(path: string): void {
  if (existsSync(path)) return;
  makeDirectory(dirname(path));
  mkdirSync(path, { mode: 0o700 });
}

function openError(path: string, error: unknown): KarpathyError {
  if (error instanceof KarpathyError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const message = error instanceof Error ? error.message : String(error);
  if (code === 'SQLITE_NOTADB' || code.startsWith('SQLITE_CORRUPT')) {
    return new KarpathyError('db_corrupt', `The controller DB ${path} is damaged: ${message}.`, {
      cause: error,
      hint: `Nothing was changed. Move the file away to start afresh, or put a backup in its place; SOUL.md snapshots also lie as plain files in the data directory.`,
    });
  }
  if (code.startsWith('SQLITE_BUSY')) {
    return new KarpathyError('db_busy', `The controller DB ${path} stayed locked by another process.`, {
      cause: error,
      hint: 'Try again in a moment; `karpathy jobs` shows what is running.',
    });
  }
  return new KarpathyError('io', `The controller DB ${path} cannot be opened for writing: ${message}.`, {
    cause: error,
    hint: 'Check that the directory exists, is writable and has space left.',
  });
}

function userVersion(db: Db): number {
  return db.pragma('user_version', { simple: true }) as number;
}

/** Refuses to work on a schema that a newer plugin wrote. @throws KarpathyError `db_newer` */
export function assertSchemaVersion(db: Db, path = db.name): void {
  const found = userVersion(db);
  if (found > SCHEMA_VERSION) {
    throw new KarpathyError(
      'db_newer',
      `The controller DB ${path} has schema ${found}; this build knows up to ${SCHEMA_VERSION}.`,
      { hint: 'A newer install of the plugin uses this DB: update this one, then run `hermes karpathy setup`.' },
    );
  }
}

function migrate(db: Db, path: string): void {
  assertSchemaVersion(db, path);
  const from = userVersion(db);
  if (from === SCHEMA_VERSION) return;
  if (from > 0) rehearse(db, path, from);
  immediate(db, () => {
    // Another process may have migrated while this one waited for the lock.
    const current = userVersion(db);
    assertSchemaVersion(db, path);
    if (current > 0) refuseDuringJob(db);
    for (const migration of MIGRATIONS.slice(current)) db.exec(migration.sql);
    db.pragma(`user_version = ${SCHEMA_VERSION}`);
  });
}

/** A `db_path` that names another program's database must not get our tables. */
function refuseForeign(db: Db, path: string): void {
  const version = userVersion(db);
  const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").pluck().all();
  if (tables.length === 0 ? version === 0 : tables.includes('experiments')) return;
  throw new KarpathyError('db_corrupt', `${path} is a database, but not the controller DB of this plugin.`, {
    hint: 'Nothing was changed. Correct db_path (or KARPATHY_DB_PATH), or put a backup in its place.',
  });
}

function refuseDuringJob(db: Db): void {
  const busy = db.prepare("SELECT 1 FROM jobs WHERE state = 'running' AND lease_expires_at > ?").get(Date.now());
  if (busy !== undefined) {
    throw new KarpathyError('busy', 'A job is running; the controller DB is not migrated under it.', {
      hint: 'Wait for it or stop it, then run the command again.',
    });
  }
}

/** Runs the migrations on a copy first: a migration that fails there leaves the DB as it was. */
function rehearse(db: Db, path: string, from: number): void {
  const copyPath = `${path}.migrating-${process.pid}`;
  try {
    rmSync(copyPath, { force: true });
    db.prepare('VACUUM INTO ?').run(copyPath);
    const copy = new Database(copyPath);
    try {
      for (const migration of MIGRATIONS.slice(from)) copy.exec(migration.sql);
      const broken = copy.pragma('foreign_key_check') as unknown[];
      if (broken.length > 0) throw new Error(`${broken.length} foreign keys would break`);
    } finally {
      copy.close();
    }
  } finally {
    rmSync(copyPath, { force: true });
  }
}

/**
 * Runs `work` in one BEGIN IMMEDIATE transaction, checking the schema first. `work` must be synchronous: what an
 * async function does after its first await would run outside the transaction.
 * @throws KarpathyError `db_newer`, `db_busy`, `db_corrupt`, `io`, and whatever `work` throws
 */
export function immediate<T>(db: Db, work: () => T): T {
  const transaction = db.transaction(() => {
    assertSchemaVersion(db);
    const result = work();
    if (result instanceof Promise) throw new TypeError('a transaction body must be synchronous');
    return result;
  });
  try {
    return transaction.immediate();
  } catch (error) {
    throw isDiskOrLock(error) ? openError(db.name, error) : error;
  }
}

/** Faults of the file under the DB, which a person can do something about; a broken constraint is not one. */
function isDiskOrLock(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    /^SQLITE_(BUSY|LOCKED|FULL|IOERR|READONLY|CANTOPEN|CORRUPT|NOTADB)/.test(String(error.code))
  );
}
