import { dirname } from 'node:path';
import type Database from 'better-sqlite3';
import { DB_WAIT_MS, faultCode, KarpathyError } from '../errors.js';
import { MIGRATIONS } from './migrations.js';

export type Db = Database.Database;

export const SCHEMA_VERSION = MIGRATIONS.length;

/** The schema that the build which opened a connection knows. */
const knownSchemas = new WeakMap<Db, number>();

/** A connection works with the schema of the build that opened it. */
export function knowSchema(db: Db, version: number): void {
  knownSchemas.set(db, version);
}

/** The number of migrations that a database has seen. */
export function userVersion(db: Db): number {
  return db.pragma('user_version', { simple: true }) as number;
}

/** Refuses to work on a schema that a newer plugin wrote. @throws KarpathyError `db_newer` */
export function assertSchemaVersion(db: Db, path = db.name): void {
  const found = userVersion(db);
  const known = knownSchemas.get(db) ?? SCHEMA_VERSION;
  if (found > known) {
    throw new KarpathyError(
      'db_newer',
      `The controller DB ${path} has schema ${found}; this build knows up to ${known}.`,
      { hint: 'A newer install of the plugin uses this DB: update this one, then run `hermes karpathy setup`.' },
    );
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
    throw isDiskOrLock(error) ? openError(db.name, error, waitOf(db)) : error;
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

function waitOf(db: Db): number {
  return db.pragma('busy_timeout', { simple: true }) as number;
}

/**
 * What a fault of SQLite means to a person. A KarpathyError stays as it is. `waitedMs`: how long the connection waits
 * for a lock.
 */
export function openError(path: string, error: unknown, waitedMs = DB_WAIT_MS): KarpathyError {
  if (error instanceof KarpathyError) return error;
  const code = faultCode(error);
  const message = error instanceof Error ? error.message : String(error);
  if (code === 'SQLITE_NOTADB' || code.startsWith('SQLITE_CORRUPT')) {
    return new KarpathyError('db_corrupt', `The controller DB ${path} is damaged: ${message}.`, {
      cause: error,
      hint: 'Nothing was changed. `hermes karpathy restore FILE` puts a backup in its place; the snapshots of the target also lie as plain files in the data directory.',
    });
  }
  if (code.startsWith('SQLITE_BUSY')) {
    return new KarpathyError(
      'db_busy',
      `The controller DB ${path} stayed locked by another process for ${waitedMs / 1000} seconds.`,
      {
        cause: error,
        hint: `Nothing was half written. Try again in a moment; if it stays, \`lsof ${path}\` names the processes that have it open.`,
      },
    );
  }
  return new KarpathyError('io', `The controller DB ${path} cannot be written: ${message}.`, {
    cause: error,
    hint: `Check that ${dirname(path)} exists, is writable and has space left, then run the command again.`,
  });
}
