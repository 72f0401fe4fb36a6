import { closeSync, existsSync, fsyncSync, linkSync, mkdirSync, openSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { faultCode, fileFault, KarpathyError, whyNotWritten } from '../errors.js';
import { databaseHealth } from './health.js';
import { userVersion, type Db } from './transaction.js';

/** A copy of the controller DB in a file of its own. */
export interface Copied {
  readonly path: string;
  readonly bytes: number;
  readonly schema: number;
}

/**
 * Writes what the DB holds at this moment into a new file, mode 0600, while others go on reading and writing. The
 * file is there as a whole or not at all: it grows as `partial`, on the same file system. A directory that is missing
 * is made.
 * @throws KarpathyError `bad_usage` when the file exists, `io`
 */
export function copyDatabase(db: Db, path: string, partial = `${path}.partial`): Copied {
  let linked = false;
  try {
    makeDirectory(dirname(path));
    rmSync(partial, { force: true });
    // Made here, for SQLite would make it as the umask says; it takes an empty file as its own.
    closeSync(openSync(partial, 'wx', 0o600));
    db.prepare('VACUUM INTO ?').run(partial);
    syncPath(partial);
    // Unlike a rename, a link never replaces what is there.
    linkSync(partial, path);
    linked = true;
    rmSync(partial);
    syncPath(dirname(path));
  } catch (error) {
    if (existsSync(partial)) rmSync(partial);
    // What may not last is not left behind as a backup.
    if (linked) rmSync(path, { force: true });
    throw copyError(path, error);
  }
  return { path, bytes: statSync(path).size, schema: userVersion(db) };
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    const there = faultCode(error) === 'EEXIST';
    throw new KarpathyError('io', `${path} cannot be made: it ${there ? 'is no directory' : fileFault(error)}.`, {
      cause: error,
      hint: 'Name a file in a directory that is there, or that can be made.',
    });
  }
}

function syncPath(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function copyError(path: string, error: unknown): KarpathyError {
  if (error instanceof KarpathyError) return error;
  const code = faultCode(error);
  if (code === 'EEXIST') {
    return new KarpathyError('bad_usage', `${path} exists already; it was not touched.`, {
      hint: 'Name a file that does not exist yet.',
    });
  }
  const message = error instanceof Error ? error.message : String(error);
  const why = whyNotWritten(error);
  const said = why === null ? message : `${dirname(path)} ${why} (${message})`;
  return new KarpathyError('io', `${path} cannot be written: ${said}.`, {
    cause: error,
    hint: `Check that ${dirname(path)} is a directory that is writable and has space left.`,
  });
}

/** @throws KarpathyError `db_corrupt` naming what is wrong with the DB in `path` */
export function requireIntact(db: Db, path: string): void {
  const { problems } = databaseHealth(db);
  if (problems.length === 0) return;
  throw new KarpathyError('db_corrupt', `${path} is damaged: ${problems.slice(0, 3).join('; ')}.`, {
    hint: 'Nothing was changed. Take another backup.',
  });
}
