import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { PassThrough } from 'node:stream';
import Database from 'better-sqlite3';
import { stringify } from 'yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openContext } from '#src/app.js';
import { runCli } from '#src/cli/run.js';
import { canariesIn, canariesInFiles, canary, isOpen, runningCommands, type Leak } from '#test/support/canaries.js';
import {
  cleanup,
  createHermesRoot,
  editConfig,
  installPlugin,
  runHermes,
  layProfile,
} from '#test/support/hermesHost.js';
import type { HermesRoot } from '#test/support/hermesHost.js';
import {
  call,
  fail,
  say,
  simulatedJudge,
  startModelServer,
  systemPromptOf,
  textOf,
} from '#test/support/modelServer/index.js';
import type { ModelServer, Responder } from '#test/support/modelServer/index.js';
import { processesIn } from './processes.js';

/** One key per place that a person may keep one in. */
const KEYS = {
  proposer: canary('proposer'),
  judge: canary('judge'),
  agent: canary('agent'),
  profileEnv: canary('profileEnv'),
  brokenEnv: canary('brokenEnv'),
  rootEnv: canary('rootEnv'),
  mcpEnv: canary('mcpEnv'),
  mcpArgument: canary('mcpArgument'),
  password: canary('password'),
  login: canary('login'),
  oauth: canary('oauth'),
};
const EVERYTHING = Object.values(KEYS).join(' and ');
const SOUL = '# Fern\n\nYou are Fern, who helps in a garden shop. You answer in a friendly way.\n';
const SENTENCE = 'End with a one-line summary.';

/** Everybody repeats every key: whoever would store, log or pass on what was said is found out. */
function models(world: { onTrial: () => 'go on' | 'hang' }) {
  let refused = false;
  const agent: Responder = (request) => {
    if ((request.tools?.length ?? 0) === 0) return say('A title');
    const question = textOf(request.messages.findLast(({ role }) => role === 'user'));
    const offered = new Set(request.tools?.map((tool) => tool.function.name));
    if (question.includes('wasps')) return fail(401, `Incorrect API key provided: ${EVERYTHING}`);
    if (offered.has('terminal')) {
      const begins = request.messages.every(({ role }) => role !== 'assistant');
      if (begins && world.onTrial() === 'hang') return { kind: 'hang' };
      if (question.includes('roses') && !refused) {
        refused = true;
        return fail(401, `Incorrect API key provided: ${EVERYTHING}`);
      }
      if (request.messages.at(-1)?.role === 'user') {
        // A tool that fails, and one that is answered for it.
        if (question.includes('apples')) return call('read_file', { path: 'no-such-file', note: EVERYTHING });
        return call('terminal', { command: `echo ${JSON.stringify(EVERYTHING)}` });
      }
    }
    return say(`The keys are ${EVERYTHING}, ${Buffer.from(EVERYTHING).toString('base64')}.\nIn short: ${KEYS.agent}`);
  };
  const writer: Responder = () =>
    say(JSON.stringify({ operation: 'insert', sentence: 3, text: SENTENCE, rationale: `Because of ${EVERYTHING}.` }));
  const grade = simulatedJudge();
  const judge: Responder = async (request) => {
    const reply = await grade(request);
    const { pass } = JSON.parse(reply.kind === 'message' ? reply.text : '{}') as { pass: boolean };
    return say(JSON.stringify({ pass, rationale: `It shows ${EVERYTHING}.` }));
  };
  return { agent, writer, judge };
}

const scenario = (subject: string, split: string, check: object) => ({
  ...{ name: subject, split, input: `Tell me about ${subject}.`, checks: [check], toolsets: ['terminal', 'file'] },
});
const SUITE = [
  scenario('apples', 'train', { must_contain: 'never said' }),
  scenario('roses', 'holdout', { judge: 'The answer ends with a summary.' }),
  scenario('herbs', 'holdout', { must_contain: 'In short' }),
];

