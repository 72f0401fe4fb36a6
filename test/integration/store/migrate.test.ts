import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { immediate, openDatabase, SCHEMA_VERSION, type Db } from '#src/store/database.js';
import { databaseHealth } from '#src/store/health.js';
import { MIGRATIONS, type Migration } from '#src/store/migrations.js';
import { userVersion } from '#src/store/transaction.js';
import { testContext, type TestContext } from '../../support/context.js';
import { proposed } from '../../support/experiments.js';

/** Rebuilds a table that others point to, which is what a migration can get wrong. */
const REBUILD: Migration = {
  name: '0002_rebuild',
  sql: `CREATE TABLE profiles_new AS SELECT * FROM profiles;
    DROP TABLE profiles;
    ${MIGRATIONS[0]!.sql.slice(MIGRATIONS[0]!.sql.indexOf('CREATE TABLE profiles')).split(') STRICT;')[0]}) STRICT;
    INSERT INTO profiles SELECT * FROM profiles_new;
    DROP TABLE profiles_new;
    ALTER TABLE profiles ADD COLUMN nickname TEXT;`,
};
const NEWER = [...MIGRATIONS, REBUILD];

let fixture: TestContext;
let path: string;
beforeEach(() => {
  fixture = testContext();
  path = fixture.ctx.paths.dbPath;
  proposed(fixture);
});

const leftovers = () => readdirSync(dirname(path)).filter((name) => name.includes('migrating'));
function refusal(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error('was not refused');
}
function lease(db: Db, expiresAt: number): void {
  db.prepare(
    `INSERT INTO jobs (profile_id, kind, state, payload, requested_by, lease_expires_at, created_at)
     VALUES (?, 'run', 'running', '{}', 'person@cli', ?, 1)`,
  ).run(fixture.profileId, expiresAt);
}

describe('a migration', () => {
  it('keeps every row, also of a table that is rebuilt and that others point to', () => {
    const before = fixture.db.prepare('SELECT * FROM profiles').all();
    const db = openDatabase(path, { migrations: NEWER });
    expect(userVersion(db)).toBe(SCHEMA_VERSION + 1);
    expect(db.prepare('SELECT * FROM profiles').all()).toEqual(
      before.map((row) => ({ ...(row as object), nickname: null })),
    );
    expect(databaseHealth(db).problems).toEqual([]);
    expect(db.pragma('foreign_keys', { simple: true })).toBe(1);
    expect(leftovers()).toEqual([]);
    db.close();
  });

  it('stops the workers of the older build, which write nothing more', () => {
    openDatabase(path, { migrations: NEWER }).close();
    expect(refusal(() => proposed(fixture))).toMatchObject({ code: 'db_newer' });
    expect(refusal(() => immediate(fixture.db, () => undefined))).toMatchObject({ code: 'db_newer' });
    expect(refusal(() => openDatabase(path))).toMatchObject({ code: 'db_newer', exitCode: 3 });
  });

  it('is refused while a lease is live, naming the job, and done once it has run out', () => {
    lease(fixture.db, Date.now() + 60_000);
    const error = refusal(() => openDatabase(path, { migrations: NEWER })) as Error;
    expect(error).toMatchObject({ code: 'busy' });
    expect(error.message).toContain('Job 1 (run) is running');
    expect(userVersion(fixture.db)).toBe(SCHEMA_VERSION);
    fixture.db.prepare('UPDATE jobs SET lease_expires_at = ?').run(Date.now() - 1);
    openDatabase(path, { migrations: NEWER }).close();
    expect(userVersion(fixture.db)).toBe(SCHEMA_VERSION + 1);
  });

  it.each([
    ['breaks a foreign key', 'DELETE FROM profiles'],
    ['is no SQL', 'CREATE TABEL x (y)'],
    ['fails at its second statement', 'CREATE TABLE x (y); INSERT INTO x VALUES (1, 2)'],
  ])('that %s is tried on a copy only', (_, sql) => {
    const before = readFileSync(path);
    const migrations = [...MIGRATIONS, { name: '0002_wrong', sql }];
    expect(refusal(() => openDatabase(path, { migrations }))).toMatchObject({
      code: 'internal',
      hint: expect.stringContaining('is as it was') as string,
    });
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(leftovers()).toEqual([]);
  });

  it('removes the copy of one that was killed', () => {
    writeFileSync(`${path}.migrating`, 'half a copy');
    openDatabase(path, { migrations: NEWER }).close();
    expect(leftovers()).toEqual([]);
  });

  it('waits for nothing when there is nothing to migrate', () => {
    lease(fixture.db, Date.now() + 60_000);
    openDatabase(path).close();
    expect(existsSync(join(dirname(path), 'migrating'))).toBe(false);
  });
});
