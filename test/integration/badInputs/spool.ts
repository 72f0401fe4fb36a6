import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { ingestSpool } from '#src/services/ingest.js';
import { collectMetrics } from '#src/services/collect.js';
import { status } from '#src/services/status.js';
import { TEST_EPOCH } from '#test/support/context.js';
import type { Kind } from './badInput.js';
import { differences, tablesOf, treeOf } from './tree.js';
import { lay, openWorld, SECRETS, type World } from './world.js';

/** A line of the event spool that is no event, between two that are. */
export interface BadLine {
  readonly name: string;
  readonly line: string | Uint8Array | ((world: World) => string);
  /** What the quarantine says of it. */
  readonly reason: string | RegExp;
}

const event = (home: string, changes: Record<string, unknown> = {}): Record<string, unknown> => ({
  ...{ v: 1, id: 'e', hook: 'pre_llm_call', session_id: 's', turn_id: 't', home, is_first_turn: true },
  ...{ model: 'agent', platform: 'cli', write_origin: 'assistant_tool', trial: false, at: TEST_EPOCH },
  ...changes,
});
const changed =
  (changes: Record<string, unknown>) =>
  ({ home }: World): string =>
    JSON.stringify(event(home, changes));

const LINES: readonly BadLine[] = [
  { name: 'a blank line', line: '', reason: 'not JSON' },
  { name: 'a word', line: 'hello', reason: 'not JSON' },
  { name: 'the end of a line that another writer cut', line: 'm","trial":false,"at":1}', reason: 'not JSON' },
  { name: 'the beginning of a line and another one', line: '{"v":1,"id":"x{"v":1}', reason: 'not JSON' },
  { name: 'two events on one line', line: (w) => `${changed({})(w)}${changed({ id: 'f' })(w)}`, reason: 'not JSON' },
  { name: 'single quotes of Python', line: "{'v': 1, 'id': 'x'}", reason: 'not JSON' },
  { name: 'NaN', line: '{"v":1,"at":NaN}', reason: 'not JSON' },
  { name: 'NUL bytes of a disk that was full', line: '\0'.repeat(200), reason: 'not JSON' },
  { name: 'bytes that are not UTF-8', line: Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), reason: 'not UTF-8' },
  { name: 'a byte order mark', line: (w) => `\uFEFF\uFEFF${changed({})(w)}`, reason: 'not JSON' },
  { name: 'a line of two million characters', line: `{"v":1,"id":"${'x'.repeat(2_000_000)}`, reason: 'not JSON' },
  { name: 'ten thousand open brackets', line: '['.repeat(10_000), reason: 'not JSON' },
  { name: 'null', line: 'null', reason: 'not an event' },
  { name: 'a list', line: '[1]', reason: 'not an event' },
  { name: 'a line of a log', line: '"2026-05-01 12:00:00 INFO started"', reason: 'not an event' },
  { name: 'another format', line: changed({ v: 2 }), reason: /v: .*1/ },
  { name: 'no format', line: changed({ v: undefined }), reason: /v: / },
  { name: 'a hook that is not ours', line: changed({ hook: 'on_session_end' }), reason: /hook: / },
  { name: 'no id', line: changed({ id: undefined }), reason: /id: / },
  { name: 'an empty id', line: changed({ id: '' }), reason: /id: / },
  { name: 'an id that is a number', line: changed({ id: 7 }), reason: /id: / },
  { name: 'no session', line: changed({ session_id: '' }), reason: /session_id: / },
  { name: 'no home', line: changed({ home: '' }), reason: /home: / },
  { name: 'a truth value in words', line: changed({ is_first_turn: 'yes' }), reason: /is_first_turn: / },
  { name: 'a truth value in numbers', line: changed({ trial: 0 }), reason: /trial: / },
  { name: 'a time in seconds with a fraction', line: changed({ at: 1_767_614_400.5 }), reason: /at: / },
  { name: 'a time in words', line: changed({ at: '2026-01-05T12:00:00Z' }), reason: /at: / },
  { name: 'a time before all times', line: changed({ at: -1 }), reason: /at: / },
  { name: 'a time after all times', line: changed({ at: 9_007_199_254_740_991 }), reason: /at: / },
  {
    name: 'a time beyond all numbers',
    line: (w) => changed({ at: 0 })(w).replace('"at":0', '"at":1e999'),
    reason: /at: /,
  },
  { name: 'a field too many', line: changed({ user_message: 'hi' }), reason: /user_message/ },
  { name: 'a process without its number', line: changed({ hook: 'process' }), reason: 'not an event' },
];

