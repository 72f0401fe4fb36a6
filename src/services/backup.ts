import { statSync } from 'node:fs';
import { join } from 'node:path';
import { requireRoom } from '../ratchet/room.js';
import { copyDatabase, requireIntact, type Copied } from '../store/backup.js';
import { openDatabase, type Db } from '../store/database.js';
import { restoreDatabase, type Restored } from '../store/restore.js';
import { requirePerson } from './authority.js';
import type { Context } from './context.js';
import { refreshMarkers } from './markers.js';

/**
 * Copies the controller DB of all profiles into a new file, by default in the data directory. A damaged DB is not
 * backed up: the copy would pass for a good one.
 * @throws KarpathyError `db_corrupt`; `bad_usage` when the file exists; `io`
 */
export function backup(ctx: Context, options: { readonly toFile?: string } = {}): Copied {
  requireIntact(ctx.db, ctx.paths.dbPath);
  const { backupsDir } = ctx.paths;
  requireRoom([{ what: 'the backup', path: options.toFile ?? backupsDir, bytes: databaseBytes(ctx.db) }]);
  if (options.toFile !== undefined) return copyDatabase(ctx.db, options.toFile);
  return copyDatabase(ctx.db, join(backupsDir, `${stamp(ctx)}.db`), join(backupsDir, '.partial'));
}

/**
 * Puts a backup in the place of the controller DB of all profiles and keeps what was there beside it. The target
 * files of the profiles stay as they are. Works where the DB is damaged or gone: `ctx.db` is not used.
 * @throws KarpathyError `needs_person`; `bad_usage`, `db_corrupt`, `db_newer` when the backup can't be used; `busy`
 *   while a job runs; `db_busy`, `io`. Nothing is changed then.
 */
export function restore(ctx: Context, file: string): Restored {
  requirePerson(ctx, 'replacing the controller DB');
  const { paths } = ctx;
  requireRoom([{ what: 'copies of both databases', path: paths.dbPath, bytes: copiesBytes(file, paths.dbPath) }]);
  const restored = restoreDatabase(paths.dbPath, file, { keepAs: `${paths.dbPath}.replaced-${stamp(ctx)}` });
  const db = openDatabase(paths.dbPath);
  try {
    refreshMarkers({ db, paths });
  } finally {
    db.close();
  }
  return restored;
}

function databaseBytes(db: Db): number {
  return (db.pragma('page_count', { simple: true }) as number) * (db.pragma('page_size', { simple: true }) as number);
}

/** What is put in place is copied beside the DB and then written through its log; what was there is kept. */
function copiesBytes(file: string, dbPath: string): number {
  const size = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  return 3 * size(file) + size(dbPath) + size(`${dbPath}-wal`);
}

/** `2026-01-05T12-00-00-000Z`: sorts by time and is a file name everywhere. */
function stamp(ctx: Context): string {
  return new Date(ctx.clock.now()).toISOString().replaceAll(/[:.]/g, '-');
}
