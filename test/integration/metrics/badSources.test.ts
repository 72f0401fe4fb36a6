import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { collectMetrics } from '#src/services/collect.js';
import { refreshWindows } from '#src/services/liveWindow.js';
import { tick } from '#src/services/tick.js';
import { getExperiment } from '#src/store/experiments.js';
import { listQuarantine } from '#src/store/spool.js';
import { doctor } from '#src/services/doctor.js';
import { DEFAULT_SOUL, TEST_EPOCH, testContext, type TestContext } from '../../support/context.js';
import { live, NEW_SENTENCE } from '../../support/experiments.js';
import { PROJECT_DIR } from '../../support/project.js';
import {
  completedSession,
  hookEvent,
  openStateDb,
  promptWith,
  storeMessages,
  storeSessions,
  writeSpool,
} from '../../support/observed.js';

const DAY = 86_400_000;
const YEAR = 365 * DAY;
const NEW = promptWith(`${DEFAULT_SOUL}${NEW_SENTENCE}`);

/** A session with a turn, of which state.db and agent.log know. */
function session(fixture: TestContext, id = 'a'): void {
  completedSession(fixture, { id, prompt: promptWith(DEFAULT_SOUL), startedAt: TEST_EPOCH });
  storeMessages(fixture.home, id, [
    { role: 'user', content: 'Hi.' },
    { role: 'assistant', content: 'Hello.' },
  ]);
}
function writeLog(fixture: TestContext, text: string | Buffer): void {
  mkdirSync(join(fixture.home, 'logs'), { recursive: true });
  appendFileSync(join(fixture.home, 'logs', 'agent.log'), text);
}
const stateDb = (fixture: TestContext) => join(fixture.home, 'state.db');
const today = (fixture: TestContext) => collectMetrics(fixture.ctx).snapshots.at(-1);
const UNKNOWN_USAGE = { turnsFailed: null, toolCalls: null, inputTokens: null, costUsd: null, durationMs: null };
const COUNTED = { sessionsStarted: 1, sessionsCompleted: 1, turnsStarted: 1, turnsCompleted: 1 };
/** A folded WAL, so that the file holds all of it. */
const checkpointed = (fixture: TestContext) => {
  const db = openStateDb(fixture.home);
  db.pragma('journal_mode = DELETE');
  db.close();
};

describe('agent.log', () => {
  it('of another program leaves its figures unknown, and the rest is collected', () => {
    const fixture = testContext();
    session(fixture);
    const line = '2026-01-05T12:00:00Z ERROR [a] agent.loop: boom\n{"level":"error","session":"a"}\nERROR: a\n';
    writeLog(
      fixture,
      `${line}2026-01-05 12:00:00.000 ERROR [a] agent.loop: boom\n2026-01-05 12:00:00,000 FATAL [a] x: y\n`,
    );
    expect(today(fixture)).toMatchObject({
      ...COUNTED,
      ...{ errors: null, warnings: null, retries: null, sessionsLogged: 0, sessionsMeasured: 1, turnsFailed: 0 },
    });
  });

  it('that is a directory, or of bytes that are no text, is no obstacle', () => {
    const fixture = testContext();
    session(fixture);
    mkdirSync(join(fixture.home, 'logs', 'agent.log'), { recursive: true });
    expect(today(fixture)).toMatchObject({ ...COUNTED, errors: null });
    rmSync(join(fixture.home, 'logs'), { recursive: true });
    writeLog(fixture, Buffer.alloc(300_000, 0xff));
    writeLog(fixture, '\n2026-01-05 12:00:00,000 ERROR [a] agent.loop: boom\n');
    expect(today(fixture)).toMatchObject({ errors: 1 });
  });

  it('with lines of 10 MB and more is counted right, and memory does not grow with them', () => {
    const fixture = testContext();
    const path = join(fixture.home, 'logs', 'agent.log');
    mkdirSync(join(fixture.home, 'logs'));
    const fd = openSync(path, 'w');
    const megabyte = Buffer.alloc(1 << 20, 'x');
    for (const [size, level] of [
      [10, 'ERROR'],
      [10, 'WARNING'],
      [100, 'ERROR'],
      [10, 'INFO'],
    ] as const) {
      writeSync(fd, `2026-01-05 12:00:00,000 ${level} [a] agent.loop: `);
      for (let n = 0; n < size; n++) writeSync(fd, megabyte);
      writeSync(fd, '\n');
    }
    writeSync(fd, '2026-01-05 12:00:00,000 WARNING [a] agent.loop: and behind it\n');
    closeSync(fd);
    const script = join(import.meta.dirname, 'readLog.ts');
    const child = spawnSync(process.execPath, ['--import', 'tsx', script, fixture.home], {
      cwd: PROJECT_DIR,
      encoding: 'utf8',
    });
    expect(child.stderr).toBe('');
    const { counts, grownKb } = JSON.parse(child.stdout) as { counts: [string, object][]; grownKb: number };
    expect(counts).toMatchObject([['a', { errors: 2, warnings: 2 }]]);
    expect(grownKb).toBeLessThan(20_000);
  });
});

