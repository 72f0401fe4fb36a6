import { existsSync, mkdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import {
  cleanup,
  createHermesRoot,
  createProfile,
  hermesOk,
  installPlugin,
  runHermes,
  type HermesRoot,
} from '../support/hermesHost.js';
import { openTerminal, tmuxMissing } from '../support/tmux.js';

const PLUGIN = 'karpathy-self-improve';

describe('a fresh install, before set-up', () => {
  let root: HermesRoot;
  beforeAll(async () => {
    root = createHermesRoot();
    await installPlugin(root, { fresh: true });
  });
  afterAll(() => cleanup(root));

  it.each([[['status']], [['propose']], [['doctor', '--json']], [[]]])('says for %j what to run', async (args) => {
    const answer = await runHermes(root, ['karpathy', ...args]);
    expect(answer.exitCode).toBe(3);
    expect(answer.stderr).toContain('hermes karpathy setup');
    expect(answer.stdout).toBe('');
  });

  it('answers --help, setup --help and install --help', async () => {
    expect(await hermesOk(root, ['karpathy', '--help'])).toContain('hermes karpathy setup');
    expect(await hermesOk(root, ['karpathy', 'setup', '--help'])).toContain('--force');
    expect(await hermesOk(root, ['karpathy', 'install', '--help'])).toContain('--all');
  });

  it('refuses an old Node with the version it found', async () => {
    const [dir, node] = [join(root.dir, 'old'), join(root.dir, 'old', 'node')];
    mkdirSync(dir);
    await execa('sh', ['-c', `printf '#!/bin/sh\\necho "18.0.0 108"\\n' > "${node}" && chmod +x "${node}"`]);
    const answer = await runHermes(root, ['karpathy', 'setup'], { env: { KARPATHY_NODE: node } });
    expect(answer.exitCode).toBe(2);
    expect(answer.stderr).toContain('Node 18.0.0; needed is Node 20.19 or newer');
  });

  it('left nothing but its clone', async () => {
    const dir = join(root.home, 'plugins', PLUGIN);
    const { stdout } = await execa('git', ['status', '--porcelain', '--ignored'], { cwd: dir });
    expect(stdout.split('\n').filter((line) => line !== '' && !line.includes('__pycache__'))).toEqual([]);
    expect(existsSync(root.dbPath)).toBe(false);
  });

  it('uninstalls without a worker: it says what to remove by hand, and goes on with an uninstall that was killed', async () => {
    const place = join(root.home, 'plugins', PLUGIN);
    const byHand = await runHermes(root, ['karpathy', 'uninstall', '--purge', '--yes']);
    expect(byHand.exitCode).toBe(3);
    expect(byHand.stderr).toContain('Or by hand:');
    expect(byHand.stderr).toContain(`remove ${place}`);
    // As a worker leaves it that dies when its own runtime is gone already.
    const home = { profile: 'default', home: root.home, section: false, link: false, directory: true };
    const list = {
      root: root.home,
      homes: [{ ...home, entries: ['plugins.enabled'] }],
      remove: [join(root.dataDir, 'runtime')],
    };
    mkdirSync(root.dataDir, { recursive: true });
    writeFileSync(join(root.dataDir, 'uninstall.json'), JSON.stringify(list));
    expect(await hermesOk(root, ['karpathy', 'uninstall'])).toContain('Went on with the uninstall');
    expect([existsSync(place), existsSync(root.dataDir)]).toEqual([false, false]);
    expect(readFileSync(join(root.home, 'config.yaml'), 'utf8')).not.toContain(PLUGIN);
  });
});

describe('an install that is set up', () => {
  let root: HermesRoot;
  beforeAll(async () => {
    root = createHermesRoot();
    await installPlugin(root);
  });
  afterAll(() => cleanup(root));

  it('says so when set-up is run again, with where and which Node', async () => {
    const answer = JSON.parse(await hermesOk(root, ['karpathy', 'setup', '--json'])) as Record<string, unknown>;
    expect(answer).toMatchObject({ state: 'already', abi: process.versions.modules });
    expect(existsSync(join(String(answer.dir), 'dist', 'worker.mjs'))).toBe(true);
    expect(answer.bytes).toBeGreaterThan(1_000_000);
  });

  it('passes --help, --version and options before the command to our own parser', async () => {
    expect(await hermesOk(root, ['karpathy', '--help'])).toContain('propose');
    expect(await hermesOk(root, ['karpathy', '--version'])).toMatch(/^\d+\.\d+\.\d+/);
    expect(await hermesOk(root, ['karpathy', 'propose', '--help'])).toContain('--rewrite');
    const unknown = await runHermes(root, ['karpathy', '--json', 'nonsense']);
    expect(unknown.exitCode).toBe(2);
    expect(JSON.parse(unknown.stderr)).toMatchObject({ error: { code: 'bad_usage' } });
  });

  it('leaves the plugin directory as it was cloned', async () => {
    const dir = join(root.home, 'plugins', PLUGIN);
    expect((await execa('git', ['status', '--porcelain'], { cwd: dir })).stdout).toBe('');
    expect(existsSync(join(dir, 'node_modules'))).toBe(false);
    expect(existsSync(join(dir, 'dist'))).toBe(false);
  });

  describe('and other profiles', () => {
    let dev: string;
    beforeAll(async () => {
      dev = await createProfile(root, 'dev');
      await createProfile(root, 'work');
    });
    const enabledIn = (home: string) =>
      (parse(readFileSync(join(home, 'config.yaml'), 'utf8')) as { plugins?: { enabled?: string[] } }).plugins?.enabled;

    it('asks a person before it touches them', async () => {
      const refused = await runHermes(root, ['karpathy', 'install', 'dev']);
      expect(refused.exitCode).toBe(3);
      expect(refused.stderr).toContain('--yes');
      expect(existsSync(join(dev, 'plugins', PLUGIN))).toBe(false);
    });

    it('names the profiles there are when one is unknown', async () => {
      const refused = await runHermes(root, ['karpathy', 'install', 'nobody', '--yes']);
      expect(refused.exitCode).toBe(2);
      expect(refused.stderr).toContain('Known: dev, work');
    });

    it('links and enables one, which then answers; a second time changes nothing', async () => {
      await hermesOk(root, ['karpathy', 'install', 'dev', '--yes']);
      expect(readlinkSync(join(dev, 'plugins', PLUGIN))).toBe(join('..', '..', '..', 'plugins', PLUGIN));
      expect(enabledIn(dev)).toContain(PLUGIN);
      expect(await hermesOk(root, ['-p', 'dev', 'karpathy', '--version'])).toMatch(/^\d+\./);
      // Hermes reads `--profile` itself; from a profile that has the plugin the command still says so.
      expect(await hermesOk(root, ['karpathy', 'install', '--profile', 'dev'])).toContain('already linked');
    });

    it('takes --profile after a double dash, and all at once', async () => {
      await hermesOk(root, ['karpathy', 'install', '--yes', '--', '--profile', 'work']);
      rmSync(join(dev, 'plugins', PLUGIN));
      const answer = JSON.parse(await hermesOk(root, ['karpathy', 'install', '--all', '--yes', '--json'])) as unknown;
      expect(answer).toMatchObject({
        profiles: [
          { name: 'dev', link: 'linked' },
          { name: 'work', link: 'already linked' },
        ],
      });
    });

    it('never replaces a copy of its own', async () => {
      const own = join(await createProfile(root, 'apart'), 'plugins', PLUGIN);
      mkdirSync(own, { recursive: true });
      const refused = await runHermes(root, ['karpathy', 'install', 'apart', '--yes']);
      expect(refused.exitCode).toBe(2);
      expect(refused.stderr).toContain('hermes -p apart plugins remove');
    });
  });

  it.skipIf(tmuxMissing() !== null)(
    'gives the worker the terminal: questions, Ctrl-C, then the next command',
    async () => {
      const terminal = await openTerminal({ command: ['sh'], env: root.env, cwd: root.cwd });
      try {
        await terminal.line(`${root.install.hermes} karpathy init; echo "code $?"`);
        await terminal.waitFor('◆');
        await terminal.keys('C-c');
        await terminal.waitFor('code 130');
        await terminal.mark();
        await terminal.line(`${root.install.hermes} karpathy --help; echo "code $?"`);
        expect(await terminal.waitFor('code 0')).toContain('propose');
      } finally {
        await terminal.close();
      }
    },
  );
});
