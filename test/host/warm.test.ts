import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { execa } from 'execa';
import { afterAll, describe, expect, it } from 'vitest';
import { runChecks } from '../../src/evaluation/checks.js';
import type { Logger, TrialResult, TrialSpec } from '../../src/ports.js';
import { currentInstall } from '../support/hermesInstall.js';
import { temporaryDirectory } from '../support/context.js';
import {
  call,
  fail,
  say,
  scriptedPerConversation,
  startModelServer,
  type ModelServer,
  type Responder,
} from '../support/modelServer/index.js';
import { processesIn } from './processes.js';
import { trialBench, type BenchOptions, type SpecPart, type TrialBench } from './trialFixture.js';

const signal = new AbortController().signal;
const closing: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const close of closing) await close();
});

async function modelServer(responder: Responder): Promise<ModelServer> {
  const server = await startModelServer({ models: { '*': responder } });
  closing.push(() => server.close());
  return server;
}

function bench(options: BenchOptions): TrialBench {
  const made = trialBench(options);
  closing.push(() => made.runner.close('finished'));
  return made;
}

// ── The same trial, cold and warm ─────────────────────────────────────────

interface Case {
  readonly what: string;
  readonly responder: () => Responder;
  readonly part: SpecPart;
}

const CASES: readonly Case[] = [
  { what: 'a short answer', responder: () => () => say('Hello.'), part: { spec: { input: 'Say hello.' } } },
  {
    what: 'a long prompt with quotes, newlines and other scripts',
    responder: () => () => say('“Ça va” — да.'),
    part: { spec: { input: `He said "no"; 'maybe' $HOME \`x\`\n${'déjà vu 漢字 🙂 '.repeat(300)}` } },
  },
  {
    what: 'tool use',
    responder: () =>
      scriptedPerConversation([
        call('read_file', { path: 'in.txt' }, 'c1'),
        call('write_file', { path: 'out/done.txt', content: 'blue' }, 'c2'),
        call('search_files', { pattern: 'input' }, 'c3'),
        call('clarify', { question: 'Which colour?' }, 'c4'),
        call('terminal', { command: 'date' }, 'c5'),
        call('skills_list', {}, 'c6'),
        call('no_such_tool', {}, 'c7'),
        say('All done.'),
      ]),
    part: {
      arm: 'candidate',
      targetContent: Buffer.from('You are Candidate.\n'),
      spec: {
        files: { 'in.txt': 'the input' },
        answers: ['Blue.'],
        tool_results: { terminal: [{ when: 'date', result: 'Monday' }] },
        checks: [{ file_equals: { path: 'out/done.txt', content: 'blue' } }, { tool_used: 'terminal' }],
      },
    },
  },
  {
    what: 'chosen toolsets',
    responder: () => () => say('ok'),
    part: { spec: { input: 'Go.', toolsets: ['todo', 'file'] } },
  },
  {
    what: 'several user turns',
    responder: () => scriptedPerConversation([say('First.'), call('todo', { todos: [] }, 'c1'), say('Second.')]),
    part: { spec: { input: undefined, turns: ['One?', 'Two?', 'Three?'] } },
  },
  {
    what: 'real tools',
    responder: () => scriptedPerConversation([call('terminal', { command: 'echo real && pwd' }, 'c1'), say('ok')]),
    part: { policy: 'real', realToolsets: ['terminal'], spec: { tools: 'real', toolsets: ['terminal'] } },
  },
  { what: 'a provider that fails', responder: () => () => fail(500, 'down'), part: {} },
  { what: 'a key that is refused', responder: () => () => fail(401, 'no such key'), part: {} },
  {
    what: 'the end of its tokens',
    responder: () => scriptedPerConversation([call('todo', { todos: [] }, 'c1'), say('late')]),
    part: { tokenLimit: 100 },
  },
];

