import { copyFileSync, existsSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { applyExperiment } from '#src/services/apply.js';
import { reject } from '#src/services/reject.js';
import { openDatabase, SCHEMA_VERSION } from '#src/store/database.js';
import { getExperiment, history } from '#src/store/experiments.js';
import { databaseHealth } from '#src/store/health.js';
import { insertJob, runningJob, takeLease } from '#src/store/jobs.js';
import { testContext, type TestContext } from '../../support/context.js';
import { approved, proposed } from '../../support/experiments.js';
import { cli } from '../cli/harness.js';

let fixture: TestContext;
let path: string;
let copy: string;
beforeEach(() => {
  fixture = testContext({ config: { approvals: { allow_noninteractive: true } } });
  path = fixture.ctx.paths.dbPath;
  copy = join(fixture.root, 'copy.db');
});

const run = (...argv: string[]) => cli(fixture, ['--json', ...argv]);
const restored = () => run('restore', copy, '--yes');
const beside = () => readdirSync(dirname(path)).filter((name) => name.startsWith('karpathy-self-improve.db.'));

describe('a backup', () => {
  it('is a whole DB of its own, mode 0600, with what is only in the write-ahead log yet', async () => {
    const id = proposed(fixture);
    const answer = await run('backup', copy);
    expect(answer.code).toBe(0);
    expect(answer.json()).toMatchObject({ path: copy, schema: SCHEMA_VERSION, bytes: statSync(copy).size });
    expect(statSync(copy).mode & 0o777).toBe(0o600);
    const db = openDatabase(copy);
    expect(getExperiment(db, id).state).toBe('proposed');
    expect(databaseHealth(db).problems).toEqual([]);
    db.close();
  });

  it('goes into the data directory when no file is named, as many as are asked for', async () => {
    await run('backup');
    fixture.clock.advance(1);
    await run('backup');
    expect(readdirSync(fixture.ctx.paths.backupsDir)).toEqual([
      '2026-01-05T12-00-00-000Z.db',
      '2026-01-05T12-00-00-001Z.db',
    ]);
  });

  it('replaces no file', async () => {
    writeFileSync(copy, 'mine');
    const answer = await run('backup', copy);
    expect([answer.code, answer.error().code]).toEqual([2, 'bad_usage']);
    expect(readFileSync(copy, 'utf8')).toBe('mine');
    expect(existsSync(`${copy}.partial`)).toBe(false);
  });

  it('is made while another process is in the middle of a write, without what is not committed', async () => {
    const id = proposed(fixture);
    const other = openDatabase(path);
    other.exec('BEGIN IMMEDIATE');
    other.prepare("UPDATE experiments SET rationale = 'half done' WHERE id = ?").run(id);
    expect((await run('backup', copy)).code).toBe(0);
    other.exec('COMMIT');
    other.close();
    const db = openDatabase(copy);
    expect(getExperiment(db, id).rationale).toBe('a test');
    db.close();
  });

  it('of a DB whose states do not follow from its audit log is refused', async () => {
    const id = proposed(fixture);
    fixture.db.prepare("UPDATE experiments SET state = 'rejected', rejected_at = 1 WHERE id = ?").run(id);
    const answer = await run('backup', copy);
    expect(answer.error()).toMatchObject({ code: 'db_corrupt' });
    expect(answer.error().message).toContain(`experiment ${id} is rejected, but its audit log ends in proposed`);
    expect(existsSync(copy)).toBe(false);
  });
});

describe('a restore', () => {
  it('brings back what the backup has, for connections that are open as well, and keeps what was there', async () => {
    const id = await approved(fixture);
    await run('backup', copy);
    await reject(fixture.ctx, id, { reason: 'no' });
    const answer = await restored();
    expect(answer.code).toBe(0);
    const { keptAs } = answer.json<{ keptAs: string }>();
    expect(getExperiment(fixture.db, id).state).toBe('approved');
    expect(history(fixture.db, id).map((row) => row.toState)).toEqual(['proposed', 'approved']);
    expect(databaseHealth(fixture.db).problems).toEqual([]);
    // The same connection goes on with it, append-only triggers included.
    await applyExperiment(fixture.ctx, id);
    expect(() => fixture.db.exec('DELETE FROM experiment_state_transitions')).toThrow(/append-only/);
    const kept = openDatabase(keptAs);
    expect(getExperiment(kept, id).state).toBe('rejected');
    expect(statSync(keptAs).mode & 0o777).toBe(0o600);
    kept.close();
  });

  it('gives no number out twice that the backup had given', async () => {
    const id = proposed(fixture);
    await reject(fixture.ctx, id, { reason: 'no' });
    await run('backup', copy);
    await restored();
    expect(proposed(fixture)).toBe(id + 1);
  });

  it('is refused while a job runs, and changes nothing', async () => {
    await run('backup', copy);
    const id = insertJob(fixture.db, {
      profileId: fixture.profileId,
      experimentId: null,
      kind: 'run',
      payload: {},
      requestedBy: 'person@cli',
      at: 1,
    });
    takeLease(fixture.db, { id, owner: 'other', now: Date.now(), expiresAt: Date.now() + 60_000 });
    const answer = await restored();
    expect(answer.error()).toMatchObject({ code: 'busy' });
    expect(runningJob(fixture.db, fixture.profileId)?.id).toBe(id);
    expect(beside().filter((name) => /replaced|restoring/.test(name))).toEqual([]);
  });

  it('leaves a job that ran when the backup was made to the next executor, and its old holder without it', async () => {
    const { db, profileId } = fixture;
    const id = insertJob(db, {
      profileId,
      experimentId: null,
      kind: 'run',
      payload: {},
      requestedBy: 'person@cli',
      at: 1,
    });
    const lease = takeLease(db, { id, owner: 'other', now: Date.now(), expiresAt: Date.now() + 60_000 });
    await run('backup', copy);
    db.exec("UPDATE jobs SET state = 'finished', lease_expires_at = NULL");
    await restored();
    expect(runningJob(db, profileId)).toMatchObject({ leaseExpiresAt: 0, fencingToken: lease!.token + 1 });
  });

  it.each([
    ['is missing', () => undefined, 'bad_usage', /does not exist/],
    ['is a directory', (at: string) => openDatabase(join(at, 'x.db')).close(), 'bad_usage', /no regular file/],
    ['is empty', (at: string) => writeFileSync(at, ''), 'db_corrupt', /no backup/],
    ['is no database', (at: string) => writeFileSync(at, 'text '.repeat(1000)), 'db_corrupt', /damaged/],
    [
      'is of a newer plugin',
      (at: string) => {
        const db = openDatabase(at);
        db.pragma(`user_version = ${SCHEMA_VERSION + 1}`);
        db.close();
      },
      'db_newer',
      /schema/,
    ],
    [
      'is damaged in the middle',
      (at: string) => {
        openDatabase(at).close();
        const bytes = readFileSync(at);
        bytes.fill(0xab, 8192, 16_384);
        writeFileSync(at, bytes);
      },
      'db_corrupt',
      /damaged/,
    ],
  ])('of a file that %s is refused, and nothing is changed', async (_, make, code, message) => {
    const id = proposed(fixture);
    make(copy);
    const answer = await restored();
    expect(answer.error().code).toBe(code);
    expect(answer.error().message).toMatch(message);
    expect(getExperiment(fixture.db, id).state).toBe('proposed');
    expect(beside().filter((name) => /replaced|restoring/.test(name))).toEqual([]);
  });

  it('of the DB itself is refused', async () => {
    expect((await run('restore', path, '--yes')).error().message).toContain('is the controller DB itself');
  });

  it('of a DB that was copied by hand takes its newest part from the write-ahead log', async () => {
    const id = proposed(fixture);
    copyFileSync(path, copy);
    copyFileSync(`${path}-wal`, `${copy}-wal`);
    await reject(fixture.ctx, id, { reason: 'no' });
    expect((await restored()).code).toBe(0);
    expect(getExperiment(fixture.db, id).state).toBe('proposed');
  });

  it.each([
    ['damaged', () => writeFileSync(path, 'no database '.repeat(2000))],
    ['gone', () => rmSync(path)],
  ])('works where the DB is %s', async (_, spoil) => {
    const id = proposed(fixture);
    await run('backup', copy);
    fixture.db.close();
    spoil();
    const answer = await restored();
    expect(answer.code).toBe(0);
    const { keptAs } = answer.json<{ keptAs: string | null }>();
    if (keptAs !== null) expect(readFileSync(keptAs, 'utf8')).toContain('no database');
    const db = openDatabase(path);
    expect(getExperiment(db, id).state).toBe('proposed');
    expect(db.pragma('journal_mode', { simple: true })).toBe('wal');
    db.close();
  });

  it('is for a person to decide', async () => {
    await run('backup', copy);
    const answer = await cli(fixture, ['--json', 'restore', copy, '--yes'], { agentShell: true });
    expect([answer.code, answer.error().code]).toEqual([3, 'needs_person']);
  });
});