/** The good lines are counted, the bad one is kept as it came with a reason, and nothing else of anything is touched. */
async function checkLine({ line, reason }: BadLine): Promise<void> {
  const world = await lay('ready');
  const bad = typeof line === 'function' ? line(world) : line;
  const path = join(spoolOf(world), '2026010512-aaaaaaaa.ndjson');
  const good = (id: string, hook: string) => `${JSON.stringify(event(world.home, { id, hook }))}\n`;
  const lines = [good('first', 'pre_llm_call'), bad, '\n', good('last', 'post_llm_call')];
  writeFileSync(path, Buffer.concat(lines.map((part) => Buffer.from(part))));
  utimesSync(path, TEST_EPOCH / 1000, TEST_EPOCH / 1000);
  const before = treeOf(world.place);
  const tables = tablesOf(world.paths.dbPath);
  const { ctx, close } = openWorld(world);
  try {
    expect(ingestSpool(ctx)).toMatchObject({ events: 2, quarantined: 1 });
    const [kept] = ctx.db.prepare('SELECT line, reason FROM spool_quarantine').all() as {
      line: string;
      reason: string;
    }[];
    if (typeof reason === 'string') expect(kept?.reason).toContain(reason);
    else expect(kept?.reason).toMatch(reason);
    expect(kept?.reason.length).toBeLessThan(300);
    const text = typeof bad === 'string' ? bad : `base64:${Buffer.from(bad).toString('base64')}`;
    expect(kept?.line).toBe(text);
    expect(ingestSpool(ctx)).toMatchObject({ events: 0, quarantined: 0 });
    // What comes after must not stumble over it.
    collectMetrics(ctx);
    await status(ctx);
  } finally {
    close();
  }
  expect(differences(before, treeOf(world.place), (name) => name.endsWith('.db'))).toEqual([]);
  const now = tablesOf(world.paths.dbPath);
  const touched = [...now.keys()].filter((name) => now.get(name) !== tables.get(name) && name !== 'sqlite_sequence');
  for (const name of touched) expect(name).toMatch(/^(spool_\w+|session_tags|metrics_snapshots|collection_cursors)$/);
  for (const secret of SECRETS) expect([...now.values()].join('\n')).not.toContain(secret);
}

function spoolOf({ paths }: World): string {
  mkdirSync(paths.spoolDir, { recursive: true, mode: 0o700 });
  return paths.spoolDir;
}

export const SPOOL_LINES: Kind<BadLine> = {
  kind: 'lines of the event spool',
  cases: LINES,
  errors: ['set aside'],
  check: checkLine,
};

/** What is called like a file of the spool and is none. */
export interface BadSpoolFile {
  readonly name: string;
  readonly make: (path: string, world: World) => void;
}

const FILES: readonly BadSpoolFile[] = [
  { name: 'a directory', make: (path) => void mkdirSync(path) },
  { name: 'a named pipe', make: (path) => void execFileSync('mkfifo', [path]) },
  { name: 'a link to nothing', make: (path) => symlinkSync('nowhere', path) },
  { name: 'a link in a circle', make: (path) => symlinkSync('2026010512-bbbbbbbb.ndjson', path) },
  { name: 'a link to a file with keys', make: (path, { home }) => symlinkSync(join(home, '.env'), path) },
  { name: 'a link to a device', make: (path) => symlinkSync('/dev/zero', path) },
  { name: 'an old line that was never finished', make: (path) => old(path, '{"v":1,"id":"half') },
];

function old(path: string, text: string): void {
  writeFileSync(path, text);
  utimesSync(path, 1, 1);
}

/** It is left alone, and named by `doctor`. */
async function checkFile({ make }: BadSpoolFile): Promise<void> {
  const world = await lay('ready');
  const name = '2026010512-bbbbbbbb.ndjson';
  make(join(spoolOf(world), name), world);
  const before = treeOf(world.place);
  const { ctx, close } = openWorld(world);
  try {
    const { spoolFindings } = await import('#src/services/doctor/spool.js');
    const torn = before.get(`hermes/plugin-data/karpathy-self-improve/spool/${name}`)?.startsWith('file') === true;
    expect(ingestSpool(ctx)).toMatchObject({ events: 0, quarantined: torn ? 1 : 0 });
    const [finding] = spoolFindings(ctx);
    expect(finding?.level).toBe('warn');
    expect(finding?.message).toContain(torn ? 'never finished' : name);
    expect(finding?.fix ?? '').not.toBe('');
    const after = treeOf(world.place);
    const gone = torn ? [`hermes/plugin-data/karpathy-self-improve/spool/${name}`] : [];
    expect(differences(before, after, (path) => /\.db(-\w+)?$/.test(path) || gone.includes(path))).toEqual([]);
  } finally {
    close();
  }
  for (const secret of SECRETS) expect([...tablesOf(world.paths.dbPath).values()].join('\n')).not.toContain(secret);
}

export const SPOOL_FILES: Kind<BadSpoolFile> = {
  kind: 'files of the event spool',
  cases: FILES,
  errors: ['left alone, named by doctor'],
  check: checkFile,
};
