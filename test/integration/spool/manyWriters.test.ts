import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { markerKey } from '#src/hermes/paths.js';
import { randomFrom } from '#src/gate/random.js';
import { ingestSpool } from '#src/services/ingest.js';
import { countQuarantine } from '#src/store/spool.js';
import { openDatabase } from '#src/store/database.js';
import { PYTHONS, PLUGIN_DIR } from '../bridge/shim.js';
import { temporaryDirectory, testContext } from '../../support/context.js';

/** `npm run test:spool` is the long form, with 100,000 events. */
const EVENTS = Number(process.env.KARPATHY_SPOOL_EVENTS ?? 8_000);
const WRITERS = 8;
const DAY = 86_400_000;

interface Line {
  readonly hook: string;
  readonly session_id: string;
}

it(`every event of ${WRITERS} processes that are killed at random is counted once`, { timeout: 600_000 }, async () => {
  const fixture = testContext({ profile: 'default' });
  fixture.clock.set(Date.now());
  const { spoolDir, enabledMarkers } = fixture.ctx.paths;
  mkdirSync(enabledMarkers, { recursive: true });
  writeFileSync(join(enabledMarkers, markerKey(fixture.home)), '');
  const acknowledgements = temporaryDirectory();
  const random = randomFrom('kills');
  const other = openDatabase(fixture.ctx.paths.dbPath);
  let acknowledged = 0;
  let kills = 0;
  let processes = 0;

  async function writeAndDie(writer: number): Promise<void> {
    while (acknowledged < EVENTS) {
      const name = `w${writer}p${++processes}`;
      const file = join(acknowledgements, name);
      const script = join(import.meta.dirname, 'many_events.py');
      const child = spawn(PYTHONS[0] ?? 'python3', ['-B', script, PLUGIN_DIR, file, name, String(EVENTS)], {
        env: { PATH: process.env.PATH, HERMES_HOME: fixture.home },
        stdio: ['pipe', 'ignore', 'inherit'],
      });
      const exit = once(child, 'exit');
      // Killed wherever it is: the time is by chance, what it has written by then is not looked at.
      const goal = 1 + Math.floor((random() * EVENTS) / WRITERS);
      const written = () => (existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0);
      while (child.exitCode === null && written() < goal) await wait(5);
      child.kill('SIGKILL');
      await exit;
      if (child.signalCode === 'SIGKILL') kills++;
      acknowledged += written();
    }
  }

  let writing = true;
  const readers = [fixture.db, other].map(async (db) => {
    while (writing) {
      ingestSpool({ ...fixture.ctx, db });
      await wait(20);
    }
  });
  await Promise.all(Array.from({ length: WRITERS }, (_, writer) => writeAndDie(writer)));
  writing = false;
  await Promise.all(readers);

  const files = readdirSync(spoolDir).map((name) => join(spoolDir, name));
  const lines = files.flatMap((file) => readFileSync(file, 'utf8').split('\n').slice(0, -1));
  const events = lines.map((line) => JSON.parse(line) as Line).filter(({ hook }) => hook !== 'process');
  // The crash of a whole machine leaves a line without its end.
  const [torn = ''] = files;
  appendFileSync(torn, '{"v":1,"id":"torn","hook":"pre_llm');
  ingestSpool(fixture.ctx);

  expect(kills).toBeGreaterThanOrEqual(WRITERS);
  expect(events.length).toBeGreaterThanOrEqual(acknowledged);
  expect(events.length).toBeLessThanOrEqual(acknowledged + processes);
  const count = (sql: string) => fixture.db.prepare(sql).pluck().get();
  expect(count('SELECT count(*) FROM spool_events')).toBe(events.length);
  expect(count('SELECT sum(started_turns) FROM session_tags')).toBe(pick(events, 'pre_llm_call').length);
  expect(count('SELECT sum(completed_turns) FROM session_tags')).toBe(pick(events, 'post_llm_call').length);
  expect(count('SELECT count(*) FROM session_tags')).toBe(new Set(events.map((event) => event.session_id)).size);

  // A day later the torn line is put aside, and what was read is removed; nothing is counted again.
  expect(countQuarantine(fixture.db)).toBe(0);
  for (const file of files) utimesSync(file, 1000, 1000);
  fixture.clock.set(Date.now() + 2 * DAY);
  ingestSpool(fixture.ctx);
  expect(countQuarantine(fixture.db)).toBe(1);
  expect(readdirSync(spoolDir)).toEqual([]);
  expect(count('SELECT count(*) FROM spool_events')).toBe(events.length);
  other.close();
});

const pick = (events: readonly Line[], hook: string) => events.filter((event) => event.hook === hook);
