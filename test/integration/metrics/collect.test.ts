import { appendFileSync, mkdirSync, renameSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { collectMetrics } from '#src/services/collect.js';
import { changedDays, listSnapshots, logCursors } from '#src/store/metrics.js';
import { DEFAULT_SOUL, TEST_EPOCH, testContext, type TestContext } from '../../support/context.js';
import {
  completedSession,
  hookEvent,
  openStateDb,
  promptWith,
  storeMessages,
  storeSessions,
  writeSpool,
} from '../../support/observed.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const MIDNIGHT = TEST_EPOCH - (TEST_EPOCH % DAY);

/** Appends records to a profile's log as the host writes them. */
function log(
  fixture: TestContext,
  records: readonly [level: string, session: string | null, message: string][],
): string {
  const directory = join(fixture.home, 'logs');
  mkdirSync(directory, { recursive: true });
  const path = join(directory, 'agent.log');
  for (const [level, session, message] of records) {
    const tag = session === null ? '' : ` [${session}]`;
    appendFileSync(path, `2026-01-05 12:00:00,000 ${level}${tag} agent.loop: ${message}\n`);
  }
  return path;
}

function session(fixture: TestContext, id: string, at = TEST_EPOCH): void {
  completedSession(fixture, { id, prompt: promptWith(DEFAULT_SOUL), startedAt: at });
}

function usage(
  fixture: TestContext,
  rows: readonly (Record<string, string | number | null> & { session_id: string })[],
) {
  const db = openStateDb(fixture.home);
  for (const row of rows) {
    const all = { model: 'm', task: '', api_call_count: 1, input_tokens: 100, output_tokens: 10, ...row };
    const keys = Object.keys(all);
    db.prepare(`INSERT INTO session_model_usage (${keys.join()}) VALUES (${keys.map((k) => `@${k}`).join()})`).run(all);
  }
  db.close();
}

const today = (fixture: TestContext) => collectMetrics(fixture.ctx).snapshots.at(-1);
const rows = (fixture: TestContext) => listSnapshots(fixture.db, { profileId: fixture.profileId });

describe('collecting', () => {
  it('sums sessions, turns, tokens, cost and tool calls of the day', () => {
    const fixture = testContext();
    session(fixture, 'a');
    session(fixture, 'b');
    writeSpool(fixture, [hookEvent(fixture.home, { session_id: 'b', is_first_turn: false, at: TEST_EPOCH + 5 })]);
    usage(fixture, [
      { session_id: 'a', actual_cost_usd: 0.5, estimated_cost_usd: 9, cache_read_tokens: 40 },
      { session_id: 'a', task: 'title', estimated_cost_usd: 0.25 },
      { session_id: 'b', api_call_count: 2 },
    ]);
    storeMessages(fixture.home, 'a', [
      { role: 'user', content: 'Do it.' },
      { role: 'assistant', calls: ['1', '2', '3', '4'] },
      { role: 'tool', tool: 'terminal', callId: '1', content: '{"output": "", "exit_code": 127}' },
      { role: 'tool', tool: 'terminal', callId: '2', content: '{"output": "error: none", "exit_code": 0}' },
      { role: 'tool', tool: 'read_file', callId: '3', content: '{"error": "File not found"}' },
      { role: 'tool', tool: 'read_file', callId: '4', content: '{"content": "of error handling", "error": null}' },
      { role: 'assistant', content: 'Done.' },
      { role: 'user', content: 'And this.' },
    ]);
    fixture.clock.advance(2 * HOUR);
    expect(today(fixture)).toMatchObject({
      profile: 'dev',
      windowKind: 'collect',
      windowStartedAt: MIDNIGHT,
      windowEndedAt: MIDNIGHT + DAY,
      sessionsStarted: 2,
      sessionsCompleted: 2,
      turnsStarted: 3,
      turnsCompleted: 2,
      apiCalls: 4,
      inputTokens: 340,
      outputTokens: 30,
      costUsd: 0.75,
      toolCalls: 4,
      toolErrors: 2,
      turnsFailed: 1,
      durationMs: 7000,
      sessionsMeasured: 2,
      sessionsPriced: 1,
      sessionsLogged: 0,
      surfaces: { cli: 2 },
    });
  });

  it('knows no figure without a source, rather than 0', () => {
    const fixture = testContext();
    writeSpool(fixture, [hookEvent(fixture.home)]);
    const unknown = { errors: null, warnings: null, retries: null, apiCalls: null, inputTokens: null, costUsd: null };
    expect(today(fixture)).toMatchObject({
      sessionsStarted: 1,
      ...unknown,
      toolCalls: null,
      turnsFailed: null,
      toOffset: null,
    });
  });

  it('knows no cost when the host knew no price', () => {
    const fixture = testContext();
    session(fixture, 'a');
    usage(fixture, [{ session_id: 'a', cost_status: 'unknown' }]);
    expect(today(fixture)).toMatchObject({ apiCalls: 1, costUsd: null });
  });

  it('lets a state.db of another version or of nothing at all be', () => {
    const fixture = testContext();
    session(fixture, 'a');
    const db = openStateDb(fixture.home);
    db.exec('DROP TABLE session_model_usage; DROP TABLE messages; DROP TABLE schema_version');
    db.close();
    expect(today(fixture)).toMatchObject({ sessionsStarted: 1, inputTokens: null, toolCalls: null, toolErrors: null });
  });

  it('counts the log once by session, without what was said outside any session', () => {
    const fixture = testContext();
    session(fixture, 'a');
    const path = log(fixture, [
      ['WARNING', null, 'check_fn returned False'],
      ['WARNING', 'a', 'Retrying API call in 2s (attempt 1/3)'],
      ['ERROR', 'a', 'boom'],
      ['ERROR', 'a', 'boom'],
      ['ERROR', 'unknown-session', 'not of this day'],
    ]);
    mkdirSync(join(fixture.home, 'logs'), { recursive: true });
    writeFileSync(join(fixture.home, 'logs', 'errors.log'), '2026-01-05 12:00:00,000 ERROR [a] agent.loop: boom\n');
    const first = today(fixture);
    expect(first).toMatchObject({ errors: 2, warnings: 1, retries: 1, fromOffset: 0, toOffset: statSync(path).size });
    expect(first?.logInode).toBe(statSync(path).ino);
  });

  it('changes nothing when it runs again', () => {
    const fixture = testContext();
    session(fixture, 'a');
    log(fixture, [['ERROR', 'a', 'boom']]);
    collectMetrics(fixture.ctx);
    const before = rows(fixture);
    fixture.clock.advance(60_000);
    collectMetrics(fixture.ctx);
    expect(rows(fixture)).toEqual(before);
  });

  it('adds what is new to the row of the day, and starts a new row on the next', () => {
    const fixture = testContext();
    session(fixture, 'a');
    log(fixture, [['ERROR', 'a', 'boom']]);
    collectMetrics(fixture.ctx);
    log(fixture, [['ERROR', 'a', 'boom']]);
    expect(today(fixture)).toMatchObject({ errors: 2, fromOffset: 0 });
    fixture.clock.advance(DAY);
    session(fixture, 'b', TEST_EPOCH + DAY);
    log(fixture, [
      ['WARNING', 'b', 'hm'],
      ['ERROR', 'a', 'late, but of a session of the day before'],
    ]);
    collectMetrics(fixture.ctx);
    expect(rows(fixture)).toMatchObject([
      { windowStartedAt: MIDNIGHT + DAY, sessionsStarted: 1, errors: 0, warnings: 1 },
      { windowStartedAt: MIDNIGHT, sessionsStarted: 1, errors: 3, warnings: 0 },
    ]);
  });

  it('follows the log through rotations, a torn line and a truncation', () => {
    const fixture = testContext();
    session(fixture, 'a');
    const path = log(fixture, [['ERROR', 'a', 'one']]);
    collectMetrics(fixture.ctx);
    log(fixture, [['ERROR', 'a', 'two']]);
    renameSync(path, `${path}.1`);
    log(fixture, [['ERROR', 'a', 'three']]);
    appendFileSync(path, '2026-01-05 12:00:00,000 ERROR [a] agent.loop: fo');
    expect(today(fixture)?.errors).toBe(3);
    appendFileSync(path, 'ur\r\n');
    expect(today(fixture)?.errors).toBe(4);
    renameSync(`${path}.1`, `${path}.2`);
    renameSync(path, `${path}.1`);
    log(fixture, [['ERROR', 'a', 'five, in a file that is longer than the one before it ever was'.repeat(20)]]);
    expect(today(fixture)?.errors).toBe(5);
    expect(logCursors(fixture.db, { profileId: fixture.profileId, stream: 'agent.log' })).toHaveLength(3);
    truncateSync(path);
    log(fixture, [['ERROR', 'a', 'six']]);
    expect(today(fixture)?.errors).toBe(6);
  });

  it('reads records across chunks, with lines of megabytes and bytes that are no UTF-8 between them', () => {
    const fixture = testContext();
    session(fixture, 'a');
    const path = log(fixture, [['ERROR', 'a', 'x'.repeat(3 << 20)]]);
    appendFileSync(path, Buffer.from([0xff, 0xfe, 0x0a]));
    for (let n = 0; n < 20; n++) log(fixture, [['WARNING', 'a', 'y'.repeat(100_000)]]);
    expect(today(fixture)).toMatchObject({ errors: 1, warnings: 20 });
  });

  it('keeps excluded sessions out of the figures and reports them apart', () => {
    const fixture = testContext();
    session(fixture, 'a');
    log(fixture, [['WARNING', 'a', 'hm']]);
    storeSessions(fixture.home, [{ id: 'job', source: 'cron' }]);
    writeSpool(fixture, [hookEvent(fixture.home, { session_id: 'job', platform: 'cron' })]);
    usage(fixture, [{ session_id: 'a' }, { session_id: 'job', input_tokens: 5000 }]);
    log(fixture, [['ERROR', 'job', 'boom']]);
    expect(today(fixture)).toMatchObject({ sessionsStarted: 1, inputTokens: 100, errors: 0, excluded: { cron: 1 } });
  });

  it('collects a window of its own in one row of its own', () => {
    const fixture = testContext();
    session(fixture, 'a', TEST_EPOCH - 1);
    session(fixture, 'b', TEST_EPOCH);
    session(fixture, 'c', TEST_EPOCH + 99);
    session(fixture, 'd', TEST_EPOCH + 100);
    const window = { kind: 'before', experimentId: null, startedAt: TEST_EPOCH, endedAt: TEST_EPOCH + 100 } as const;
    expect(collectMetrics(fixture.ctx, window).snapshots).toMatchObject([{ windowKind: 'before', sessionsStarted: 2 }]);
    collectMetrics(fixture.ctx, { ...window, endedAt: TEST_EPOCH + 101 });
    expect(rows(fixture)).toMatchObject([
      { windowKind: 'before', sessionsStarted: 3, windowEndedAt: TEST_EPOCH + 101 },
    ]);
  });

  it('sums up a day again when something of it changes later, and only that day', () => {
    const fixture = testContext();
    session(fixture, 'a');
    fixture.clock.advance(40 * DAY);
    session(fixture, 'b', TEST_EPOCH + 40 * DAY);
    expect(collectMetrics(fixture.ctx).snapshots).toHaveLength(2);
    fixture.clock.advance(DAY);
    expect(collectMetrics(fixture.ctx).snapshots).toMatchObject([{ windowStartedAt: MIDNIGHT + 41 * DAY }]);
    log(fixture, [['ERROR', 'a', 'a gateway that was copied here']]);
    const days = collectMetrics(fixture.ctx).snapshots;
    expect(days.map((day) => [day.windowStartedAt, day.errors])).toEqual([
      [MIDNIGHT, 1],
      [MIDNIGHT + 41 * DAY, 0],
    ]);
  });

  it('loses no change that comes while it sums up, nor one that an earlier collection broke off at', () => {
    const fixture = testContext();
    session(fixture, 'a');
    collectMetrics(fixture.ctx);
    const prepare = fixture.db.prepare.bind(fixture.db);
    const change = () => prepare('UPDATE session_tags SET completed_turns = completed_turns + 1').run();
    change();
    // Another process changes the day between the look at the marks and the sum.
    fixture.db.prepare = (sql: string) => {
      if (sql.includes('FROM experiments WHERE profile_id = @profileId AND applied_at IS NOT NULL')) change();
      return prepare(sql);
    };
    collectMetrics(fixture.ctx);
    fixture.db.prepare = prepare;
    expect(changedDays(fixture.db, fixture.profileId)).toHaveLength(1);
    expect(today(fixture)).toMatchObject({ turnsCompleted: 3 });
    expect(changedDays(fixture.db, fixture.profileId)).toEqual([]);
  });

  it('keeps profiles apart', () => {
    const first = testContext();
    const second = testContext({ profile: 'other', root: first.root, soul: DEFAULT_SOUL });
    session(first, 'a');
    log(second, [['ERROR', 'a', 'of another profile']]);
    expect(today(first)).toMatchObject({ profile: 'dev', sessionsStarted: 1, errors: null });
    expect(today(second)).toMatchObject({ profile: 'other', sessionsStarted: 0, errors: 0 });
  });
});