/** What another run of the very same trial may change: time, ids, and what the kernel numbers. */
function normalise(text: string): string {
  return (
    text
      // One name for both: the random end of a session's id may be six digits, like the microseconds of a time.
      .replace(/\d{8}_\d{6}_[0-9a-f]{6}(?![0-9a-f])/g, '<time or session>')
      .replace(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, '<uuid>')
      .replace(/\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2})?(\.\d+)?/g, '<time>')
  );
}

/** Every row of the tables a trial writes; columns that hold a time or an id are named, all others must agree. */
function rowsOf(path: string): unknown {
  if (!existsSync(path)) return null;
  const db = new Database(path, { readonly: true });
  try {
    const tables = db
      .prepare<[], { name: string }>(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%fts%' AND name NOT LIKE 'sqlite_%' ORDER BY name",
      )
      .all();
    return tables.map(({ name }) => [
      name,
      (db.prepare(`SELECT * FROM "${name}" ORDER BY rowid`).all() as Record<string, unknown>[]).map((row) =>
        Object.fromEntries(
          Object.entries(row).map(([column, value]) => [
            column,
            /(^|_)(at|timestamp|seen|expires)$|^(first_seen|last_seen|heartbeat)/.test(column) && value !== null
              ? '<time>'
              : typeof value === 'string'
                ? normalise(value)
                : value,
          ]),
        ),
      ),
    ]);
  } finally {
    db.close();
  }
}

function timeless(result: TrialResult): unknown {
  return JSON.parse(normalise(JSON.stringify({ ...result, files: undefined, durationMs: 0, modelMs: 0 })));
}

/** What the slot holds besides logs and caches. */
function layOf(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .map((entry) => `${join(entry.parentPath, entry.name).slice(dir.length)}${entry.isDirectory() ? '/' : ''}`)
    .map(normalise)
    .filter((path) => !/\/(logs|__pycache__)\/|-(wal|shm)$|^\/(stdout|stderr)$/.test(path))
    .sort();
}

type Seen = Record<'requests' | 'result' | 'files' | 'checks' | 'rows' | 'slot', unknown>;

/** Where the trial ran and which port the model listened at are the only names the two runs don't share. */
async function observe(runner: 'cold' | 'warm'): Promise<Seen[]> {
  const server = await modelServer(() => say('unused'));
  // The provider that fails is asked once more, not for half a minute.
  const made = bench({
    ...{ baseUrl: server.baseUrl, runner, config: { agent: { api_max_retries: 2 } } },
    processEnv: { PATH: `${toolchain()}:${process.env.PATH ?? ''}` },
  });
  const { host } = new URL(server.baseUrl);
  const own = (text: string): string =>
    text.replaceAll(made.slot.root, '<slot>').replaceAll(made.root, '<root>').replaceAll(host, '<model>');
  const seen: Seen[] = [];
  for (const { part, responder } of CASES) {
    server.setModel('*', responder());
    const from = server.received.length;
    const spec: TrialSpec = made.spec(part);
    const result = await made.runner.run(spec, signal);
    const checks =
      result.kind === 'completed' ? await runChecks(spec.scenario.spec.checks, result, null) : 'not checked';
    const one: Seen = {
      requests: server.received
        .slice(from)
        .map(({ method, path, headers, body }) => ({ method, path, headers, body: normalise(body) })),
      result: timeless(result),
      files: result.kind === 'completed' ? [...result.files] : [],
      checks,
      rows: rowsOf(made.slot.stateDb),
      slot: layOf(made.slot.root),
    };
    seen.push(JSON.parse(own(JSON.stringify(one))) as Seen);
  }
  await made.runner.close('finished');
  return seen;
}

/**
 * The host tells the model what it found of Python. Each of its questions waits three seconds for an answer, which a
 * busy machine may not give to one of the two.
 */
