import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'vitest';
import { ensureBuild, projectDir } from '#scripts/bootstrap.mjs';
import type { Kind } from './badInput.js';
import { differences, treeOf } from './tree.js';
import { lay, SECRETS } from './world.js';

/** A line that reaches the worker. */
export interface BadLine {
  readonly name: string;
  readonly line: string | Uint8Array | ((own: Build) => string);
  /** The JSON-RPC code of the answer. */
  readonly code: number;
  readonly names: readonly (string | RegExp)[];
}

interface Build {
  readonly build: string;
  readonly version: string;
}

interface Answer {
  readonly id: unknown;
  readonly error?: { readonly code: number; readonly message: string };
  readonly result?: unknown;
}

const NOT_JSON = -32700;
const NOT_A_REQUEST = -32600;
const NO_METHOD = -32601;
const BAD_PARAMS = -32602;
const STALE = -32001;
const TOO_EARLY = -32002;

const request = (method: unknown, params: unknown, rest: object = {}) =>
  JSON.stringify({ jsonrpc: '2.0', id: 'bad', method, params, ...rest });

const handshake = (own: Build, changes: Record<string, unknown> = {}) => ({
  ...{ protocol: 1, plugin_version: own.version, build: own.build, plugin_dir: projectDir },
  ...{ root: '/nowhere', home: '/nowhere', profile: 'default', python: 'python3', host_version: null, hermes: [] },
  ...{ env_agent_shell: false, platform: null, in_gateway: false },
  ...changes,
});
const initialize = (changes: Record<string, unknown>) => (own: Build) => request('initialize', handshake(own, changes));

const LINES: readonly BadLine[] = [
  { name: 'a word', line: 'hello', code: NOT_JSON, names: ['JSON'] },
  { name: 'an empty line', line: '', code: NOT_JSON, names: ['JSON'] },
  { name: 'a line that was cut', line: '{"jsonrpc":"2.0","id":1,"meth', code: NOT_JSON, names: ['JSON'] },
  { name: 'two requests on one line', line: `${request('x', {})}${request('x', {})}`, code: NOT_JSON, names: ['JSON'] },
  { name: 'a text', line: '"tick"', code: NOT_JSON, names: ['JSON'] },
  { name: 'null', line: 'null', code: NOT_JSON, names: ['JSON'] },
  { name: 'NUL bytes', line: '\0\0\0', code: NOT_JSON, names: ['JSON'] },
  { name: 'bytes that are not UTF-8', line: Buffer.from([0xff, 0xfe, 0x7b]), code: NOT_JSON, names: ['JSON'] },
  { name: 'a header of HTTP', line: 'POST /cli HTTP/1.1', code: NOT_JSON, names: ['JSON'] },
  { name: 'ten thousand open brackets', line: '['.repeat(10_000), code: NOT_JSON, names: ['JSON'] },
  { name: 'a megabyte of a text', line: `"${'x'.repeat(1_000_000)}`, code: NOT_JSON, names: ['JSON'] },
  { name: 'an object that is no message', line: '{"id":"bad"}', code: NOT_A_REQUEST, names: [/request/i] },
  { name: 'an empty list', line: '[]', code: NOT_A_REQUEST, names: [/request/i] },
  {
    name: 'no version of the protocol',
    line: '{"id":"bad","method":"tick"}',
    code: NOT_A_REQUEST,
    names: [/request/i],
  },
  {
    name: 'version 1 of JSON-RPC',
    line: request('tick', {}, { jsonrpc: '1.0' }),
    code: NOT_A_REQUEST,
    names: [/request/i],
  },
  { name: 'a method that is a number', line: request(7, {}), code: NO_METHOD, names: [/method/i] },
  { name: 'a method that does not exist', line: request('shutdown', {}), code: NO_METHOD, names: [/method/i] },
  { name: 'a method of all objects', line: request('constructor', {}), code: NO_METHOD, names: [/method/i] },
  {
    name: 'a method with a meaning in JavaScript',
    line: request('__proto__', {}),
    code: NO_METHOD,
    names: [/method/i],
  },
  { name: 'a method in capitals', line: request('TICK', {}), code: NO_METHOD, names: [/method/i] },
  {
    name: 'a command before the handshake',
    line: request('cli', { argv: ['status'], cwd: '/' }),
    code: TOO_EARLY,
    names: ['initialize'],
  },
  {
    name: 'a chat before the handshake',
    line: request('slash', { text: 'status' }),
    code: TOO_EARLY,
    names: ['initialize'],
  },
  { name: 'a tick before the handshake', line: request('tick', {}), code: TOO_EARLY, names: ['initialize'] },
  { name: 'a handshake without its fields', line: request('initialize', {}), code: BAD_PARAMS, names: ['protocol'] },
  {
    name: 'a handshake without an object',
    line: request('initialize', null),
    code: BAD_PARAMS,
    names: [/expected object/],
  },
  {
    name: 'a handshake by position',
    line: request('initialize', [1, 2]),
    code: BAD_PARAMS,
    names: [/expected object/],
  },
  {
    name: 'a protocol in words',
    line: initialize({ protocol: 'one' }),
    code: BAD_PARAMS,
    names: ['protocol', 'number'],
  },
  {
    name: 'a command line of Hermes in one text',
    line: initialize({ hermes: 'hermes' }),
    code: BAD_PARAMS,
    names: ['hermes', 'array'],
  },
  { name: 'an empty home', line: initialize({ home: '' }), code: BAD_PARAMS, names: ['home'] },
  {
    name: 'a truth value in words',
    line: initialize({ in_gateway: 'no' }),
    code: BAD_PARAMS,
    names: ['in_gateway', 'boolean'],
  },
  { name: 'another protocol', line: initialize({ protocol: 2 }), code: STALE, names: ['built from'] },
  {
    name: 'another version of the plugin',
    line: initialize({ plugin_version: '99.0.0' }),
    code: STALE,
    names: ['99.0.0'],
  },
  { name: 'another build', line: initialize({ build: 'f'.repeat(16) }), code: STALE, names: ['f'.repeat(16)] },
];

