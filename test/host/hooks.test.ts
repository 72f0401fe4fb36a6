import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { markerKey, pathsUnder } from '../../src/hermes/paths.js';
import { spoolEventSchema, type SpoolEvent } from '../../src/schemas.js';
import {
  cleanup,
  createHermesRoot,
  createProfile,
  hermesOk,
  installPlugin,
  runHermes,
  type HermesRoot,
} from '../support/hermesHost.js';
import { simulatedModel, startModelServer, type ModelServer } from '../support/modelServer/index.js';
import { STATE_SCHEMA_22 } from '../support/stateSchema.js';
import { openTerminal, tmuxMissing } from '../support/tmux.js';

describe('the hooks in the real Hermes', () => {
  let server: ModelServer;
  let root: HermesRoot;
  let read = 0;

  beforeAll(async () => {
    server = await startModelServer({ models: { 'sim-agent': simulatedModel({ seed: 'hooks' }) } });
    root = createHermesRoot({ model: { baseUrl: server.baseUrl, model: 'sim-agent' }, soul: 'You are Bee.\n' });
    await installPlugin(root);
    enable(root.home);
  });
  afterAll(async () => {
    await server.close();
    cleanup(root);
  });
  beforeEach(() => {
    read = allEvents().length;
  });

  function enable(home: string): void {
    const { enabledMarkers } = pathsUnder(root.home);
    mkdirSync(enabledMarkers, { recursive: true });
    writeFileSync(join(enabledMarkers, markerKey(realpathSync(home))), '');
  }
  function allEvents(): SpoolEvent[] {
    const dir = join(root.dataDir, 'spool');
    const names = existsSync(dir) ? readdirSync(dir).filter((name) => name.endsWith('.ndjson')) : [];
    const lines = names.flatMap((name) => readFileSync(join(dir, name), 'utf8').split('\n').slice(0, -1));
    return lines.map((line) => spoolEventSchema.parse(JSON.parse(line))).sort((one, other) => one.at - other.at);
  }
  const newEvents = () => allEvents().slice(read);
  const chat = (text: string, env: NodeJS.ProcessEnv = {}) =>
    hermesOk(root, ['chat', '-q', text, '-Q', '-t', 'todo'], { env });

  it('append a started and a completed line per turn of chat -q', async () => {
    await chat('How much is it?');
    const [process, pre, post] = newEvents();
    expect(process).toMatchObject({ hook: 'process', argv: 'hermes chat', host_version: root.install.version });
    expect(pre).toMatchObject({ hook: 'pre_llm_call', home: root.home, is_first_turn: true, trial: false });
    expect(post).toMatchObject({ hook: 'post_llm_call', platform: 'cli', model: 'sim-agent' });
    expect(newEvents()).toHaveLength(3);
    expect(pre?.hook === 'pre_llm_call' && post?.hook === 'post_llm_call' && pre.session_id === post.session_id).toBe(
      true,
    );
  });

  it('go with a state.db whose tables are, column for column, those that other tests make', () => {
    const made = new Database(':memory:');
    made.exec(STATE_SCHEMA_22);
    const stored = new Database(join(root.home, 'state.db'), { readonly: true });
    const version = stored.prepare('SELECT version FROM schema_version').pluck().get() as number;
    const columns = (db: Database.Database) =>
      ['sessions', 'messages', 'session_model_usage'].map((table) => [
        table,
        (db.pragma(`table_info(${table})`) as { name: string; type: string; notnull: number; pk: number }[])
          .map(({ name, type, notnull, pk }) => `${name} ${type} ${notnull} ${pk}`)
          .sort(),
      ]);
    expect([version, Object.fromEntries(columns(stored))]).toEqual([22, Object.fromEntries(columns(made))]);
    for (const db of [made, stored]) db.close();
  });

  it('do so in -z too', async () => {
    await hermesOk(root, ['-z', 'How much is it?', '-t', 'todo']);
    expect(newEvents().map((event) => event.hook)).toEqual(['process', 'pre_llm_call', 'post_llm_call']);
  });

  it('mark our own trials', async () => {
    await chat('How much is it?', { KARPATHY_TRIAL: '1' });
    const turns = newEvents().filter((event) => event.hook !== 'process');
    expect(turns).toMatchObject([{ trial: true }, { trial: true }]);
  });

  it('write nothing for a profile that is not set up', async () => {
    const home = await createProfile(root, 'dev');
    await hermesOk(root, ['karpathy', 'install', 'dev', '--yes']);
    const turn = ['-p', 'dev', 'chat', '-q', 'Hi', '-Q', '-t', 'todo'];
    await hermesOk(root, turn);
    expect(newEvents().filter((event) => event.hook !== 'process')).toEqual([]);
    enable(home);
    await hermesOk(root, turn);
    const turns = newEvents().filter((event) => event.hook !== 'process');
    expect(turns).toMatchObject([{ home }, { home }]);
  });

  it('never fail a turn, even when the spool is not a directory', async () => {
    const other = createHermesRoot({ model: { baseUrl: server.baseUrl, model: 'sim-agent' } });
    try {
      await installPlugin(other);
      const { enabledMarkers, spoolDir } = pathsUnder(other.home);
      mkdirSync(enabledMarkers, { recursive: true });
      writeFileSync(join(enabledMarkers, markerKey(realpathSync(other.home))), '');
      writeFileSync(spoolDir, 'in the way');
      expect((await runHermes(other, ['chat', '-q', 'Hi', '-Q', '-t', 'todo'])).exitCode).toBe(0);
    } finally {
      cleanup(other);
    }
  });

  it('tell the model that a command in chat -q was not executed', async () => {
    await chat('/karpathy approve 7');
    const last = JSON.stringify(server.chats().at(-1));
    expect(last).toContain('/karpathy approve 7');
    expect(last).toContain('was not executed');
  });

  it.skipIf(tmuxMissing() !== null)('leave an interactive chat usable after /karpathy', async () => {
    const terminal = await openTerminal({
      command: [root.install.hermes, 'chat', '-t', 'todo'],
      env: root.env,
      cwd: root.cwd,
    });
    try {
      await terminal.waitFor('Type your message');
      const before = server.chats().length;
      await terminal.line('/karpathy help');
      await terminal.waitFor('/karpathy status');
      expect(server.chats()).toHaveLength(before);
      await terminal.line('How much is it?');
      await terminal.waitFor('The answer comes to');
    } finally {
      await terminal.close();
    }
  });
});
