import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ensureBuild, projectDir } from '#scripts/bootstrap.mjs';

interface Message {
  readonly id?: number | string | null;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
}

/** The built worker as the host starts it, spoken to line by line. */
class Worker {
  readonly child: ChildProcess;
  readonly #messages: Message[] = [];
  #arrived: () => void = () => undefined;

  constructor(home: string) {
    this.child = spawn(process.execPath, [join(projectDir, 'dist', 'worker.mjs'), '--channel', 'stdio'], {
      env: { PATH: process.env.PATH, HOME: home, HERMES_HOME: home },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    createInterface({ input: this.child.stdout! }).on('line', (line) => {
      this.#messages.push(JSON.parse(line) as Message);
      this.#arrived();
    });
  }

  write(line: string): void {
    this.child.stdin!.write(`${line}\n`);
  }

  /** Sends a request and waits for its answer. */
  async call(id: number, method: string, params: unknown): Promise<Message> {
    this.write(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
    return this.next((message) => message.method === undefined && message.id === id);
  }

  async next(wanted: (message: Message) => boolean): Promise<Message> {
    for (;;) {
      const found = this.#messages.findIndex(wanted);
      if (found >= 0) return this.#messages.splice(found, 1)[0]!;
      await new Promise<void>((arrived) => (this.#arrived = arrived));
    }
  }

  ended(): Promise<number | null> {
    if (this.child.exitCode !== null) return Promise.resolve(this.child.exitCode);
    return new Promise((done) => this.child.once('exit', (code) => done(code)));
  }
}

describe('the worker', () => {
  let home: string;
  let worker: Worker;
  let own: { build: string; version: string };

  beforeAll(async () => {
    await ensureBuild();
    own = JSON.parse(readFileSync(join(projectDir, 'dist', 'build.json'), 'utf8')) as typeof own;
  }, 180_000);
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'karpathy-worker-'));
    worker = new Worker(home);
  });
  afterEach(() => {
    worker.child.kill('SIGKILL');
    rmSync(home, { recursive: true, force: true });
  });

  const handshake = (changes: Record<string, unknown> = {}) => ({
    protocol: 1,
    plugin_version: own.version,
    build: own.build,
    plugin_dir: projectDir,
    root: home,
    home,
    profile: 'default',
    python: 'python3',
    host_version: null,
    hermes: [],
    env_agent_shell: false,
    platform: null,
    in_gateway: false,
    selfcheck: true,
    ...changes,
  });

  it('shakes hands, loading its native module when set-up asks for it', async () => {
    const answer = await worker.call(1, 'initialize', handshake());
    expect(answer.result).toEqual({
      protocol: 1,
      plugin_version: own.version,
      build: own.build,
      pid: worker.child.pid,
    });
  });

  it.each([{ protocol: 2 }, { plugin_version: '99.0.0' }, { build: '0000000000000000' }])(
    'refuses a host of another build: %j',
    async (change) => {
      const { error } = await worker.call(1, 'initialize', handshake(change));
      expect(error).toMatchObject({ code: -32001, data: { code: 'stale_build' } });
      expect((await worker.call(2, 'slash', { text: 'status' })).error?.code).toBe(-32002);
    },
  );

  it('does nothing before the handshake', async () => {
    for (const [id, method] of ['cli', 'slash', 'tick'].entries()) {
      expect((await worker.call(id, method, {})).error?.code).toBe(-32002);
    }
  });

  it('answers garbage, an unknown method and wrong params by their codes, and goes on', async () => {
    worker.write('this is not JSON');
    worker.write('"nor a request"');
    const parseError = { id: null, error: { code: -32700 } };
    expect(await worker.next((message) => message.id === null)).toMatchObject(parseError);
    expect(await worker.next((message) => message.id === null)).toMatchObject(parseError);
    expect((await worker.call(1, 'nonsense', {})).error?.code).toBe(-32601);
    expect((await worker.call(2, 'initialize', { protocol: 1 })).error?.code).toBe(-32602);
    expect((await worker.call(3, 'initialize', handshake())).result).toBeDefined();
  });

  it('answers a slash command, one that fails too', async () => {
    await worker.call(1, 'initialize', handshake());
    const slash = await worker.call(2, 'slash', { text: 'help' });
    expect(slash.result?.text).toContain('/karpathy');
    const failed = await worker.call(3, 'slash', { text: 'show 999999' });
    expect(typeof failed.result?.text).toBe('string');
    expect(failed.result?.text).not.toBe('');
  });

  it('ends when the host is gone', async () => {
    await worker.call(1, 'initialize', handshake());
    worker.child.stdin!.end();
    expect(await worker.ended()).toBe(0);
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('ends at once at a second signal, not at %s', async (first) => {
    await worker.call(1, 'initialize', handshake());
    worker.child.kill(first);
    const pinged = await worker.call(2, 'nonsense', {});
    expect(pinged.error?.code).toBe(-32601);
    worker.child.kill('SIGINT');
    expect(await worker.ended()).toBe(130);
  });
});