describe('keys, tokens and passwords', () => {
  let server: ModelServer;
  let root: HermesRoot;
  let home: string;
  let temp: string;
  const said: string[] = [];
  const inArguments = new Set<string>();
  let commandsSeen = 0;
  /** Of the slots, while a trial ran in them. */
  const inSlots: (Leak & { readonly open: boolean })[] = [];
  let killNext = false;
  let watch: NodeJS.Timeout;

  const slots = () => join(root.dataDir, 'slots');
  const lookAtArguments = () => {
    for (const command of runningCommands()) {
      if (command.includes('worker.mjs')) commandsSeen += 1;
      for (const name of canariesIn(command, KEYS)) inArguments.add(`${name} in ${command}`);
    }
  };
  const onTrial = () => {
    for (const leak of canariesInFiles(slots(), KEYS)) inSlots.push({ ...leak, open: isOpen(leak.path, root.dataDir) });
    if (!killNext) return 'go on';
    killNext = false;
    for (const { pid, command } of processesIn(root.dir)) {
      if (command.includes('worker.mjs')) process.kill(pid, 'SIGKILL');
    }
    return 'hang';
  };

  beforeAll(async () => {
    server = await startModelServer({ models: models({ onTrial }) });
    root = createHermesRoot({ soul: SOUL, config: { plugins: ownSettings() } });
    await installPlugin(root);
    temp = join(root.dir, 'tmp');
    mkdirSync(temp);
    const mcp = { command: 'false', args: ['--token', KEYS.mcpArgument], env: { NOTES_TOKEN: KEYS.mcpEnv } };
    const endpoint = { provider: 'custom', default: 'agent', base_url: server.baseUrl, context_length: 128_000 };
    home = layProfile(root, 'dev', {
      model: { ...endpoint, api_key: KEYS.agent },
      agent: { api_max_retries: 1 },
      mcp_servers: { notes: { ...mcp, enabled: false } },
    });
    writeKeys();
    watch = setInterval(lookAtArguments, 200);
  });
  afterAll(async () => {
    clearInterval(watch);
    await server.close();
    cleanup(root);
  });

  function ownSettings() {
    const model = (name: string, key: string) => ({ base_url: server.baseUrl, model: name, api_key_env: key });
    return {
      karpathy_self_improve: {
        models: { proposer: model('writer', 'WRITER_KEY'), judge: model('judge', 'JUDGE_KEY') },
        approvals: { allow_noninteractive: true },
        gate: { alpha: 0.2, epochs: 1, min_power: 0 },
        live: { sessions: 1, epochs: 1 },
        runner: { concurrency: 1 },
      },
    };
  }

  /** A key in every place beside config.yaml. */
  function writeKeys(): void {
    mkdirSync(join(home, 'mcp-tokens'), { recursive: true });
    const write = (path: string, text: string) => writeFileSync(path, text, { mode: 0o600 });
    const password = encodeURIComponent(KEYS.password);
    write(join(root.home, '.env'), `OPENROUTER_API_KEY='${KEYS.rootEnv}'\n`);
    write(
      join(home, '.env'),
      `WRITER_KEY='${KEYS.proposer}'\nexport TELEGRAM_BOT_TOKEN='${KEYS.profileEnv}' # mine\nNot a line\n` +
        `MY TOKEN='${KEYS.brokenEnv}'\nDATABASE=postgres://me:${password}@db/x\n`,
    );
    write(join(home, 'auth.json'), JSON.stringify({ providers: { x: { tokens: { access_token: KEYS.login } } } }));
    write(join(home, 'mcp-tokens', 'notes.json'), JSON.stringify({ refresh_token: KEYS.oauth }));
    writeFileSync(join(home, 'SOUL.md'), SOUL);
  }

  const env = () => ({ ...root.env, JUDGE_KEY: KEYS.judge, TMPDIR: temp });
  async function hermes(code: number, ...args: string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await runHermes(root, ['-p', 'dev', ...args], {
      env: env(),
      timeoutMs: 300_000,
    });
    // What the agent says in a chat is between it and the person.
    if (args[0] === 'karpathy') said.push(stdout, stderr);
    expect(exitCode, `hermes ${args.join(' ')}\n${stdout}\n${stderr}`).toBe(code);
    return stdout + stderr;
  }
  /** The same program in this process, which starts at once. */
  async function karpathy(code: number, ...argv: string[]): Promise<string> {
    const own: string[] = [];
    const out = { write: (text: string) => own.push(text) };
    const all = { ...env(), WRITER_KEY: KEYS.proposer, KARPATHY_DEBUG: '1' };
    const exitCode = await runCli(argv, {
      open: async (request) =>
        openContext({
          ...{
            root: root.home,
            profileName: 'dev',
            pluginDir: process.cwd(),
            hermes: { command: [root.install.hermes], python: root.install.python },
            host: null,
            env: all,
          },
          surface: { kind: request.surface, interactive: true, agentShell: false, platform: null },
          ...{ actor: 'person@cli', signal: request.signal },
        }),
      ...{ stdout: out, stderr: out, stdin: new PassThrough(), env: all, version: '1', helpName: 'hermes karpathy' },
      isTTY: { stdin: true, stdout: false, stderr: false },
    });
    said.push(...own);
    expect(exitCode, `karpathy ${argv.join(' ')}\n${own.join('')}`).toBe(code);
    return own.join('');
  }
  const row = <Row>(sql: string): Row => {
    const db = new Database(root.dbPath);
    try {
      return db.prepare(sql).get() as Row;
    } finally {
      db.close();
    }
  };

  /** What is the person's and Hermes' own: the keys themselves, and what the agent said in their chats. */
  const theirs = (path: string) => {
    const at = relative(root.home, path);
    return at === '.env' || (at.startsWith(join('profiles', 'dev')) && !at.endsWith('SOUL.md'));
  };
  const leaks = (below = root.dir) => canariesInFiles(below, KEYS).filter(({ path }) => !theirs(path));

  it(
    'go with a whole life of an edit, its failures and a killed worker, and come up nowhere',
    { timeout: 900_000 },
    async () => {
      await karpathy(0, 'init', '--budget-tokens', '5000000', '--accept-disclosure', '--yes');
      const suite = join(root.cwd, 'suite.yaml');
      writeFileSync(suite, stringify({ scenarios: SUITE }));
      await karpathy(0, 'scenario', 'import', suite);

      // Killed in the middle of a trial: what lies in the slot is for nobody else to read, and the next one wipes it.
      killNext = true;
      await hermes(1, 'karpathy', 'propose', '--underpowered');
      const left = canariesInFiles(slots(), KEYS);
      expect(left.map(({ name }) => name)).toContain('agent');
      expect(left.filter(({ path }) => isOpen(path, root.dataDir))).toEqual([]);
      row('UPDATE jobs SET lease_expires_at = 1 RETURNING id');
      await hermes(0, 'karpathy', 'work');
      expect(row('SELECT state, verdict FROM experiments')).toEqual({ state: 'proposed', verdict: 'undecided' });
      expect(row<{ n: number }>("SELECT count(*) AS n FROM trials WHERE infra_reason LIKE '%***%'").n).toBeGreaterThan(
        0,
      );
      expect(
        row<{ n: number }>("SELECT count(*) AS n FROM trials WHERE judge_rationale LIKE '%***%'").n,
      ).toBeGreaterThan(0);
      expect(row<{ n: number }>("SELECT count(*) AS n FROM trials WHERE tool_calls LIKE '%***%'").n).toBeGreaterThan(0);

      await hermes(
        0,
        'karpathy',
        'approve',
        '1',
        '--apply',
        '--no-auto-revert',
        '--override',
        'a rule of our team',
        '--yes',
      );
      const chat = ['chat', '-Q', '-t', 'todo', '-q'];
      await Promise.all([hermes(0, ...chat, 'Tell me about bees.'), hermes(1, ...chat, 'Tell me about wasps.')]);
      await karpathy(0, 'tick');
      await hermes(0, 'karpathy', 'verify', '1');
      await karpathy(0, 'revert', '1', '--reason', `it said ${KEYS.mcpEnv}`, '--yes');
      // It says that two hidden scenarios can prove nothing.
      await hermes(1, 'karpathy', 'doctor');
      const backup = join(root.cwd, 'backup.db');
      await karpathy(0, 'backup', backup);
      await karpathy(0, 'scenario', 'export', '--out', join(root.cwd, 'export.yaml'));
      for (const command of [['status'], ['history', '1'], ['show', '1'], ['jobs', 'list', '--all'], ['config']]) {
        await karpathy(0, ...command);
        await karpathy(0, '--json', ...command);
      }
      await karpathy(0, 'collect');
      await karpathy(0, 'metrics', '--csv');

      // Keys in the wrong place: the settings are refused, and not repeated.
      const url = `http://me:${encodeURIComponent(KEYS.password)}@127.0.0.1/v1?token=${encodeURIComponent(KEYS.agent)}`;
      editConfig(root.home, (config) => {
        const { karpathy_self_improve: own } = config.plugins as ReturnType<typeof ownSettings>;
        Object.assign(own.models, { judge: { base_url: url, model: KEYS.oauth, api_key: KEYS.rootEnv } });
      });
      await hermes(2, 'karpathy', '--json', 'status');
      editConfig(root.home, (config) => Object.assign(config, { plugins: ownSettings() }));
      appendFileSync(join(home, 'config.yaml'), `\nbroken: *${KEYS.agent}\n  api_key: [${KEYS.agent}\n`);
      await karpathy(2, 'status');

      const toModels = server.received.filter(
        ({ chat: asked }) => asked?.model === 'writer' || asked?.model === 'judge',
      );
      const prompts = server.chats().map(systemPromptOf);
      const ours = readdirSync(join(home, 'logs'))
        .filter((name) => name.endsWith('.log'))
        .flatMap((name) =>
          readFileSync(join(home, 'logs', name), 'utf8')
            .split('\n')
            .filter((line) => line.includes('karpathy')),
        );
      expect(toModels.length).toBeGreaterThan(3);
      expect(said.join('')).toContain('***');
      expect({
        output: canariesIn(said.join('\n'), KEYS),
        prompts: canariesIn([...toModels.map(({ body }) => body), ...prompts].join('\n'), KEYS),
        logs: canariesIn(ours.join('\n'), KEYS),
        arguments: [...inArguments],
        files: leaks(),
      }).toEqual({ output: [], prompts: [], logs: [], arguments: [], files: [] });
      expect(commandsSeen).toBeGreaterThan(0);
    },
  );

  it('reach only whom they are for', () => {
    const held = { writer: 'proposer', judge: 'judge', agent: 'agent' } as const;
    for (const { chat, headers } of server.received) {
      if (chat === null) continue;
      expect(canariesIn(JSON.stringify(headers), KEYS), chat.model).toEqual([held[chat.model as keyof typeof held]]);
    }
  });

  it('lie in a slot while a trial runs only as far as its model needs them, for nobody else to read', () => {
    expect(new Set(inSlots.map(({ name }) => name))).toEqual(new Set(['agent']));
    expect(inSlots.filter(({ open }) => open)).toEqual([]);
    expect(existsSync(slots()) ? canariesInFiles(slots(), KEYS) : []).toEqual([]);
  });

  it('are found by this test where they do come up', () => {
    const log = join(root.dataDir, 'some.log');
    const forms = [KEYS.agent, encodeURIComponent(KEYS.agent), JSON.stringify(KEYS.agent), KEYS.agent.slice(0, -3)];
    for (const form of [...forms, Buffer.from(`a key: ${KEYS.agent}!`).toString('base64')]) {
      writeFileSync(log, `it said ${form}\n`);
      expect(leaks(root.dataDir)).toEqual([{ name: 'agent', path: log }]);
    }
    writeFileSync(log, '');
    const db = new Database(root.dbPath);
    db.prepare('UPDATE profiles SET pause_reason = ?').run(`${'x'.repeat(5000)}${KEYS.login}${'y'.repeat(5000)}`);
    db.close();
    expect(leaks(root.dbPath)).toEqual([{ name: 'login', path: root.dbPath }]);
  });
});
