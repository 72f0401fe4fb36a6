import { closeSync, existsSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { DB_WAIT_MS, KarpathyError } from '../errors.js';
import { migrate } from './migrate.js';
import { MIGRATIONS, type Migration } from './migrations.js';
import { assertSchemaVersion, knowSchema, openError, userVersion, type Db } from './transaction.js';

export { assertSchemaVersion, immediate, SCHEMA_VERSION, type Db } from './transaction.js';

export interface OpenOptions {
  readonly busyTimeoutMs?: number;
  /** Other ones than this build's only in tests. */
  readonly migrations?: readonly Migration[];
}

/**
 * Opens the controller DB, creating and migrating it as needed. Mode 0600.
 * @throws KarpathyError `db_newer`, `db_corrupt`, `db_busy`, `io`; `busy` when a job runs and a migration is due
 */
export function openDatabase(path: string, options: OpenOptions = {}): Db {
  const waitMs = options.busyTimeoutMs ?? DB_WAIT_MS;
  let db: Db;
  try {
    refuseOtherKinds(path);
    makeDirectory(dirname(path));
    createPrivate(path);
    db = new Database(path, { timeout: waitMs });
  } catch (error) {
    throw openError(path, error, waitMs);
  }
  const migrations = options.migrations ?? MIGRATIONS;
  knowSchema(db, migrations.length);
  try {
    // First of all: switching the journal mode already writes.
    assertSchemaVersion(db, path);
    refuseForeign(db, path);
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = FULL');
    // Kibibytes. The driver's 16 MiB would be most of what a command holds; the system keeps the file in memory anyway.
    db.pragma('cache_size = -4000');
    db.pragma('foreign_keys = ON');
    // Without this, INSERT OR REPLACE deletes rows behind the back of the append-only triggers.
    db.pragma('recursive_triggers = ON');
    migrate(db, migrations);
    return db;
  } catch (error) {
    db.close();
    throw openError(path, error, waitMs);
  }
}

/** One in memory, with the schema of this build and nothing in it. */
export function emptyDatabase(): Db {
  const db = new Database(':memory:');
  migrate(db, MIGRATIONS);
  return db;
}

/** Step by step: Node's own recursive mkdir never returns where a file system refuses new directories, as /proc does. */
function makeDirectory(path: string): void {
  if (existsSync(path)) return;
  makeDirectory(dirname(path));
  mkdirSync(path, { mode: 0o700 });
}

/** SQLite would create it as the umask says, and its journals with the same permissions. */
function createPrivate(path: string): void {
  if (!existsSync(path)) closeSync(openSync(path, 'a', 0o600));
}

/** SQLite would write its pages into whatever is there, a device included. @throws KarpathyError `io` */
function refuseOtherKinds(path: string): void {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined || stats.isFile()) return;
  const kind = stats.isDirectory() ? 'a directory' : stats.isFIFO() ? 'a named pipe (FIFO)' : 'a device or socket';
  throw new KarpathyError('io', `The controller DB ${path} is ${kind}, and no file.`, {
    hint: 'Nothing was changed. Correct db_path (or KARPATHY_DB_PATH), or move away what is there.',
  });
}

/** What a DB of ours has at least; other programs have tables of one of these names, too. */
const OUR_TABLES = ['profiles', 'experiments', 'experiment_state_transitions', 'file_operations'];

/** A `db_path` that names another program's database must not get our tables. @throws KarpathyError `db_corrupt` */
export function refuseForeign(db: Db, path: string): void {
  const version = userVersion(db);
  const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").pluck().all();
  const isNew = tables.length === 0 && version === 0;
  if (isNew || (version > 0 && OUR_TABLES.every((name) => tables.includes(name)))) return;
  throw new KarpathyError('db_corrupt', `${path} is a database, but not the controller DB of this plugin.`, {
    hint: 'Nothing was changed. Correct db_path (or KARPATHY_DB_PATH), or put a backup in its place.',
  });
}