function toolchain(): string {
  const dir = temporaryDirectory('karpathy-bin-');
  const answers = 'case "$*" in *EXTERNALLY*) echo no;; *version_info*) echo 3.11.7;; *) exit 1;; esac';
  writeFileSync(join(dir, 'python3'), `#!/bin/sh\n${answers}\n`, { mode: 0o755 });
  writeFileSync(join(dir, 'pip'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
  return dir;
}

describe('the warm runner', () => {
  it('sends the model the same bytes as the cold one, and leaves the same behind', async () => {
    const [cold, warm] = await Promise.all([observe('cold'), observe('warm')]);
    for (const [index, { what }] of CASES.entries()) {
      expect(cold[index]?.requests, what).not.toEqual([]);
      expect(JSON.stringify(cold[index]?.requests), what).toContain('(no pip module)');
      for (const part of ['requests', 'result', 'files', 'checks', 'rows', 'slot'] as const) {
        expect(warm[index]?.[part], `${part} of ${what}`).toEqual(cold[index]?.[part]);
      }
    }
  });
});

// ── One loaded Hermes ─────────────────────────────────────────────────────

/** The loaded process is the one that others were forked from. */
function loadedIn(root: string): number | undefined {
  return processesIn(root)
    .filter((p) => p.command.includes('warm_server.py'))
    .map((p) => p.pid)
    .sort((a, b) => a - b)[0];
}

async function until(holds: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 90_000;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`not within 90 s: ${what}`);
    await new Promise((next) => setTimeout(next, 50));
  }
}

function recorder(): { log: Logger; warnings: string[] } {
  const warnings: string[] = [];
  return { warnings, log: { debug() {}, info() {}, warn: (text) => void warnings.push(text), error() {} } };
}

/** Starts a process in a session of its own, as a daemon does, and leaves it. */
const DAEMON = "import subprocess; subprocess.Popen(['sleep', '60317'], start_new_session=True)";