describe('state.db', () => {
  it('that another process has locked leaves its figures unknown, and the next collection has them', async () => {
    const fixture = testContext();
    session(fixture);
    // As where WAL is not granted (NFS): then a writer locks out readers.
    checkpointed(fixture);
    const held = `const db = require('better-sqlite3')(${JSON.stringify(stateDb(fixture))});
      db.exec('BEGIN EXCLUSIVE'); console.log('locked'); process.stdin.resume(); process.stdin.on('end', () => db.close());`;
    const holder = spawn(process.execPath, ['-e', held], { cwd: PROJECT_DIR, stdio: ['pipe', 'pipe', 'inherit'] });
    await once(holder.stdout, 'data');
    expect(today(fixture)).toMatchObject({ ...COUNTED, ...UNKNOWN_USAGE, sessionsMeasured: 0 });
    expect(fixture.log.lines.join('\n')).toMatch(
      /warn: dev: state\.db: database is locked; tokens.*until it can be read/,
    );
    holder.stdin.end();
    await once(holder, 'exit');
    expect(today(fixture)).toMatchObject({ ...COUNTED, sessionsMeasured: 1, turnsFailed: 0 });
  });

  it.each([
    ['is missing', (f: TestContext) => rmSync(stateDb(f)), /unable to open database file/],
    [
      'is a directory',
      (f: TestContext) => (rmSync(stateDb(f)), mkdirSync(stateDb(f))),
      /disk I\/O error|unable to open/,
    ],
    [
      'is of another program',
      (f: TestContext) => writeFileSync(stateDb(f), 'no database '.repeat(500)),
      /not a database/,
    ],
    ['is damaged in the middle', damage, /malformed/],
    ['was cut', (f: TestContext) => truncateSync(stateDb(f), 5000), /malformed|not a database/],
  ])('that %s leaves its figures unknown and says why; once it is back they are there', (_, spoil, reason) => {
    const fixture = testContext();
    session(fixture);
    checkpointed(fixture);
    const whole = readFileSync(stateDb(fixture));
    spoil(fixture);
    expect(today(fixture)).toMatchObject({ ...COUNTED, ...UNKNOWN_USAGE });
    expect(fixture.log.lines.join('\n')).toMatch(reason);
    rmSync(stateDb(fixture), { recursive: true, force: true });
    writeFileSync(stateDb(fixture), whole);
    expect(today(fixture)).toMatchObject({ ...COUNTED, sessionsMeasured: 1, turnsFailed: 0 });
  });

  it('of no bytes at all is a host that stored nothing', () => {
    const fixture = testContext();
    session(fixture);
    checkpointed(fixture);
    truncateSync(stateDb(fixture));
    expect(today(fixture)).toMatchObject({ ...COUNTED, ...UNKNOWN_USAGE });
  });

  it.each([
    [
      '31, with tables and columns that nobody knows',
      `ALTER TABLE sessions ADD COLUMN quantum BLOB; CREATE TABLE next (a);`,
      {},
    ],
    [
      '99, without columns that are read today',
      `ALTER TABLE sessions DROP COLUMN end_reason; ALTER TABLE sessions DROP COLUMN model_config;
        ALTER TABLE messages DROP COLUMN compacted; ALTER TABLE messages DROP COLUMN observed;
        ALTER TABLE session_model_usage DROP COLUMN cost_status;`,
      {},
    ],
    [
      '99, with other names for what is needed',
      `ALTER TABLE messages RENAME COLUMN role TO speaker;
        ALTER TABLE session_model_usage RENAME COLUMN input_tokens TO tokens_in;`,
      { turnsFailed: null, toolCalls: null, inputTokens: null },
    ],
    ['20, before usage was stored by model', 'DROP TABLE session_model_usage;', { inputTokens: null }],
  ])('of schema %s is read as far as it is known', (version, change, unknown) => {
    const fixture = testContext();
    session(fixture);
    const db = openStateDb(fixture.home);
    db.exec(`${change} INSERT INTO schema_version VALUES (${Number.parseInt(version)});`);
    db.close();
    expect(today(fixture)).toMatchObject({
      ...{ ...COUNTED, sessionsMeasured: 1, turnsFailed: 0, toolCalls: 0, inputTokens: 0 },
      ...unknown,
    });
    expect(fixture.log.lines).toEqual([]);
  });
});

