import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, describe, expect, it } from 'vitest';
import { openContext } from '#src/app.js';
import { runCli } from '#src/cli/run.js';
import { makeScrubber } from '#src/domain/secrets.js';
import { KarpathyError } from '#src/errors.js';
import { findSecrets } from '#src/hermes/secrets.js';
import type { TrialRunner } from '#src/ports.js';
import { DEFAULT_SOUL, temporaryDirectory, testLogger } from '../../support/context.js';
import { completed } from '../evaluation/fixture.js';
import { fail, say, scripted, startModelServer, type ModelServer } from '../../support/modelServer/index.js';

// Put together at run time: scanners look for keys in sources.
const canary = (name: string) => ['cnry', name, '7f3Qa9Zk1Lm5Xw8'].join('-');
const KEYS = {
  proposer: canary('proposer'),
  process: canary('process'),
  dotenv: canary('dotenv'),
  root: canary('root'),
  config: canary('config'),
  nested: canary('nested'),
  auth: canary('auth'),
  password: canary('password'),
};

const servers: ModelServer[] = [];
afterAll(() => Promise.all(servers.map((server) => server.close())));

function home() {
  const root = temporaryDirectory('karpathy-canary-');
  const dev = join(root, 'profiles', 'dev');
  mkdirSync(dev, { recursive: true });
  writeFileSync(join(root, '.env'), `OPENROUTER_API_KEY="${KEYS.root}"\n`);
  writeFileSync(
    join(dev, '.env'),
    `export TELEGRAM_BOT_TOKEN='${KEYS.dotenv}' # mine\nTZ=Europe/Berlin\nDATABASE=postgres://me:${KEYS.password}@db/x\n`,
  );
  writeFileSync(
    join(dev, 'config.yaml'),
    `model: {provider: custom, default: m, api_key: ${KEYS.config}}\nmcp_servers: {a: {headers: {Authorization: "Bearer ${KEYS.nested}"}}}\n`,
  );
  writeFileSync(join(dev, 'auth.json'), JSON.stringify({ providers: { x: { tokens: { access_token: KEYS.auth } } } }));
  writeFileSync(join(dev, 'SOUL.md'), DEFAULT_SOUL);
  return { root, dev };
}

/** Everything a file system holds below a directory but the person's own keys, with the DB and its WAL as bytes. */
function leaksIn(root: string): string[] {
  const own = new Set(['.env', 'profiles/dev/.env', 'profiles/dev/config.yaml', 'profiles/dev/auth.json']);
  const found: string[] = [];
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || own.has(path.slice(root.length + 1))) continue;
    const bytes = readFileSync(path).toString('latin1');
    for (const [name, key] of Object.entries(KEYS)) if (bytes.includes(key)) found.push(`${name} in ${path}`);
  }
  return found;
}

function leaksInText(text: string): string[] {
  return Object.entries(KEYS).flatMap(([name, key]) => (text.includes(key) ? [name] : []));
}

const EVERYTHING = Object.values(KEYS).join(' and ');

