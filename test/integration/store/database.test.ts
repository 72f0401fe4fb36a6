import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { beforeEach, describe, expect, it } from 'vitest';
import { isKarpathyError, type KarpathyError } from '#src/errors.js';
import { immediate, openDatabase, SCHEMA_VERSION } from '#src/store/database.js';
import { temporaryDirectory, testContext } from '../../support/context.js';
import { proposed } from '../../support/experiments.js';

let path: string;
beforeEach(() => {
  path = join(temporaryDirectory(), 'karpathy-self-improve.db');
});

function refusal(work: () => unknown): KarpathyError {
  try {
    work();
  } catch (error) {
    if (isKarpathyError(error)) return error;
    throw error;
  }
  throw new Error('was not refused');
}

describe('opening the controller DB', () => {
  it('creates it with mode 0600, WAL, foreign keys and recursive triggers', () => {
    const db = openDatabase(path);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(db.pragma('journal_mode', { simple: true })).toBe('wal');
    expect(db.pragma('foreign_keys', { simple: true })).toBe(1);
    expect(db.pragma('recursive_triggers', { simple: true })).toBe(1);
    expect(db.pragma('user_version', { simple: true })).toBe(SCHEMA_VERSION);
    db.close();
  });

  it('a second time changes nothing', () => {
    openDatabase(path).close();
    const before = readFileSync(path);
    openDatabase(path).close();
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it('refuses one that a newer plugin wrote, and leaves it as it is', () => {
    const db = openDatabase(path);
    db.pragma(`user_version = ${SCHEMA_VERSION + 1}`);
    db.close();
    const before = readFileSync(path);
    const error = refusal(() => openDatabase(path));
    expect([error.code, error.exitCode]).toEqual(['db_newer', 3]);
    expect(error.message).toContain(`schema ${SCHEMA_VERSION + 1}`);
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it('stops writing when a newer plugin migrates it meanwhile', () => {
    const old = openDatabase(path);
    const newer = openDatabase(path);
    newer.pragma(`user_version = ${SCHEMA_VERSION + 1}`);
    expect(refusal(() => immediate(old, () => old.exec('DELETE FROM jobs'))).code).toBe('db_newer');
    newer.close();
    old.close();
  });

  it.each([
    ['no database at all', Buffer.from('This is not a database. '.repeat(100))],
    ['a database with a damaged first page', null],
  ])('names %s as damaged, and leaves it as it is', (_, content) => {
    if (content !== null) writeFileSync(path, content);
    else {
      openDatabase(path).close();
      const bytes = readFileSync(path);
      bytes.fill(0xab, 100, 4096);
      writeFileSync(path, bytes);
    }
    const before = readFileSync(path);
    expect(refusal(() => openDatabase(path)).code).toBe('db_corrupt');
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it('names a directory in its place', () => {
    expect(refusal(() => openDatabase(temporaryDirectory())).code).toBe('io');
  });

  it("does not put its tables into another program's database", () => {
    const other = new Database(path);
    other.exec('CREATE TABLE theirs (a)');
    other.close();
    const before = readFileSync(path);
    expect(refusal(() => openDatabase(path)).message).toMatch(/not the controller DB/);
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it.runIf(process.platform === 'linux')('names a place where no directory can be made', () => {
    // Node's recursive mkdir would try for ever here.
    expect(refusal(() => openDatabase(join('/proc', 'nothing', 'here', 'x.db'))).code).toBe('io');
  });

  it.skipIf(process.getuid?.() === 0)('names a read-only directory', () => {
    const directory = temporaryDirectory();
    chmodSync(directory, 0o500);
    expect(refusal(() => openDatabase(join(directory, 'x.db'))).code).toBe('io');
    chmodSync(directory, 0o700);
  });

  it('names a lock that stays', () => {
    const holder = openDatabase(path);
    holder.exec('BEGIN EXCLUSIVE');
    const waiter = new Database(path, { timeout: 20 });
    expect(refusal(() => immediate(waiter, () => undefined)).code).toBe('db_busy');
    waiter.close();
    holder.exec('ROLLBACK');
    holder.close();
  });
});

describe('a transaction', () => {
  it('refuses an asynchronous body and keeps nothing of it', () => {
    const { db, profileId } = testContext();
    const body = () => {
      db.prepare('UPDATE profiles SET name = ? WHERE id = ?').run('changed', profileId);
      return Promise.resolve();
    };
    expect(() => immediate(db, body)).toThrow(TypeError);
    expect(db.prepare('SELECT name FROM profiles').pluck().get()).toBe('dev');
  });
});

describe('what is append-only', () => {
  it.each([
    ['an update', "UPDATE experiment_state_transitions SET actor = 'nobody'"],
    ['a deletion', 'DELETE FROM experiment_state_transitions'],
    [
      'INSERT OR REPLACE',
      `INSERT OR REPLACE INTO experiment_state_transitions (id, experiment_id, from_state, to_state, actor, reason, at)
       SELECT id, experiment_id, from_state, 'rejected', actor, reason, at FROM experiment_state_transitions`,
    ],
  ])('the audit log refuses %s', (_, sql) => {
    const fixture = testContext();
    proposed(fixture);
    const log = () => fixture.db.prepare('SELECT * FROM experiment_state_transitions').all();
    const before = log();
    expect(() => fixture.db.exec(sql)).toThrow(/append-only/);
    expect(log()).toEqual(before);
  });

  it.each([
    ['an update', 'UPDATE error_budget_ledger SET alpha = 0.001'],
    ['a deletion', 'DELETE FROM error_budget_ledger'],
    ['INSERT OR REPLACE', `INSERT OR REPLACE INTO error_budget_ledger SELECT * FROM error_budget_ledger`],
    ['another alpha of an epoch', 'UPDATE evidence_epochs SET alpha = 0.5'],
    ['the end of an epoch', 'DELETE FROM evidence_epochs'],
    [
      'a second chance at the same share',
      `INSERT INTO error_budget_ledger (profile_id, epoch_id, evidence_fingerprint, kind, consultation, alpha, eval_run_id, at)
       SELECT profile_id, epoch_id, evidence_fingerprint, kind, consultation, alpha, 2, at FROM error_budget_ledger`,
    ],
  ])('the error budget refuses %s', (_, sql) => {
    const { db, profileId } = testContext();
    db.exec(`INSERT INTO eval_runs (id, profile_id, purpose, plan, plan_sha256, incumbent_sha256, created_at)
      VALUES (1, ${profileId}, 'selection', '{}', 'x', 'y', 1), (2, ${profileId}, 'selection', '{}', 'x', 'y', 1)`);
    db.exec(`INSERT INTO evidence_epochs (id, profile_id, number, alpha, evidence, evidence_fingerprint, actor, reason, at)
      VALUES (1, ${profileId}, 1, 0.05, '{}', 'x', 'gate', 'first', 1)`);
    db.exec(`INSERT INTO error_budget_ledger (profile_id, epoch_id, evidence_fingerprint, kind, consultation, alpha, eval_run_id, at)
      VALUES (${profileId}, 1, 'x', 'improvement', 1, 0.01, 1, 1)`);
    expect(() => db.exec(sql)).toThrow(/append-only|is spent/);
    expect(db.prepare('SELECT alpha FROM error_budget_ledger').pluck().get()).toBe(0.01);
  });

  it('the plan of an eval run never changes', () => {
    const { db, profileId } = testContext();
    db.exec(`INSERT INTO eval_runs (id, profile_id, purpose, plan, plan_sha256, incumbent_sha256, created_at)
      VALUES (1, ${profileId}, 'selection', '{}', 'x', 'y', 1)`);
    expect(() => db.exec(`UPDATE eval_runs SET plan = '{"alpha":1}'`)).toThrow(/immutable/);
  });

  it('a scenario that was used is never rewritten or deleted', () => {
    const { db, profileId } = testContext();
    db.exec(`INSERT INTO scenarios (profile_id, name, split, group_name, spec, content_sha256, first_used_at, created_at)
      VALUES (${profileId}, 'a', 'train', 'a', '{}', 'x', 1, 1)`);
    expect(() => db.exec(`UPDATE scenarios SET spec = '{"input":"x"}'`)).toThrow(/never rewritten/);
    expect(() => db.exec('DELETE FROM scenarios')).toThrow(/is kept/);
  });
});