/** Every page but the first one is noise. */
function damage(fixture: TestContext): void {
  const path = stateDb(fixture);
  const bytes = readFileSync(path);
  bytes.fill(0xaa, 4096);
  writeFileSync(path, bytes);
}

it('spool lines that are no events are kept as they are, reported, and cost no other line', async () => {
  const fixture = testContext();
  const nearly = JSON.stringify({ ...hookEvent(fixture.home, { session_id: 'x' }), at: 'noon' });
  writeSpool(fixture, [
    '{"v":1',
    '\u0000\u0001\n',
    `${nearly}\n`,
    hookEvent(fixture.home, { session_id: 'a' }),
    '\n[]\n',
  ]);
  writeSpool(fixture, [hookEvent(fixture.home, { session_id: 'b' })]);
  expect(today(fixture)).toMatchObject({ sessionsStarted: 2 });
  const kept = listQuarantine(fixture.db).map(({ line }) => line);
  expect(kept).toEqual(expect.arrayContaining([nearly, '[]', '']));
  const said = (await doctor(fixture.ctx, { skipModels: true })).filter(({ area }) => area === 'spool');
  expect(said[0]).toMatchObject({ level: 'warn' });
  expect(said[0]?.message).toContain(`${kept.length} lines of the event spool`);
});

