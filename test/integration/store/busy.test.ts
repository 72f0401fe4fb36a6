import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DB_WAIT_MS, type KarpathyError } from '#src/errors.js';
import { SPOOL_FORMAT } from '#src/schemas.js';
import { applyExperiment } from '#src/services/apply.js';
import { approve } from '#src/services/approve.js';
import type { Context } from '#src/services/context.js';
import { ingestSpool } from '#src/services/ingest.js';
import { reconcileOperations } from '#src/services/reconcile.js';
import { reject } from '#src/services/reject.js';
import { resolveConflict } from '#src/services/resolve.js';
import { revertExperiment } from '#src/services/revert.js';
import { openDatabase, type Db } from '#src/store/database.js';
import { getExperiment } from '#src/store/experiments.js';
import { listFileOperations, openFileOperations } from '#src/store/fileOperations.js';
import { dump } from '../../faults/world.js';
import { DEFAULT_SOUL, testContext, type TestContext } from '../../support/context.js';
import { approved, judged, live, NEW_SENTENCE } from '../../support/experiments.js';
import { createRepository } from '../../support/gitRepository.js';
import { holdLock, type LockHolder } from '../../support/lockHolder.js';
import { cli } from '../cli/harness.js';

const APPLIED = `${DEFAULT_SOUL}${NEW_SENTENCE}\n`;
const LATER_MS = 10 * 60_000;

let fixture: TestContext;
/** The same, but waiting only this long for a lock. */
let hasty: Context;
const HASTE_MS = 200;
let holder: LockHolder | null = null;

beforeEach(() => {
  fixture = testContext();
  hasty = { ...fixture.ctx, db: openDatabase(fixture.ctx.paths.dbPath, { busyTimeoutMs: HASTE_MS }) };
});
afterEach(async () => {
  await holder?.release();
  holder = null;
  hasty.db.close();
});

const soul = () => readFileSync(fixture.target, 'utf8');
const row = (id: number) => getExperiment(fixture.db, id);
const lock = (ms?: number) => (holder = holdLock(fixture.ctx.paths.dbPath, ms === undefined ? {} : { ms }));

async function letGo(): Promise<void> {
  await holder?.release();
  holder = null;
}

async function failure(work: () => unknown): Promise<KarpathyError> {
  try {
    await work();
  } catch (error) {
    return error as KarpathyError;
  }
  throw new Error('was not refused');
}

