import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { encodeEvent, hookEvent, NOT_EXECUTED } from '#src/bridge/hooks.js';
import { register, type PluginContext } from '#src/plugin.js';
import { spoolEventSchema } from '#src/schemas.js';
import { createShimRoot, type ShimRoot } from './shim.js';

const turn = {
  session_id: 's1',
  turn_id: 't1',
  is_first_turn: true,
  model: 'm',
  platform: 'cli',
  user_message: 'hello',
};
const pre = { hook: 'pre_llm_call', payload: turn } as const;
const post = {
  hook: 'post_llm_call',
  payload: { session_id: 's1', turn_id: 't1', model: 'm', platform: 'cli' },
} as const;

describe("the shim's hooks", () => {
  let shim: ShimRoot;
  beforeEach(() => {
    shim = createShimRoot();
  });
  afterEach(() => shim.remove());

  const events = () => shim.spoolLines().map((line) => spoolEventSchema.parse(JSON.parse(line)));
  const hookEvents = () => events().filter((event) => event.hook !== 'process');

  it('append one line per hook of a profile that is set up', async () => {
    shim.mark('enabled');
    expect(await shim.run([pre, post])).toEqual([null, null]);
    expect(hookEvents()).toMatchObject([
      { hook: 'pre_llm_call', session_id: 's1', turn_id: 't1', home: shim.root, is_first_turn: true, trial: false },
      { hook: 'post_llm_call', session_id: 's1', is_first_turn: null, write_origin: null },
    ]);
  });

  it('write nothing at all for a profile that is not set up', async () => {
    expect(await shim.run([pre, post])).toEqual([null, null]);
    expect(existsSync(join(shim.root, 'plugin-data'))).toBe(false);
  });

  it('record the process once, and not what was asked in it', async () => {
    shim.mark('enabled');
    await shim.run([pre, post, pre], { argv: ['/opt/bin/hermes', 'chat', '-q', 'my secret question'] });
    const processes = events().filter((event) => event.hook === 'process');
    expect(processes).toMatchObject([{ argv: 'hermes chat', home: shim.root, version: '0.1.0' }]);
  });

  it('mark trials and background reviews', async () => {
    shim.mark('enabled');
    await shim.run([{ origin: 'background_review' }, pre, { env: { KARPATHY_TRIAL: '1' } }, post]);
    expect(hookEvents()).toMatchObject([
      { write_origin: 'background_review', trial: false },
      { write_origin: 'background_review', trial: true },
    ]);
  });

  it('follow the home, a named profile writes to the spool of its root under its own marker', async () => {
    const home = join(shim.root, 'profiles', 'dev');
    mkdirSync(home, { recursive: true });
    shim.mark('enabled');
    await shim.run([pre], { home });
    expect(shim.spoolLines().filter((line) => line.includes('pre_llm_call'))).toEqual([]);
    shim.mark('enabled', home);
    await shim.run([pre], { home });
    expect(hookEvents()).toMatchObject([{ home }]);
  });

  it('find the marker by the real path of a linked home', async () => {
    const linked = join(shim.root, 'linked');
    symlinkSync(shim.root, linked);
    mkdirSync(join(shim.root, 'elsewhere'));
    shim.mark('enabled');
    await shim.run([pre], { home: linked });
    expect(hookEvents()).toHaveLength(1);
  });

  it('never raise, whatever is wrong', async () => {
    shim.mark('enabled');
    writeFileSync(join(shim.paths.dataDir, 'spool'), 'a file where the directory should be');
    const odd = { hook: 'pre_llm_call', payload: { session_id: 7, user_message: null, is_first_turn: 'yes' } } as const;
    expect(await shim.run([pre, post, odd])).toEqual([null, null, null]);
  });

  it.each(['/karpathy', '/karpathy status', '  /karpathy approve 7', '/karpathy\nrevert'])(
    'tell the model that %j was not executed',
    async (text) => {
      expect(await shim.run([{ hook: 'pre_llm_call', payload: { ...turn, user_message: text } }])).toEqual([
        { context: NOT_EXECUTED },
      ]);
    },
  );

  it.each(['tell me about /karpathy', '/karpathyan', 'karpathy'])('leave %j alone', async (text) => {
    expect(await shim.run([{ hook: 'pre_llm_call', payload: { ...turn, user_message: text } }])).toEqual([null]);
  });

  it('write the same bytes as the TypeScript bodies', async () => {
    const payloads = [
      turn,
      { session_id: 'Zoë\u2028 "q" \\ \u007f\u0001\t 𝄞', turn_id: null, is_first_turn: false, model: '', platform: 3 },
      { session_id: '日本', turn_id: 'é', model: 'a/b', platform: 'telegram' },
    ];
    for (const payload of payloads) {
      const event = hookEvent('pre_llm_call', payload, {
        hermesHome: () => '/höme',
        writeOrigin: () => 'assistant_tool',
        env: {},
        now: () => 1_790_000_000_123,
        newId: () => 'id1',
      });
      const [fromPython, encoded] = await shim.run([
        { call: ['hooks', 'hook_event', 'pre_llm_call', payload, '/höme', 'assistant_tool', 'id1', 1_790_000_000_123] },
        { call: ['hooks', 'encode', event] },
      ]);
      expect(fromPython).toEqual(event);
      expect(Object.keys(fromPython as object)).toEqual(Object.keys(event ?? {}));
      expect(encoded).toBe(encodeEvent(event ?? {}));
    }
  });

  it('write in TypeScript what they write in Python', async () => {
    shim.mark('enabled');
    const callbacks = new Map<string, Parameters<PluginContext['registerHook']>[1]>();
    register({
      registerHook: (name, callback) => callbacks.set(name, callback),
      registerCommand: () => undefined,
      registerCliCommand: () => undefined,
      hermesHome: () => shim.root,
    });
    callbacks.get('pre_llm_call')?.(turn);
    const [fromTypeScript] = shim.spoolLines();
    await shim.run([pre]);
    const fromPython = shim.spoolLines().find((line) => line.includes('pre_llm_call') && line !== fromTypeScript);
    const masked = (line: string | undefined) => line?.replace(/"id":"[0-9a-f]{32}"/, '').replace(/"at":\d{13}/, '');
    expect(masked(fromPython)).toBe(masked(fromTypeScript));
  });

  describe('waking tick', () => {
    /** A stand-in for the host's command line that writes down how it was called. */
    function fakeHermes(): { readonly env: Record<string, string>; calls(): string[] } {
      const dir = join(shim.root, 'fake');
      const log = join(dir, 'calls');
      mkdirSync(join(dir, 'hermes_cli'), { recursive: true });
      writeFileSync(join(dir, 'hermes_cli', '__init__.py'), '__version__ = "0"\n');
      writeFileSync(
        join(dir, 'hermes_cli', 'main.py'),
        'import json, os, sys\n' +
          `line = json.dumps([sys.argv[1:], os.environ.get("HERMES_SESSION_ID"), os.environ["HERMES_HOME"]])\n` +
          `open(${JSON.stringify(log)}, "a").write(line + "\\n")\n`,
      );
      return {
        env: { PYTHONPATH: dir, HERMES_SESSION_ID: 'from-a-chat' },
        calls: () => (existsSync(log) ? readFileSync(log, 'utf8').split('\n').slice(0, -1) : []),
      };
    }

    it('happens once per interval while an experiment is live, for its profile and not as an agent', async () => {
      const hermes = fakeHermes();
      shim.mark('enabled');
      shim.mark('live');
      await shim.run([post, post, post], { env: hermes.env });
      await shim.run([post], { env: hermes.env });
      const expected = JSON.stringify([['-p', 'default', 'karpathy', 'tick'], null, shim.root]).replaceAll(',', ', ');
      await vi.waitFor(() => expect(hermes.calls()).not.toEqual([]), { timeout: 10_000 });
      expect(hermes.calls()).toEqual([expected]);
    });

    it('never happens without a live experiment', async () => {
      const hermes = fakeHermes();
      shim.mark('enabled');
      await shim.run([pre, post], { env: hermes.env });
      expect(existsSync(shim.paths.tickStamp)).toBe(false);
      expect(hermes.calls()).toEqual([]);
    });
  });
});