describe('keys of the environment, .env, config.yaml and auth.json', () => {
  it('are found by what they are called, and nothing harmless is', () => {
    const { root, dev } = home();
    const env = { WRITER_KEY: KEYS.proposer, SESSION_SECRET: KEYS.process, PATH: '/usr/bin', LANG: 'en_US.UTF-8' };
    const found = findSecrets({ homes: [dev, root], env, keyEnv: ['WRITER_KEY'] });
    const rest = [...found].filter((value) => leaksInText(value).length === 0);
    expect(leaksInText([...found].join(' ')).sort()).toEqual(Object.keys(KEYS).sort());
    expect(rest).toEqual([]);
  });

  it('are taken out of texts in every form, and their beginning where a text was cut', () => {
    const scrub = makeScrubber(() => ['se"cret/valüe+1']);
    expect(scrub.text('a se"cret/valüe+1 b')).toBe('a *** b');
    expect(scrub.text(JSON.stringify('se"cret/valüe+1'))).toBe('"***"');
    expect(scrub.text(`?k=${encodeURIComponent('se"cret/valüe+1')}`)).toBe('?k=***');
    expect(scrub.text('the key se"cret/va…')).toBe('the key ***…');
    expect(scrub.deep({ a: ['x se"cret/valüe+1'], b: new Map([['c', 'se"cret/valüe+1']]) })).toEqual({
      a: ['x ***'],
      b: new Map([['c', '***']]),
    });
    const thrown = scrub.error(
      new KarpathyError('io', 'm', { hint: 'se"cret/valüe+1', cause: new Error('se"cret/valüe+1') }),
    ) as KarpathyError;
    expect([thrown.code, thrown.hint, thrown.cause]).toEqual(['io', '***', undefined]);
  });

  it('reach no DB, log, file, output or prompt in a whole run, whoever repeats them', async () => {
    const { root } = home();
    const edit = { operation: 'insert', sentence: 3, text: 'Say why first.', rationale: `because ${EVERYTHING}` };
    const server = await startModelServer({
      models: {
        writer: scripted([
          fail(401, `Incorrect API key provided: ${EVERYTHING}`),
          say(JSON.stringify({ ...edit, text: `Use ${KEYS.proposer} first.` })),
          say(JSON.stringify(edit)),
        ]),
        judge: scripted([fail(400, `no such key ${EVERYTHING}`), say(`{"pass":false,"rationale":"${EVERYTHING}"}`)]),
      },
    });
    servers.push(server);
    writeFileSync(
      join(root, 'config.yaml'),
      `plugins:
  karpathy_self_improve:
    models:
      proposer: {base_url: "${server.baseUrl}", model: writer, api_key_env: WRITER_KEY}
      judge: {base_url: "${server.baseUrl}", model: judge, api_key_env: WRITER_KEY}
`,
    );
    const env = {
      PATH: process.env.PATH,
      HOME: temporaryDirectory(),
      WRITER_KEY: KEYS.proposer,
      SESSION_SECRET: KEYS.process,
      KARPATHY_DEBUG: '1',
    };
    const log = testLogger();
    const said: string[] = [];
    const runner: TrialRunner = {
      name: 'memory',
      run: async () => completed('no'),
      close: async () => undefined,
    };
    const run = (...argv: string[]) =>
      runCli(argv, {
        open: async (request) => {
          const surface = { kind: request.surface, interactive: true, agentShell: false, platform: null };
          const opened = openContext({
            ...{ root, profileName: 'dev', pluginDir: process.cwd(), hermes: null, host: null, surface },
            ...{ actor: 'person@cli', env, signal: request.signal, log },
          });
          const checkPrompt = async () => ({ blocked: false, truncated: false, limitChars: 20_000, findings: [] });
          return { ...opened, ctx: { ...opened.ctx, checkPrompt, makeRunner: async () => runner } };
        },
        stdout: { write: (text) => said.push(text) },
        stderr: { write: (text) => said.push(text) },
        stdin: new PassThrough(),
        env,
        isTTY: { stdin: true, stdout: false, stderr: false },
        version: '1',
        helpName: 'hermes karpathy',
      });
    const suite = join(root, 'suite.yaml');
    const one = (name: string, split: string) =>
      `- {name: ${name}, split: ${split}, input: hi, checks: [{must_contain: ok}]}`;
    writeFileSync(suite, [one('a', 'train'), one('b', 'holdout')].join('\n'));
    expect(await run('init', '--budget-tokens', '5000000', '--accept-disclosure', '--yes')).toBe(0);
    expect(await run('scenario', 'import', suite)).toBe(0);
    expect(await run('scenario', 'add', 'key', '--input', KEYS.dotenv, '--check', 'must_contain=ok')).toBe(2);
    await run('doctor');
    await run('config');
    expect(await run('propose', '--no-evaluate', '--insert-after', '3', `Never say ${KEYS.dotenv}.`)).toBe(2);
    expect(await run('propose', '--no-evaluate')).toBe(0);
    for (const command of [
      ['status'],
      ['history'],
      ['--json', 'show', '1'],
      ['jobs', 'list', '--all'],
      ['--json', 'status'],
    ])
      await run(...command);

    expect(server.chats().length).toBeGreaterThan(1);
    expect(said.join('')).toContain('***');
    const bodies = server.received.map((request) => request.body).join('\n');
    expect({
      output: leaksInText(said.join('\n')),
      log: leaksInText(log.lines.join('\n')),
      requests: leaksInText(bodies),
      files: leaksIn(root),
    }).toEqual({ output: [], log: [], requests: [], files: [] });
  });
});
