import { rmSync } from 'node:fs';
import Database from 'better-sqlite3';
import { KarpathyError } from '../errors.js';
import { immediate, userVersion, type Db } from './transaction.js';
import type { Migration } from './migrations.js';

/**
 * Brings the schema up to `migrations`, all in one transaction, after they have worked on a copy: one that fails
 * there, or is killed anywhere, leaves the DB as it was.
 * @throws KarpathyError `db_newer`, `db_busy`, `io`; `busy` while a job is running
 */
export function migrate(db: Db, migrations: readonly Migration[]): void {
  if (userVersion(db) === migrations.length) return;
  // A table that is rebuilt is dropped in between; the pragma has no effect inside a transaction.
  db.pragma('foreign_keys = OFF');
  try {
    immediate(db, () => {
      // Another process may have migrated while this one waited for the lock.
      const current = userVersion(db);
      const due = migrations.slice(current);
      if (due.length === 0) return;
      if (current > 0) {
        refuseDuringJob(db, 'migrated');
        rehearse(db.name, due);
      }
      run(db, due);
      db.pragma(`user_version = ${migrations.length}`);
    });
  } finally {
    db.pragma('foreign_keys = ON');
  }
}

function run(db: Db, migrations: readonly Migration[]): void {
  for (const migration of migrations) db.exec(migration.sql);
  const broken = db.pragma('foreign_key_check') as unknown[];
  if (broken.length > 0) throw new Error(`${broken.length} foreign keys would break`);
}

/** On a copy made by another connection: the caller's holds the write lock, so the copy is what will be migrated. */
function rehearse(path: string, due: readonly Migration[]): void {
  const copyPath = `${path}.migrating`;
  const remove = () => {
    for (const suffix of ['', '-journal', '-wal', '-shm']) rmSync(copyPath + suffix, { force: true });
  };
  // Whoever holds the lock is the only one who rehearses: what lies there is of a process that died.
  remove();
  try {
    const reader = new Database(path, { readonly: true });
    try {
      reader.prepare('VACUUM INTO ?').run(copyPath);
    } finally {
      reader.close();
    }
    const copy = new Database(copyPath);
    try {
      copy.pragma('foreign_keys = OFF');
      copy.transaction(() => run(copy, due)).immediate();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      throw new KarpathyError('internal', `The schema cannot be updated: ${message} (tried on a copy of ${path}).`, {
        cause: error,
        hint: 'The controller DB is as it was; the plugin version before this one can go on with it.',
      });
    } finally {
      copy.close();
    }
  } finally {
    remove();
  }
}

/** Whoever works on a job knows the DB as it is. `what`: as in "the controller DB is not ... under it". */
export function refuseDuringJob(db: Db, what: string): void {
  const job = db
    .prepare("SELECT id, kind FROM jobs WHERE state = 'running' AND lease_expires_at > ? ORDER BY id")
    .get(Date.now()) as { id: number; kind: string } | undefined;
  if (job === undefined) return;
  throw new KarpathyError(
    'busy',
    `Job ${job.id} (${job.kind}) is running; the controller DB is not ${what} under it.`,
    {
      hint: 'Wait for it, or stop it with `hermes karpathy jobs cancel`, then run the command again.',
    },
  );
}
