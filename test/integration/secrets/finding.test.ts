import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { crashText, type Session } from '#src/bridge/commands.js';
import { createRatchet } from '#src/createRatchet.js';
import { makeScrubber } from '#src/domain/secrets.js';
import { isKarpathyError } from '#src/errors.js';
import { findSecrets } from '#src/hermes/secrets.js';
import { openAiCompatible } from '#src/llm/openAiCompatible.js';
import { withoutSecrets } from '#src/llm/secrets.js';
import { canariesIn, canariesInFiles, canary, isOpen } from '../../support/canaries.js';
import { temporaryDirectory } from '../../support/context.js';

const KEY = canary('key');

/** A home with the given files, and what is found in it. */
function foundIn(files: Readonly<Record<string, string>>, env: NodeJS.ProcessEnv = {}): Set<string> {
  const home = mkdtempSync(join(temporaryDirectory(), 'home-'));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(home, name, '..'), { recursive: true });
    writeFileSync(join(home, name), text);
  }
  return findSecrets({ homes: [home], env, keyEnv: [] });
}

describe('a secret is found', () => {
  const plain = 'cnry-7f3Qa9Zk1Lm5Xw8';
  it.each([
    ['in a .env whose quote was never closed', { '.env': `A=1\nMY_TOKEN="${plain}\nB=2\n` }],
    ['in a line of .env that is none', { '.env': `MY TOKEN=${plain}\n` }],
    ['in a commented line of .env', { '.env': `# MY_TOKEN=${plain}\n` }],
    [
      'in a .env value of several lines',
      { '.env': `PRIVATE_KEY="-----BEGIN KEY-----\n${plain}\n-----END KEY-----"\n` },
    ],
    ['in a list of keys', { '.env': `API_KEYS=abcdefgh,${plain}\n` }],
    ['in JSON in .env', { '.env': `ACCOUNT='{"type": "x", "private_key": "${plain}"}'\n` }],
    ['in a config.yaml that is broken', { 'config.yaml': `a: *nowhere\nb: [\n  api_key: ${plain}\n` }],
    [
      'in a config.yaml with equal keys',
      { 'config.yaml': `model: {api_key: ${plain}}\nmodel: {default: m}\nx: {api_key: ${plain}}\n` },
    ],
    ['in the arguments of an MCP server', { 'config.yaml': `mcp_servers: {a: {args: [--token, ${plain}]}}\n` }],
    ['in one argument of it', { 'config.yaml': `mcp_servers: {a: {args: ["--api-key=${plain}"]}}\n` }],
    ['in the user info of a URL', { 'config.yaml': `dsn_url: https://me:${plain}@host/x\n` }],
    ['in the query of a URL', { 'config.yaml': `base_url: https://host/v1?api_key=${plain}&x=1\n` }],
    ['in a login of an MCP server', { 'mcp-tokens/a.json': `{"access_token": "${plain}"}` }],
    ['in a login that was cut off', { 'auth.json': `{"providers": {"a": {"access_token": "${plain}", "x` }],
    ['in a login of another kind', { '.anthropic_oauth.json': `{"accessToken": "${plain}"}` }],
  ])('%s', (_, files) => {
    expect([...foundIn(files)]).toContain(plain);
  });

  it('in a URL in both its spellings', () => {
    expect([...foundIn({}, { DATABASE: 'postgres://me:p%40ssw%2Frd@db/x' })].sort()).toEqual([
      'p%40ssw%2Frd',
      'p@ssw/rd',
    ]);
  });

  it('as a number, as it is written', () => {
    expect([...foundIn({ 'config.yaml': 'lock: {pin: 4711471147}\n' })]).toEqual(['4711471147']);
  });

  it('and directories, sockets and harmless settings are none', () => {
    const env = { PWD: '/home/me/project', SSH_AUTH_SOCK: '/tmp/ssh-x1/agent.2', XAUTHORITY: '/home/me/.Xauthority' };
    const config = 'model: {default: some/model, base_url: "http://127.0.0.1:1/v1"}\nmax_tokens: 12345678\n';
    expect([
      ...foundIn(
        { '.env': 'TZ=Europe/Berlin\n# see https://docs.example/a?page=12345678\n', 'config.yaml': config },
        env,
      ),
    ]).toEqual([]);
  });
});