describe('in a live window', () => {
  async function applied(): Promise<{ fixture: TestContext; id: number; appliedAt: number }> {
    const fixture = testContext({ config: { live: { sessions: 3, days: 2 } } });
    const id = await live(fixture);
    return { fixture, id, appliedAt: fixture.clock.now() };
  }
  const counted = (fixture: TestContext) => refreshWindows(fixture.ctx)[0]?.counts.counted;

  it('a clock that is ahead for a while neither ends it nor reverts it, and what comes after it counts', async () => {
    const { fixture, id, appliedAt } = await applied();
    completedSession(fixture, { id: 'a', prompt: NEW, startedAt: appliedAt + 1 });
    fixture.clock.set(appliedAt + YEAR);
    completedSession(fixture, { id: 'ahead', prompt: NEW, startedAt: fixture.clock.now() });
    expect(refreshWindows(fixture.ctx)).toMatchObject([{ due: 'deadline_passed', counts: { counted: 2 } }]);
    collectMetrics(fixture.ctx);
    fixture.clock.set(appliedAt + 60_000);
    completedSession(fixture, { id: 'b', prompt: NEW, startedAt: appliedAt + 50_000 });
    expect(refreshWindows(fixture.ctx)).toMatchObject([{ due: 'target_reached', counts: { counted: 3 } }]);
    const day = appliedAt - (appliedAt % DAY);
    const { snapshots } = collectMetrics(fixture.ctx);
    expect(snapshots.find((row) => row.windowKind === 'collect' && row.windowStartedAt === day)?.sessionsStarted).toBe(
      2,
    );
    expect(getExperiment(fixture.db, id)).toMatchObject({ state: 'live', liveExtensions: 0 });
  });

  it('a tick at a time that is wrong extends it at the most; it reverts nothing', async () => {
    const { fixture, id, appliedAt } = await applied();
    const before = readFileSync(fixture.target);
    for (const at of [appliedAt + YEAR, appliedAt - YEAR, appliedAt + 2 * YEAR, 0]) {
      fixture.clock.set(at);
      await tick(fixture.ctx);
      const { snapshots } = collectMetrics(fixture.ctx, {
        kind: 'live',
        experimentId: id,
        startedAt: appliedAt,
        endedAt: at,
      });
      expect(snapshots).toMatchObject([{ sessionsStarted: 0 }]);
    }
    expect(readFileSync(fixture.target)).toEqual(before);
    expect(getExperiment(fixture.db, id).state).toBe('live');
    fixture.clock.set(appliedAt + 60_000);
    for (const name of ['a', 'b', 'c']) completedSession(fixture, { id: name, prompt: NEW, startedAt: appliedAt + 1 });
    expect(counted(fixture)).toBe(3);
  });

  it('a clock that was ahead at the apply hides sessions until it gets there, and that is all', async () => {
    const { fixture, id, appliedAt } = await applied();
    fixture.clock.set(appliedAt - DAY);
    completedSession(fixture, { id: 'a', prompt: NEW, startedAt: appliedAt - DAY });
    expect(refreshWindows(fixture.ctx)).toMatchObject([
      { due: null, conflict: null, fault: null, counts: { counted: 0 } },
    ]);
    fixture.clock.set(appliedAt + 60_000);
    completedSession(fixture, { id: 'b', prompt: NEW, startedAt: appliedAt + 1 });
    expect(counted(fixture)).toBe(1);
    expect(getExperiment(fixture.db, id)).toMatchObject({ state: 'live', liveExtensions: 0 });
  });

  it('sessions whose clock went back between their turns keep the start that was seen, and no negative time', async () => {
    const { fixture, appliedAt } = await applied();
    storeSessions(fixture.home, [{ id: 'a', prompt: NEW, startedAt: appliedAt + 1000, endedAt: appliedAt - DAY }]);
    writeSpool(fixture, [
      hookEvent(fixture.home, { session_id: 'a', at: appliedAt + 1000 }),
      hookEvent(fixture.home, { session_id: 'a', hook: 'post_llm_call', at: appliedAt - DAY }),
      hookEvent(fixture.home, { session_id: 'a', is_first_turn: false, at: appliedAt - DAY + 5 }),
    ]);
    storeMessages(fixture.home, 'a', [
      { role: 'user', content: 'Hi.', at: appliedAt + 1000 },
      { role: 'assistant', content: 'Hello.', at: appliedAt - DAY },
    ]);
    expect(counted(fixture)).toBe(1);
    expect(today(fixture)).toMatchObject({ sessionsStarted: 1, turnsStarted: 2, turnsCompleted: 1, durationMs: 0 });
  });

  it.each([
    ['renamed', (home: string) => renameSync(home, `${home}-renamed`)],
    ['deleted', (home: string) => rmSync(home, { recursive: true })],
  ])('the profile is %s: what was counted stays, other profiles go on, nothing is written', async (how, happen) => {
    const { fixture, id, appliedAt } = await applied();
    const other = testContext({ profile: 'other', root: fixture.root, soul: DEFAULT_SOUL });
    completedSession(fixture, { id: 'a', prompt: NEW, startedAt: appliedAt + 1 });
    expect(counted(fixture)).toBe(1);
    happen(fixture.home);
    // A process that is still running goes on spooling under the old path.
    writeSpool(fixture, [hookEvent(fixture.home, { session_id: 'b', at: appliedAt + 2 })]);
    completedSession(other, { id: 'o', prompt: promptWith(DEFAULT_SOUL), startedAt: TEST_EPOCH });
    const summary = await tick(other.ctx);
    expect(summary.ingested.events).toBe(3);
    expect(today(other)).toMatchObject({ profile: 'other', sessionsStarted: 1 });
    const [window] = refreshWindows(fixture.ctx);
    expect(window).toMatchObject({ conflict: 'missing', counts: { counted: 1, withUnknownText: 1 } });
    expect((await tick(fixture.ctx)).waiting.join('\n')).toContain(`resolve ${id}`);
    expect(today(fixture)).toMatchObject({ sessionsStarted: 2 });
    expect(getExperiment(fixture.db, id)).toMatchObject({ state: 'live', liveSessionsObserved: 1 });
    expect(statSync(fixture.home, { throwIfNoEntry: false })).toBeUndefined();
    if (how !== 'renamed') return;
    renameSync(`${fixture.home}-renamed`, fixture.home);
    expect(refreshWindows(fixture.ctx)).toMatchObject([{ conflict: null, counts: { counted: 1 } }]);
  });
});