/** One built worker for all lines, as the host starts it: no line may end it. */
class Worker {
  readonly child: ChildProcess;
  readonly #answers: Answer[] = [];
  #arrived: () => void = () => undefined;
  stderr = '';

  constructor(
    readonly own: Build,
    home: string,
  ) {
    this.child = spawn(process.execPath, [join(projectDir, 'dist', 'worker.mjs'), '--channel', 'stdio'], {
      env: { PATH: process.env.PATH, HOME: home, HERMES_HOME: home },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.child.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    createInterface({ input: this.child.stdout! }).on('line', (line) => {
      this.#answers.push(JSON.parse(line) as Answer);
      this.#arrived();
    });
  }

  async answerTo(line: string | Uint8Array): Promise<Answer> {
    this.child.stdin!.write(Buffer.concat([Buffer.from(line), Buffer.from('\n')]));
    while (this.#answers.length === 0) await new Promise<void>((arrived) => (this.#arrived = arrived));
    return this.#answers.shift()!;
  }
}

let worker: Worker | null = null;

async function startedWorker(home: string): Promise<Worker> {
  if (worker !== null) return worker;
  await ensureBuild();
  const own = JSON.parse(readFileSync(join(projectDir, 'dist', 'build.json'), 'utf8')) as Build;
  return (worker = new Worker(own, home));
}

export function endWorker(): void {
  worker?.child.kill('SIGKILL');
  worker = null;
}

/** One answer with its code; the worker goes on, says nothing on stderr, and touches nothing. */
async function checkLine({ line, code, names }: BadLine): Promise<void> {
  const world = await lay('ready');
  const talking = await startedWorker(world.home);
  const before = treeOf(world.place);
  const { error } = await talking.answerTo(typeof line === 'function' ? line(talking.own) : line);
  expect(error?.code).toBe(code);
  for (const name of names) expect(error?.message).toMatch(name);
  const said = `${JSON.stringify(error)}${talking.stderr}`;
  expect(said).not.toMatch(/\\n\s+at |TypeError|SyntaxError|ZodError/);
  expect(talking.stderr).toBe('');
  expect(said.length).toBeLessThan(1_000);
  for (const secret of SECRETS) expect(said).not.toContain(secret);
  expect((await talking.answerTo(request('tick', {}))).error?.code).toBe(TOO_EARLY);
  expect(talking.child.exitCode).toBeNull();
  expect(differences(before, treeOf(world.place))).toEqual([]);
}

export const BRIDGE: Kind<BadLine> = {
  kind: 'lines to the worker',
  cases: LINES,
  errors: [...new Set(LINES.map(({ code }) => `JSON-RPC ${code}`))].sort(),
  check: checkLine,
};
