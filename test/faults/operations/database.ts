import assert from 'node:assert/strict';
import { copyFileSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { backup } from '#src/services/backup.js';
import { reject } from '#src/services/reject.js';
import { openDatabase } from '#src/store/database.js';
import { listExperiments } from '#src/store/experiments.js';
import { MIGRATIONS } from '#src/store/migrations.js';
import { restoreDatabase } from '#src/store/restore.js';
import { userVersion } from '#src/store/transaction.js';
import { live, proposed } from '../../support/experiments.js';
import type { Operation } from '../operation.js';
import { buildRoot, checkInvariants, dump, pathsIn, withContext } from '../world.js';

/** Rewrites a table with many rows, which takes long enough to be hit in the middle. */
const NEWER = [
  ...MIGRATIONS,
  {
    name: '0002_synthetic',
    sql: `CREATE TABLE spool_quarantine_new (id INTEGER PRIMARY KEY, file TEXT NOT NULL, "offset" INTEGER NOT NULL,
        line TEXT NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL, seen INTEGER NOT NULL DEFAULT 0,
        UNIQUE (file, "offset")) STRICT;
      INSERT INTO spool_quarantine_new SELECT id, file, "offset", line, reason, at, 0 FROM spool_quarantine;
      DROP TABLE spool_quarantine;
      ALTER TABLE spool_quarantine_new RENAME TO spool_quarantine;`,
  },
];
const ROWS = 4000;

const saved = (root: string, name: string): string => join(root, name);

export const migrateOperation: Operation = {
  name: 'migrate',
  build: async (root) => {
    await buildRoot(root, async (bench) => {
      await live(bench);
      const insert = bench.db.prepare(
        "INSERT INTO spool_quarantine (file, offset, line, reason, at) VALUES ('x', ?, ?, 'no event', 1)",
      );
      bench.db.transaction(() => {
        for (let index = 0; index < ROWS; index++) insert.run(index, 'some line '.repeat(20));
      })();
    });
    writeFileSync(saved(root, 'expected.txt'), dump(pathsIn(root).dbPath));
  },
  run: async (root) => void openDatabase(pathsIn(root).dbPath, { migrations: NEWER }).close(),
  check: async (root) => {
    const { dbPath } = pathsIn(root);
    const before = new Database(dbPath);
    const found = userVersion(before);
    before.close();
    assert.ok(found === MIGRATIONS.length || found === NEWER.length, `schema ${found} is neither before nor after`);
    const db = openDatabase(dbPath, { migrations: NEWER });
    try {
      checkInvariants(root, db);
      assert.equal(userVersion(db), NEWER.length);
      db.exec('ALTER TABLE spool_quarantine DROP COLUMN seen');
    } finally {
      db.close();
    }
    assert.equal(dump(dbPath), readFileSync(saved(root, 'expected.txt'), 'utf8'), 'every row is there, as it was');
  },
};

export const backupOperation: Operation = {
  name: 'backup',
  build: async (root) => {
    await buildRoot(root, async (bench) => void (await live(bench)));
    writeFileSync(saved(root, 'expected.txt'), dump(pathsIn(root).dbPath));
  },
  run: (root) => withContext(root, (ctx) => void backup(ctx, { toFile: saved(root, 'copy.db') })),
  check: (root) =>
    withContext(root, (ctx) => {
      const expected = readFileSync(saved(root, 'expected.txt'), 'utf8');
      const copy = saved(root, 'copy.db');
      if (existsSync(copy)) {
        assert.equal(dump(copy), expected, 'a backup that is there is whole');
        rmSync(copy);
      }
      backup(ctx, { toFile: copy });
      assert.equal(dump(copy), expected, 'and can be made again');
      assert.equal(dump(ctx.paths.dbPath), expected, 'the DB is as it was');
      checkInvariants(root, ctx.db);
    }),
};

export const restoreOperation: Operation = {
  name: 'restore',
  build: async (root) => {
    await buildRoot(root, async (bench) => {
      const id = proposed(bench);
      backup(bench.ctx, { toFile: saved(root, 'copy.db') });
      await reject(bench.ctx, id, { reason: 'a test' });
    });
    writeFileSync(saved(root, 'expected.txt'), dump(pathsIn(root).dbPath));
    copyFileSync(saved(root, 'copy.db'), saved(root, 'untouched.db'));
  },
  run: async (root) =>
    void restoreDatabase(pathsIn(root).dbPath, saved(root, 'copy.db'), { keepAs: saved(root, 'replaced.db') }),
  check: (root) => {
    const { dbPath } = pathsIn(root);
    const before = readFileSync(saved(root, 'expected.txt'), 'utf8');
    const after = dump(saved(root, 'untouched.db'));
    const found = dump(dbPath);
    assert.ok(found === before || found === after, 'the DB is the one or the other, as a whole');
    if (found === after) assert.equal(dump(saved(root, 'replaced.db')), before, 'what was replaced is kept');
    else rmSync(saved(root, 'replaced.db'), { force: true });
    assert.equal(dump(saved(root, 'copy.db')), after, 'the backup is as it was');
    const keepAs = saved(root, 'replaced-again.db');
    restoreDatabase(dbPath, saved(root, 'copy.db'), { keepAs });
    assert.equal(dump(dbPath), after, 'a restore can be asked for again');
    assert.deepEqual(
      readdirSync(root).filter((name) => /restoring|keeping|partial/.test(name)),
      [],
      'nothing half-written is left',
    );
    return withContext(root, (ctx) => {
      assert.equal(listExperiments(ctx.db)[0]?.state, 'proposed');
      checkInvariants(root, ctx.db);
    });
  },
};
