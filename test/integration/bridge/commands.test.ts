import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildId } from '#scripts/build-id.mjs';
import { copyPlugin, createShimRoot, PLUGIN_DIR, pretendBuilt, PYTHONS, type ShimRoot, type Step } from './shim.js';

/** A worker in a few lines: answers `initialize`, and `slash` and `cli` as the test's body says. */
const fakeWorker = (body: string) => `
import { createInterface } from 'node:readline';
import { Socket } from 'node:net';
const spec = process.argv[3];
const wire = spec === 'stdio' ? null : new Socket({ fd: Number(spec.slice(3)) });
const [input, output] = wire ? [wire, wire] : [process.stdin, process.stdout];
const send = (message) => output.write(JSON.stringify({ jsonrpc: '2.0', ...message }) + '\\n');
const waiting = new Map();
const ask = (method, params) => new Promise((done) => {
  const id = 'w' + waiting.size;
  waiting.set(id, done);
  send({ id, method, params });
});
const handle = async (method, params) => {
  if (method === 'initialize') return { pid: process.pid };
  ${body}
};
createInterface({ input }).on('line', async (line) => {
  const message = JSON.parse(line);
  if (!message.method) return waiting.get(message.id)(message);
  send({ id: message.id, result: await handle(message.method, message.params) });
}).on('close', () => process.exit(0));
`;

