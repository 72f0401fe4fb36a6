import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import {
  cleanup,
  createHermesRoot,
  createProfile,
  installPlugin,
  runHermes,
  type HermesRoot,
  type RootOptions,
} from '../support/hermesHost.js';
import { identityOf, simulatedModel, startModelServer, systemPromptOf } from '../support/modelServer/index.js';
import { openTerminal, tmuxMissing } from '../support/tmux.js';

const missing = tmuxMissing();
if (missing) console.warn(missing);

describe('the harness', () => {
  const roots: HermesRoot[] = [];
  const newRoot = (options: RootOptions = {}) => {
    const root = createHermesRoot(options);
    roots.push(root);
    return root;
  };
  afterEach(() => roots.splice(0).forEach(cleanup));

  it('runs the pinned Hermes in a root of its own', async () => {
    const root = newRoot();
    const { exitCode, stdout } = await runHermes(root, ['--version']);
    expect(exitCode).toBe(0);
    expect(stdout).toContain(root.install.version);
  });

  it('makes a profile under the root', async () => {
    const root = newRoot();
    const home = await createProfile(root, 'dev');
    expect(home).toBe(join(root.home, 'profiles', 'dev'));
    expect(existsSync(join(home, 'config.yaml'))).toBe(true);
  });

  it('lets the real agent talk to the model server, which finds SOUL.md in the system prompt', async () => {
    const server = await startModelServer({ models: { 'sim-agent': simulatedModel({ seed: 'a' }) } });
    try {
      const soul = 'You are Bee, a careful helper.\n\n# Habits\n\nAnswer in 40 words.';
      const root = newRoot({ model: { baseUrl: server.baseUrl, model: 'sim-agent' }, soul: `${soul}\n` });
      const { exitCode, stdout } = await runHermes(root, ['chat', '-q', 'How much is it?', '-Q', '-t', 'todo']);
      expect(stdout).toContain('The answer comes to');
      expect(exitCode).toBe(0);
      expect(server.chats().map((chat) => identityOf(systemPromptOf(chat)))).toEqual([soul]);
    } finally {
      await server.close();
    }
  });

  it('puts the installed plugin into another root', async () => {
    const root = newRoot({ soul: 'You are Bee.\n' });
    await installPlugin(root);
    const { exitCode, stdout, stderr } = await runHermes(root, ['karpathy', '--json', 'status']);
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toMatchObject({ profile: 'default' });
    expect(exitCode).toBe(0);
  });

  it.skipIf(missing !== null)('drives a program in a terminal', async () => {
    const root = newRoot();
    const command = ['sh', '-c', 'test -t 0 && printf "name? " && read name && echo "hello $name" && exit 7'];
    const terminal = await openTerminal({ command, env: root.env, cwd: root.cwd });
    try {
      await terminal.waitFor('name?');
      await terminal.line('Ada');
      await terminal.waitFor('hello Ada');
      expect(await terminal.exitCode()).toBe(7);
    } finally {
      await terminal.close();
    }
  });
});