/** The connection of a command before whose `nth` transaction another process takes the write lock. */
function lockedBefore(db: Db, nth: number): Db {
  let begun = 0;
  return new Proxy(db, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (key === 'transaction' && !target.inTransaction && ++begun === nth) lock();
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

describe('another process that writes for a moment', () => {
  it('is waited for', async () => {
    const id = await judged(fixture);
    lock(400);
    const began = performance.now();
    await approve(fixture.ctx, id);
    expect(performance.now() - began).toBeGreaterThan(100);
    expect(row(id).state).toBe('approved');
  });
});

describe('another process that does not let go', () => {
  const commands: Readonly<
    Record<string, { build(): Promise<number>; act(ctx: Context, id: number): unknown; after: string; text: string }>
  > = {
    approve: { build: () => judged(fixture), act: approve, after: 'approved', text: DEFAULT_SOUL },
    reject: {
      build: () => judged(fixture),
      act: (ctx, id) => reject(ctx, id, { reason: 'a test' }),
      after: 'rejected',
      text: DEFAULT_SOUL,
    },
    apply: { build: () => approved(fixture), act: applyExperiment, after: 'live', text: APPLIED },
    revert: {
      build: () => live(fixture),
      act: (ctx, id) => revertExperiment(ctx, id, { reason: 'a test' }),
      after: 'reverted',
      text: DEFAULT_SOUL,
    },
    'resolve --restore': {
      async build() {
        const id = await live(fixture);
        writeFileSync(fixture.target, 'Mine.\n');
        return id;
      },
      act: (ctx, id) => resolveConflict(ctx, id, { restore: true }),
      after: 'reverted',
      text: DEFAULT_SOUL,
    },
  };

  it.each(Object.entries(commands))('ends %s in a clear error with everything as it was', async (_, command) => {
    const id = await command.build();
    const before = [dump(fixture.ctx.paths.dbPath), soul(), readdirSync(fixture.home)];
    lock();
    const error = await failure(() => command.act(hasty, id));
    expect([error.code, error.exitCode]).toEqual(['db_busy', 1]);
    expect(error.message).toContain('stayed locked by another process for 0.2 seconds');
    expect(error.hint).toContain('Nothing was half written.');
    expect(error.hint).toContain(`lsof ${fixture.ctx.paths.dbPath}`);
    expect([dump(fixture.ctx.paths.dbPath), soul(), readdirSync(fixture.home)]).toEqual(before);
    await letGo();
    await command.act(hasty, id);
    expect([row(id).state, soul()]).toEqual([command.after, command.text]);
  });

  it('leaves the events in the spool, to be counted once afterwards', async () => {
    const { spoolDir } = fixture.ctx.paths;
    mkdirSync(spoolDir, { recursive: true });
    const about = { model: 'm', platform: 'cli', write_origin: null, trial: false, at: fixture.clock.now() };
    const event = { v: SPOOL_FORMAT, id: 'e', hook: 'pre_llm_call', session_id: 's', turn_id: 't', home: fixture.home };
    writeFileSync(join(spoolDir, 'a.ndjson'), `${JSON.stringify({ ...event, is_first_turn: true, ...about })}\n`);
    lock();
    expect((await failure(() => ingestSpool(hasty))).code).toBe('db_busy');
    await letGo();
    expect([ingestSpool(hasty).events, ingestSpool(hasty).events]).toEqual([1, 0]);
  });

  it('does not keep anybody from looking', async () => {
    const id = await live(fixture);
    lock();
    const began = performance.now();
    const shown = await cli(fixture, ['--json', 'status']);
    expect([shown.code, row(id).state]).toEqual([0, 'live']);
    expect(performance.now() - began).toBeLessThan(DB_WAIT_MS / 2);
  });

  it('is waited for as long as the manual says, then the command ends with exit code 1', async () => {
    const id = await approved(fixture);
    lock();
    const began = performance.now();
    const run = await cli(fixture, ['--json', 'apply', String(id), '--yes']);
    const seconds = (performance.now() - began) / 1000;
    expect([run.code, run.error().code]).toEqual([1, 'db_busy']);
    expect(run.error().message).toContain('stayed locked by another process for 5 seconds');
    expect(seconds).toBeGreaterThanOrEqual(5);
    expect(seconds).toBeLessThan(20);
    expect([row(id).state, soul()]).toEqual(['approved', DEFAULT_SOUL]);
  });
});

describe('a lock that comes in the middle of a command', () => {
  const between = (nth: number): Context => ({ ...hasty, db: lockedBefore(hasty.db, nth) });

  it('between the intent of an apply and its writing leaves the file alone; the next command takes it back', async () => {
    const id = await approved(fixture);
    const error = await failure(() => applyExperiment(between(2), id));
    expect(error.code).toBe('db_busy');
    expect(error.message).toContain(`The apply of experiment ${id} was not carried out.`);
    expect(error.hint).toContain('the next command cancels it; then apply again');
    expect([row(id).state, soul()]).toEqual(['approved', DEFAULT_SOUL]);
    await letGo();
    expect(await reconcileOperations(fixture.ctx)).toMatchObject([{ outcome: 'cancelled' }]);
    expect((await applyExperiment(fixture.ctx, id)).state).toBe('live');
  });

  it('between the intent of a revert and its writing leaves the file alone; the next command carries it out', async () => {
    const id = await live(fixture);
    const error = await failure(() => revertExperiment(between(2), id, { reason: 'a test' }));
    expect(error.hint).toContain('the next command carries it out');
    expect([row(id).state, soul()]).toEqual(['live', APPLIED]);
    await letGo();
    expect(await reconcileOperations(fixture.ctx)).toMatchObject([{ outcome: 'rolled_forward' }]);
    expect([row(id).state, soul()]).toEqual(['reverted', DEFAULT_SOUL]);
  });

  it('after the file was written does not call it a failure; what git made of it is recorded later', async () => {
    createRepository(fixture.home);
    const id = await approved(fixture);
    const applied = await applyExperiment(between(3), id);
    expect([applied.state, applied.applyCommitSha, soul()]).toEqual(['live', null, APPLIED]);
    expect(fixture.log.lines.join('\n')).toMatch(/what git made of the apply .* stayed locked/);
    await letGo();
    fixture.clock.advance(LATER_MS);
    await reconcileOperations(fixture.ctx);
    expect(row(id).applyCommitSha).toMatch(/^[0-9a-f]{40}$/);
    expect(listFileOperations(fixture.db, id)).toMatchObject([{ phase: 'done', gitPhase: 'committed' }]);
    expect(openFileOperations(fixture.db)).toEqual([]);
  });

  it('after a revert does not call it a failure either', async () => {
    const id = await live(fixture);
    const reverted = await revertExperiment(between(3), id, { reason: 'a test' });
    expect([reverted.state, soul()]).toEqual(['reverted', DEFAULT_SOUL]);
  });
});