describe('a loaded Hermes', () => {
  it('serves trial after trial of its slot, each of them fresh, and another one takes over when it dies', async () => {
    const server = await modelServer(
      scriptedPerConversation([call('write_file', { path: 'left.txt', content: 'x' }, 'c1'), say('ok')]),
    );
    const { runner, spec, slot, root, home } = bench({ baseUrl: server.baseUrl, runner: 'warm' });
    await runner.run(spec(), signal);
    const first = loadedIn(slot.root);
    const config = join(home, 'config.yaml');
    writeFileSync(config, readFileSync(config, 'utf8').replace('default: sim', 'default: other'));
    const files = () => readdirSync(slot.work);
    expect(files()).toEqual(['left.txt']);
    server.setModel('*', () => say('Nothing written.'));
    const second = await runner.run(spec({ targetContent: Buffer.from('You are Other.\n') }), signal);
    // Settings are the run's own from its first trial on.
    expect(second).toMatchObject({ kind: 'completed', response: 'Nothing written.', toolCalls: [], model: 'sim' });
    expect(files()).toEqual([]);
    expect(loadedIn(slot.root)).toBe(first);
    expect(readFileSync(join(slot.home, 'logs', 'agent.log'), 'utf8')).not.toContain('write_file');

    process.kill(first as number, 'SIGKILL');
    expect(await runner.run(spec(), signal)).toMatchObject({ kind: 'infra', stopRun: false });
    // What the host read when it was loaded is not as it was.
    writeFileSync(join(home, '.env'), 'BRAVE_SEARCH_API_KEY=mine\n');
    expect(await runner.run(spec(), signal)).toMatchObject({ kind: 'completed', response: 'Nothing written.' });
    expect(loadedIn(slot.root)).not.toBe(first);
    expect(runner).toMatchObject({ name: 'warm', fellBack: null });
    await runner.close('finished');
    expect(processesIn(root)).toEqual([]);
  });

  it('leaves nothing of a trial that runs out of time or is stopped, not even what left its process group', async () => {
    const server = await modelServer(
      scriptedPerConversation([
        call('terminal', { command: `python3 -c "${DAEMON}" && echo started` }, 'c1'),
        { kind: 'hang' },
      ]),
    );
    const { runner, spec, slot } = bench({ baseUrl: server.baseUrl, runner: 'warm' });
    const real: SpecPart = {
      policy: 'real',
      realToolsets: ['terminal'],
      spec: { tools: 'real', toolsets: ['terminal'] },
    };
    const started = () =>
      until(
        () => processesIn(slot.root).some((p) => p.command.startsWith('sleep 60317')),
        'the agent starts a process of its own',
      );
    const running = runner.run(spec({ ...real, timeoutMs: 8_000 }), signal);
    await started();
    expect(await running).toMatchObject({ kind: 'completed', limitReached: 'time' });
    expect(processesIn(slot.root).map((p) => p.command)).toEqual([expect.stringContaining('warm_server.py')]);

    const person = new AbortController();
    const stopped = expect(runner.run(spec(real), person.signal)).rejects.toThrow();
    await started();
    const began = performance.now();
    person.abort();
    await stopped;
    await runner.close('interrupted');
    expect(performance.now() - began).toBeLessThan(2000);
    expect(processesIn(slot.root)).toEqual([]);
    expect(existsSync(slot.root)).toBe(false);
  });

  it('dies with its worker, and so does the trial', async () => {
    const server = await modelServer(() => ({ kind: 'hang' }));
    const { root, home, slotsDir, slot, spec } = bench({ baseUrl: server.baseUrl, runner: 'warm' });
    const { python, hermes } = currentInstall();
    const given = join(root, 'given.json');
    writeFileSync(
      given,
      JSON.stringify({
        options: {
          hermes: { command: [hermes], python },
          slotsDir,
          pluginDir: process.cwd(),
          profileHome: home,
          profileName: 'dev',
          evalRunId: 1,
          prices: {},
        },
        spec: spec(),
      }),
    );
    const worker = execa(process.execPath, ['--import', 'tsx', 'test/host/warmWorker.ts', given], { reject: false });
    await until(() => server.chats().length > 0, 'the trial waits for the model');
    expect(processesIn(slot.root).length).toBeGreaterThan(1);
    worker.kill('SIGKILL');
    await worker;
    await until(() => processesIn(slot.root).length === 0, 'nothing is left of a killed worker');
  });
});

describe('where Hermes can’t be loaded once for all', () => {
  const cases = [
    { what: 'on another system', options: { platform: 'darwin' }, reason: /needs Linux/ },
    {
      what: 'when the preload fails',
      options: { pluginDir: withoutServer() },
      reason: /can't be loaded once for all/,
    },
  ] as const;
  it.concurrent.each(cases)('$what, trials run cold, and why is said once', async ({ options, reason }) => {
    const server = await modelServer(() => say('ok'));
    const { log, warnings } = recorder();
    const { runner, spec } = bench({ baseUrl: server.baseUrl, runner: 'warm', log, ...options });
    expect(await runner.run(spec(), signal)).toMatchObject({ kind: 'completed', response: 'ok' });
    expect(await runner.run(spec(), signal)).toMatchObject({ kind: 'completed', response: 'ok' });
    expect(runner).toMatchObject({ name: 'cold', fellBack: expect.stringMatching(reason) as string });
    expect(warnings).toEqual([expect.stringMatching(reason)]);
  });
});

/** The plugin's host directory with a server that meets a host it doesn't know. */
function withoutServer(): string {
  const dir = temporaryDirectory('karpathy-host-');
  cpSync(join(process.cwd(), 'host'), join(dir, 'host'), { recursive: true });
  const preload = join(dir, 'host', 'karpathy_warm', 'preload.py');
  writeFileSync(preload, readFileSync(preload, 'utf8').replaceAll('discover_plugins', 'discover_extensions'));
  return dir;
}