describe('a secret is taken out', () => {
  const scrub = makeScrubber(() => [KEY]);

  it.each([
    ['Base64 of a text around it', (n: number) => Buffer.from(`${'x'.repeat(n)}${KEY}and more`).toString('base64')],
    ['Base64 for URLs', (n: number) => Buffer.from(`${'?'.repeat(n)}${KEY}>>>`).toString('base64url')],
    ['JSON in JSON', (n: number) => JSON.stringify(JSON.stringify({ n, KEY }))],
    [
      'a query with small hexadecimal digits',
      () =>
        encodeURIComponent(KEY)
          .toLowerCase()
          .replace(/[a-z0-9]+/i, (start) => start),
    ],
  ])('of %s', (_, make) => {
    for (const n of [0, 1, 2]) expect(canariesIn(scrub.text(make(n)), { KEY })).toEqual([]);
  });

  it.each([
    ['at its end', `the key ${KEY.slice(0, -3)}`, 'the key ***'],
    [
      'and the sentence goes on',
      `"the key ${KEY.slice(0, -3)}…"; nothing was spent.`,
      '"the key ***…"; nothing was spent.',
    ],
    ['with dots', `it is ${KEY.slice(0, 20)}... (cut)`, 'it is ***... (cut)'],
    ['at its beginning', `${KEY.slice(3)} is wrong`, '*** is wrong'],
    ['in its middle', `a …${KEY.slice(5)} b`, 'a …*** b'],
  ])('of a text that was cut %s', (_, cut, clean) => {
    expect(scrub.text(cut)).toBe(clean);
  });

  it('and other texts stay as they are, dots and all', () => {
    for (const text of ['', '...', 'a … b ... c', 'x'.repeat(100_000), `${KEY.slice(0, 7)}…`])
      expect(scrub.text(text)).toBe(text);
  });

  it('of what a model is asked and says, also whether it is there', async () => {
    const fetch = (async () => {
      throw new Error(`no such host ${KEY}`);
    }) as unknown as typeof globalThis.fetch;
    const choice = { base_url: 'http://127.0.0.1:9/v1', model: 'm' };
    const model = withoutSecrets(openAiCompatible(choice, { env: {}, fetch, attempts: 1 }), scrub);
    const asked = { messages: [{ role: 'user' as const, content: 'hi' }], purpose: 'test' };
    for (const call of [model.complete(asked), model.reach?.() ?? Promise.resolve()]) {
      await expect(call).rejects.toMatchObject({ code: 'model_failed' });
      const message = await call.then(String, String);
      expect(canariesIn(message, { KEY })).toEqual([]);
    }
  });
});

describe('errors from before anything is open', () => {
  /** A root whose settings are wrong in a way that makes the message repeat them. */
  function rootWith(config: string): { home: string; env: NodeJS.ProcessEnv } {
    const home = temporaryDirectory();
    writeFileSync(join(home, 'config.yaml'), config);
    return { home, env: { HERMES_HOME: home, MY_KEY: KEY } };
  }
  const section = (models: string) => `plugins: {karpathy_self_improve: {models: ${models}}}\n`;

  it.each([
    ['a key beside the model', section(`{judge: {base_url: "http://h/v1", model: m, api_key: '${KEY}'}}`)],
    ['a key as the name of a model', section(`{judge: {base_url: nonsense, model: '${KEY}'}}`)],
    ['a key in the wrong place', `plugins: {karpathy_self_improve: {runner: {kind: '${KEY}'}}}\n`],
    ['a key that YAML takes for an alias', `model: {api_key: *${KEY.replaceAll('"', '')}}\n`],
  ])('do not repeat %s', async (_, config) => {
    const { home, env } = rootWith(config);
    const error: unknown = await createRatchet({ home, env }).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    if (!isKarpathyError(error)) throw new Error('it opened');
    const { code, message, hint, problems } = error;
    expect(code).toBe('bad_config');
    const secrets = { KEY, bare: KEY.replaceAll('"', '') };
    expect(canariesIn(JSON.stringify([message, hint, problems]), secrets)).toEqual([]);
  });

  it.each(['http://me:some-word@h/v1', 'http://h/v1?key=some-word', 'http://h/v1#some-word'])(
    'refuse an address with %s, which would be stored, and hide it',
    async (url) => {
      const { home, env } = rootWith(section(`{judge: {base_url: "${url}", model: m}}`));
      const error: unknown = await createRatchet({ home, env }).catch((thrown: unknown) => thrown);
      if (!isKarpathyError(error)) throw new Error('it opened');
      const [problem] = error.problems;
      expect(problem?.message).toContain('api_key_env');
      expect(JSON.stringify(error.problems)).not.toContain('some-word');
    },
  );
});

it('a fault that ends the worker is told without keys', () => {
  const root = temporaryDirectory();
  const session = { root, home: root, profile: 'default', env: { MY_KEY: KEY } } as unknown as Session;
  const said = crashText(session, new TypeError(`cannot read ${KEY}`));
  expect(said).toMatch(/^Unexpected failure: TypeError: cannot read \*\*\*\n {4}at /);
});

describe('the search for canaries', () => {
  const root = temporaryDirectory();
  const planted = (name: string, content: string | Buffer) => {
    const path = join(root, name);
    writeFileSync(path, content, { mode: 0o600 });
    return path;
  };
  it.each([
    ['as it is', KEY],
    ['in JSON', JSON.stringify({ KEY })],
    ['in a URL', `https://h/?k=${encodeURIComponent(KEY)}`],
    ['in Base64', Buffer.from(`user:${KEY}`).toString('base64')],
    ['its beginning', `${KEY.slice(0, -4)}…`],
    ['its end', KEY.slice(4)],
    ['packed', gzipSync(`so: ${KEY}`)],
  ])('finds one %s', (name, content) => {
    const path = planted(name, content);
    expect(canariesInFiles(path, { KEY })).toEqual([{ name: 'KEY', path }]);
    expect(isOpen(path, root)).toBe(false);
  });

  it('finds one in the name of a file, in a database and in what is not yet in its main file', () => {
    const named = planted(`a-${KEY.replaceAll('/', '-')}`, '');
    expect(canariesInFiles(named, { KEY: KEY.replaceAll('/', '-') })).toHaveLength(1);
    const path = join(root, 'some.db');
    const db = new Database(path);
    db.pragma('journal_mode = WAL');
    db.exec('CREATE TABLE t (a)');
    db.prepare('INSERT INTO t VALUES (?)').run(`${'x'.repeat(4080)}${KEY}`);
    expect(canariesInFiles(path, { KEY })).toEqual([{ name: 'KEY', path }]);
    db.close();
  });

  it('finds nothing where there is nothing', () => {
    expect(canariesInFiles(planted('clean', 'cnry-key is how they begin'), { KEY })).toEqual([]);
  });
});