describe("the shim's commands", () => {
  let shim: ShimRoot;
  let plugin: string;
  beforeEach(() => {
    shim = createShimRoot();
    plugin = copyPlugin(join(shim.root, 'plugins', 'karpathy-self-improve'));
  });
  afterEach(() => shim.remove());

  const cli = (argv: readonly string[], env?: Record<string, string>) =>
    shim.cli(argv, { pluginDir: plugin, ...(env && { env }) });
  const slash = (text: string) => shim.slash(text, { pluginDir: plugin });
  const build = (body: string) => pretendBuilt(plugin, fakeWorker(body), shim);

  it('agree with the build script on the build id', async () => {
    const [fromPython] = await shim.run([{ call: ['runtime', 'build_id', PLUGIN_DIR] }]);
    expect(fromPython).toBe(buildId());
  });

  it('say before set-up what to run, each with one line', async () => {
    expect(await slash('status')).toBe('karpathy-self-improve is not set up yet.\nRun: hermes karpathy setup');
    expect(await cli(['status'])).toEqual({
      code: 3,
      stdout: '',
      stderr: 'Error: karpathy-self-improve is not set up yet.\nRun: hermes karpathy setup\n',
    });
    const asJson = await cli(['--json', 'status']);
    expect(asJson.code).toBe(3);
    expect(JSON.parse(asJson.stderr)).toEqual({
      error: {
        code: 'not_set_up',
        message: 'karpathy-self-improve is not set up yet.',
        hint: 'Run: hermes karpathy setup',
      },
    });
    for (const help of ['--help', '-h']) {
      expect(await cli([help])).toMatchObject({ code: 0, stdout: expect.stringContaining('setup') as string });
    }
    expect(await cli(['--version'])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+/) as string });
  });

  it.each([['--help'], ['--json', 'status'], ['-v'], ['--version'], ['propose', '--rewrite', '3', 'a text'], []])(
    'pass %j through to the worker',
    async (...argv) => {
      await build(`return { exit_code: params.argv.join('|') === ${JSON.stringify(argv.join('|'))} ? 42 : 1 };`);
      expect((await cli(argv)).code).toBe(42);
    },
  );

  it("end with the worker's exit code, or say that it crashed", async () => {
    await build(`if (params.argv[0] === 'crash') process.exit(7); return { exit_code: 3 };`);
    expect((await cli(['apply', '7'])).code).toBe(3);
    expect((await cli(['crash'])).code).toBe(7);
  });

  it('say so when the worker was killed, and how it goes on', async () => {
    await build(`process.kill(process.pid, 'SIGKILL');`);
    const killed = await cli(['--json', 'evaluate', '7']);
    expect(killed.code).toBe(1);
    expect(JSON.parse(killed.stderr)).toMatchObject({
      error: {
        message: expect.stringContaining('SIGKILL') as string,
        hint: expect.stringContaining('status') as string,
      },
    });
  });

  describe('in a process that was started for our command', () => {
    const logged = () => readFileSync(join(shim.root, 'seen'), 'utf8').trim().split('\n');
    /** Writes down what reaches each worker; `cli` ends with 5. */
    const writesDown = `
      const { appendFileSync } = await import('node:fs');
      const what = method + ' ' + (params.argv ?? []).join(' ');
      appendFileSync(${JSON.stringify('SEEN')}, process.pid + ' ' + what + '\\n');
      return method === 'cli' ? { exit_code: 5 } : null;
    `;
    const run = (argv: readonly string[], steps: readonly Step[]) =>
      shim.run(steps, { pluginDir: plugin, argv: ['hermes', 'karpathy', ...argv] });
    beforeEach(() => build(writesDown.replace('SEEN', join(shim.root, 'seen'))));

    it('use the worker that loads while Hermes starts', async () => {
      expect(await run(['revert', '3'], [{ cli: ['revert', '3'] }])).toMatchObject([{ code: 5 }]);
      const [preload, cli] = logged();
      expect(preload).toMatch(/^\d+ preload revert 3$/);
      expect(cli).toBe(preload?.replace('preload', 'cli'));
    });

    it('run nothing that Hermes never hands over', async () => {
      await run(['revert', '3'], []);
      expect(existsSync(join(shim.root, 'seen')) ? logged() : []).not.toContainEqual(expect.stringContaining('cli'));
    });

    it('leave that worker when Hermes hands over another command line', async () => {
      expect(await run(['revert', '3'], [{ cli: ['show', '3'] }])).toMatchObject([{ code: 5 }]);
      expect(logged().filter((line) => line.includes('cli'))).toEqual([expect.stringMatching(/^\d+ cli show 3$/)]);
    });

    it('say what is wrong as ever when it can not be started', async () => {
      await execa('rm', ['-r', join(plugin, 'dist')]);
      expect(await run(['status'], [{ cli: ['status'] }])).toMatchObject([
        { code: 3, stderr: expect.stringContaining('Run: hermes karpathy setup') as string },
      ]);
    });
  });

  it('answer a slash command with the text of the worker, shortened where a chat would cut it', async () => {
    await build(
      `return { text: params.text === 'long' ? 'x'.repeat(9000) : params.text === 'empty' ? '' : 'you said ' + params.text };`,
    );
    expect(await slash('status 3')).toBe('you said status 3');
    expect(await slash('empty')).toBe('Done.');
    const long = await slash('long');
    expect(long).toHaveLength(3500);
    expect(long).toMatch(/shortened; in full: hermes karpathy\)$/);
  });

  it('never let a slash command hang or raise', async () => {
    await build(`if (params.text === 'crash') process.exit(1); return new Promise(() => setInterval(() => {}, 1000));`);
    expect(await slash('crash')).toMatch(/^No answer/);
    const before = [{ set: ['slash', 'TIMEOUT_SECONDS', 1] }] as const;
    const answer = await shim.slash('hang', {
      pluginDir: plugin,
      before: before,
    });
    expect(answer).toBe('No answer within 1 s. In a terminal: hermes karpathy status');
  });

  it("answer the worker's requests for a completion, and name why one failed", async () => {
    await build(`
      const ask1 = (model) => ask('llm.complete', { messages: [{ role: 'user', content: 'hi' }], purpose: 'test', model });
      const answers = await Promise.all([ask1(), ask1('forbidden'), ask1('used-up'), ask1('down'), ask('nonsense', {})]);
      return { text: JSON.stringify(answers.map((a) => a.result ?? [a.error.code, a.error.data?.kind])) };
    `);
    expect(JSON.parse(await slash('x'))).toEqual([
      {
        text: 'HI',
        provider: 'p',
        model: 'm',
        usage: { input_tokens: 3, output_tokens: 2, total_tokens: 5 },
        cost_usd: null,
      },
      [-32010, 'trust'],
      [-32010, 'limit'],
      [-32010, 'provider'],
      [-32601, null],
    ]);
  });

  it('refuse a build of other sources, but go on showing and undoing with the old one', async () => {
    const runtime = join(shim.paths.runtimeDir, 'old-1');
    await build(`return { exit_code: 0 };`);
    mkdirSync(shim.paths.runtimeDir, { recursive: true });
    await execa('cp', ['-r', plugin, runtime]);
    await execa('rm', ['-r', join(plugin, 'dist')]);
    const { build: id } = JSON.parse(readFileSync(join(runtime, 'dist', 'build.json'), 'utf8')) as { build: string };
    const current = {
      build: id,
      dir: runtime,
      node: process.execPath,
      abi: process.versions.modules,
      version: '0.1.0',
    };
    writeFileSync(join(shim.paths.runtimeDir, 'current.json'), JSON.stringify(current));
    expect((await cli(['propose'])).code).toBe(0);

    writeFileSync(join(plugin, 'src', 'errors.ts'), '// updated\n');
    const refused = await cli(['propose']);
    expect(refused.code).toBe(3);
    expect(refused.stderr).toContain('Run: hermes karpathy setup');
    const reverted = await cli(['revert', '3']);
    expect(reverted.code).toBe(0);
    expect(reverted.stderr).toContain('The plugin was updated');
  });

  describe('finding Node', () => {
    const fakeNode = (name: string, shows: string) => {
      const path = join(shim.root, name, 'node');
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, `#!/bin/sh\necho "${shows}"\n`);
      chmodSync(path, 0o755);
      return path;
    };

    beforeEach(() => build(`return { exit_code: 0 };`));

    it('refuses a chosen one that is too old or not there, by its name', async () => {
      const old = fakeNode('old', '18.20.4 108');
      const tooOld = await cli(['status'], { KARPATHY_NODE: old });
      expect(tooOld.code).toBe(2);
      expect(tooOld.stderr).toContain(
        `KARPATHY_NODE names ${old}, which is Node 18.20.4; needed is Node 20.19 or newer.`,
      );
      const missing = await cli(['status'], { KARPATHY_NODE: '/nowhere/node' });
      expect(missing.stderr).toContain('KARPATHY_NODE names /nowhere/node');
    });

    it('names every one it found when all are too old, and says so when there is none', async () => {
      const tools = join(shim.root, 'tools');
      mkdirSync(tools);
      const python = (await execa(PYTHONS[0] ?? 'python3', ['-c', 'import sys; print(sys.executable)'])).stdout;
      const run = async (path: string) => {
        const [answer] = await shim.run([{ cli: ['status'] }], { pluginDir: plugin, python, env: { PATH: path } });
        return answer as { code: number; stderr: string };
      };
      const none = await run(tools);
      expect(none.code).toBe(3);
      expect(none.stderr).toContain('No Node was found; needed is Node 20.19 or newer.');
      const old = fakeNode('tools', '20.18.9 115');
      const found = await run(tools);
      expect(found.code).toBe(3);
      expect(found.stderr).toContain(`Found Node 20.18.9 at ${old}; needed is Node 20.19 or newer.`);
    });

    it('names both ABIs when the runtime was built for another Node', async () => {
      const other = fakeNode('other', '99.0.0 999');
      const refused = await cli(['status'], { KARPATHY_NODE: other });
      expect(refused.code).toBe(3);
      expect(refused.stderr).toContain(`(ABI ${process.versions.modules})`);
      expect(refused.stderr).toContain('(ABI 999)');
    });

    it('asks a Node for its version once, and again when the file changed', async () => {
      const path = join(shim.root, 'counting', 'node');
      mkdirSync(dirname(path), { recursive: true });
      mkdirSync(shim.paths.runtimeDir, { recursive: true });
      writeFileSync(path, `#!/bin/sh\necho x >> ${path}.calls\necho "20.19.0 115"\n`);
      chmodSync(path, 0o755);
      const cache = join(shim.paths.runtimeDir, 'nodes.json');
      const probe = { call: ['node', 'probe', path, cache] } as const;
      const calls = () => readFileSync(`${path}.calls`, 'utf8').length / 2;
      expect(await shim.run([probe, probe])).toEqual([
        [path, '20.19.0', '115'],
        [path, '20.19.0', '115'],
      ]);
      expect(calls()).toBe(1);
      utimesSync(path, 1, 1);
      await shim.run([probe]);
      expect(calls()).toBe(2);
    });
  });

  describe('set-up that fails', () => {
    /** A directory with this Node and an npm that does what the script says. */
    const withNpm = (script: string | null) => {
      const bin = join(shim.root, 'bin');
      mkdirSync(bin);
      symlinkSync(process.execPath, join(bin, 'node'));
      if (script !== null) {
        writeFileSync(join(bin, 'npm'), `#!/bin/sh\n${script}\n`);
        chmodSync(join(bin, 'npm'), 0o755);
      }
      return { KARPATHY_NODE: join(bin, 'node') };
    };

    it.each([
      ['gyp ERR! not found: make', 'the SQLite module could not be compiled', 'A C++ compiler, make and Python'],
      [
        'gyp ERR! stack is related to network connectivity',
        "nor Node's headers (nodejs.org) can be downloaded",
        'npm config set nodedir PREFIX',
      ],
      ['npm error ENOSPC: no space left on device', 'the disk is full', 'Free some space'],
      ['npm error getaddrinfo EAI_AGAIN registry', "the npm registry can't be reached", 'Check network, proxy'],
    ])('names the cause of %j and the log', async (line, cause, hint) => {
      const env = withNpm(`echo "${line}"; exit 1`);
      const failed = await cli(['setup'], env);
      expect(failed.code).toBe(1);
      for (const part of [cause, hint, line, join(shim.paths.runtimeDir, 'setup.log')]) {
        expect(failed.stderr).toContain(part);
      }
      expect(failed.stdout).toMatch(/Install packages and build \(npm ci\): failed in [\d.]+ s/);
    });

    it('leaves no half-built runtime and no other switched to', async () => {
      await cli(['setup'], withNpm('exit 1'));
      expect(existsSync(join(shim.paths.runtimeDir, 'current.json'))).toBe(false);
      const left = await execa('find', [shim.paths.runtimeDir, '-mindepth', '1', '-type', 'd']);
      expect(left.stdout).toBe('');
      expect(existsSync(join(plugin, 'node_modules'))).toBe(false);
    });

    it('gives npm an environment in which a surrounding npm run changes nothing', async () => {
      const seen = join(shim.root, 'seen');
      const env = withNpm(`env > ${seen}; exit 1`);
      await cli(['setup'], {
        ...env,
        NODE_ENV: 'production',
        npm_config_omit: 'dev',
        npm_lifecycle_event: 'test',
        npm_config_registry: 'http://127.0.0.1:9/',
      });
      const passed = readFileSync(seen, 'utf8');
      expect(passed).not.toMatch(/^(NODE_ENV|npm_config_omit|npm_lifecycle_event)=/m);
      expect(passed).toContain('npm_config_registry=http://127.0.0.1:9/');
    });

    it('lets npm compile with the headers beside Node, when they are of that Node', async () => {
      const node = join(shim.root, 'bin', 'node');
      mkdirSync(dirname(node), { recursive: true });
      writeFileSync(node, `#!/bin/sh\nexec ${process.execPath} "$@"\n`);
      chmodSync(node, 0o755);
      writeFileSync(join(shim.root, 'bin', 'npm'), `#!/bin/sh\nenv > ${join(shim.root, 'seen')}; exit 1\n`);
      chmodSync(join(shim.root, 'bin', 'npm'), 0o755);
      const headers = join(shim.root, 'include', 'node', 'node_version.h');
      mkdirSync(dirname(headers), { recursive: true });
      const [major, minor, patch] = process.versions.node.split('.');
      const withPatch = (number: string | undefined) =>
        `#define NODE_MAJOR_VERSION ${major}\n#define NODE_MINOR_VERSION ${minor}\n#define NODE_PATCH_VERSION ${number}\n`;
      const nodedir = async () => {
        await cli(['setup'], { KARPATHY_NODE: node, npm_config_nodedir: '' });
        return /^npm_config_nodedir=(.*)$/m.exec(readFileSync(join(shim.root, 'seen'), 'utf8'))?.[1];
      };
      writeFileSync(headers, withPatch(patch));
      expect(await nodedir()).toBe(shim.root);
      writeFileSync(headers, withPatch('999'));
      expect(await nodedir()).toBe('');
    });

    it('refuses a second one at the same time', async () => {
      const env = withNpm(`sleep 3; exit 1`);
      const first = cli(['setup'], env);
      const lock = join(shim.paths.runtimeDir, 'setup.lock');
      await expect.poll(() => existsSync(lock), { timeout: 10_000 }).toBe(true);
      const second = await cli(['setup'], env);
      expect(second).toMatchObject({ code: 3, stderr: expect.stringContaining('Another set-up') as string });
      expect((await first).code).toBe(1);
    });
  });

  it.each(PYTHONS)('work on %s', async (python) => {
    shim.mark('enabled');
    await build(`return { text: 'fine', exit_code: 5 };`);
    const hook = { hook: 'pre_llm_call', payload: { session_id: 's' } } as const;
    const answers = await shim.run([hook, { slash: 'x' }, { cli: ['--json', 'status'] }], {
      pluginDir: plugin,
      python,
    });
    expect(answers).toMatchObject([null, 'fine', { code: 5 }]);
    expect(shim.spoolLines().some((line) => line.includes('pre_llm_call'))).toBe(true);
  });
});
