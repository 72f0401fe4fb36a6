import { mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { isKarpathyError, type KarpathyError } from '#src/errors.js';
import { loadConfig, pathsFor } from '#src/hermes/configYaml.js';
import { temporaryDirectory } from '../../support/context.js';

let root: string;

beforeEach(() => {
  root = temporaryDirectory();
  mkdirSync(join(root, 'profiles', 'dev'), { recursive: true });
});

function write(text: string, home = root): void {
  writeFileSync(join(home, 'config.yaml'), text);
}

/** Our section, indented under its place. */
function section(body: string): string {
  const indented = body
    .trimEnd()
    .split('\n')
    .map((line) => `    ${line}`);
  return ['model: {provider: custom}', 'plugins:', '  karpathy_self_improve:', ...indented, ''].join('\n');
}

function failure(work: () => unknown): KarpathyError {
  try {
    work();
  } catch (error) {
    if (isKarpathyError(error)) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('where a value comes from', () => {
  test('without a file every value is the default', () => {
    const { config, sources } = loadConfig({ root }, 'dev', {});
    expect(config.gate).toEqual({ alpha: 0.05, epochs: 6, wanted_effect: 20, min_power: 0.5 });
    expect(new Set(sources.values())).toEqual(new Set(['default']));
  });

  test('init, the file and its profile section win in this order, leaf by leaf', () => {
    write(section('budget: {tokens: 200}\ngate: {epochs: 4}\nprofiles:\n  dev:\n    gate: {epochs: 5}'));
    const learned = { source: 'init', values: { budget: { usd: 1, tokens: 100 } } };
    const dev = loadConfig({ root }, 'dev', {}, learned);
    expect(dev.config.budget).toEqual({ usd: 1, tokens: 200 });
    expect(dev.config.gate).toMatchObject({ alpha: 0.05, epochs: 5 });
    expect(dev.sources.get('budget.usd')).toBe('init');
    expect(dev.sources.get('budget.tokens')).toBe(join(root, 'config.yaml'));
    expect(dev.sources.get('gate.epochs')).toBe(`${join(root, 'config.yaml')} (profiles.dev)`);
    expect(dev.sources.get('gate.alpha')).toBe('default');
    expect(loadConfig({ root }, 'default', {}, learned).config.gate.epochs).toBe(4);
  });

  test('an explicit null in the file takes back a limit that init stored', () => {
    write(section('budget: {usd: null}'));
    const { config } = loadConfig({ root }, 'dev', {}, { source: 'init', values: { budget: { usd: 1, tokens: 9 } } });
    expect(config.budget).toEqual({ usd: null, tokens: 9 });
  });

  test('the environment wins over the file for the DB and for Node', () => {
    write(section('db_path: other.db\nnode: /opt/node'));
    const { config, sources } = loadConfig({ root }, 'dev', { KARPATHY_DB_PATH: '/x/y.db', KARPATHY_NODE: '/n' });
    expect(config).toMatchObject({ db_path: '/x/y.db', node: '/n' });
    expect(sources.get('db_path')).toBe('KARPATHY_DB_PATH');
    expect(sources.get('node')).toBe('KARPATHY_NODE');
  });
});

describe('the place of the controller DB', () => {
  test('KARPATHY_DB_PATH, then db_path relative to the root, then the default', () => {
    expect(pathsFor(root, {}).dbPath).toBe(join(root, 'karpathy-self-improve.db'));
    write(section('db_path: data/mine.db'));
    expect(pathsFor(root, {}).dbPath).toBe(join(root, 'data', 'mine.db'));
    expect(pathsFor(root, { KARPATHY_DB_PATH: '/elsewhere/k.db' }).dbPath).toBe('/elsewhere/k.db');
    expect(pathsFor(root, { KARPATHY_DB_PATH: '  ' }).dbPath).toBe(join(root, 'data', 'mine.db'));
  });

  test('a leading ~ is the home directory', () => {
    write(section('db_path: ~/k.db'));
    expect(pathsFor(root, {}).dbPath).toBe(join(homedir(), 'k.db'));
  });
});

describe('a broken file', () => {
  test('every problem is named at once, with path, value, allowed form and line', () => {
    write(
      section(
        'gate:\n  alpha: 0.9\n  epoch: 3\nbudget:\n  usd: 0\nrunner: {concurrency: two}\nbackground: {hours: 25-99}',
      ),
    );
    const error = failure(() => loadConfig({ root }, 'dev', {}));
    expect(error.code).toBe('bad_config');
    expect(error.exitCode).toBe(2);
    const at = Object.fromEntries(error.problems.map((p) => [p.path.replace('plugins.karpathy_self_improve.', ''), p]));
    expect(Object.keys(at).sort()).toEqual([
      'background.hours',
      'budget.usd',
      'gate.alpha',
      'gate.epoch',
      'runner.concurrency',
    ]);
    expect(at['gate.alpha']).toMatchObject({
      value: '0.9',
      message: expect.stringMatching(/at most 0\.2 \(line 5\)/) as string,
    });
    expect(at['gate.epoch']?.message).toBe('is not a known key; did you mean epochs? (line 6)');
    expect(at['budget.usd']?.message).toBe('must be above 0 (line 8)');
    expect(at['runner.concurrency']).toMatchObject({
      value: '"two"',
      message: expect.stringContaining('must be auto, or 1 to 16') as string,
    });
    expect(at['background.hours']?.message).toBe('must be two hours like 22-06 (line 10)');
  });

  test('a key that stands where the name of its variable belongs is not repeated', () => {
    const key = ['sk', 'not-a-real-one'].join('-');
    write(
      section(
        `models:\n  judge: {base_url: 'http://u:word@h/v1', model: m, api_key_env: ${key}}\n  proposer: {host: true, api_key: ${key}}`,
      ),
    );
    const error = failure(() => loadConfig({ root }, 'dev', {}));
    expect(error.problems.map((p) => p.path)).toEqual(
      expect.arrayContaining([
        expect.stringContaining('judge.api_key_env'),
        expect.stringContaining('proposer.api_key'),
      ]),
    );
    expect(JSON.stringify([error.message, error.problems, error.hint])).not.toContain('not-a-real-one');
  });

  test('broken YAML is named with file and line', () => {
    write('model: x\nplugins:\n  - [a\nb: c\n');
    const error = failure(() => loadConfig({ root }, 'dev', {}));
    expect(error.code).toBe('bad_config');
    expect(error.problems[0]?.path).toMatch(new RegExp(`^${join(root, 'config.yaml')}:\\d+$`));
  });

  test('a key twice in our section is an error; twice elsewhere it is left to Hermes', () => {
    write('a: 1\na: 2\n');
    expect(loadConfig({ root }, 'dev', {}).config.gate.epochs).toBe(6);
    write(section('gate: {epochs: 2}\ngate: {epochs: 9}'));
    expect(failure(() => loadConfig({ root }, 'dev', {})).problems[0]?.path).toMatch(/config\.yaml:5$/);
  });

  test.each([
    ['a list', '[1]'],
    ['a text', 'yes please'],
  ])('a section that is %s is refused', (_, body) => {
    write(`plugins:\n  karpathy_self_improve: ${body}\n`);
    expect(failure(() => loadConfig({ root }, 'dev', {})).problems[0]?.message).toBe(
      'must be a mapping of keys to values',
    );
  });

  test('an empty section and an empty file are fine', () => {
    write('plugins:\n  karpathy_self_improve:\n');
    expect(loadConfig({ root }, 'dev', {}).config.live.sessions).toBe(10);
    write('');
    expect(loadConfig({ root }, 'dev', {}).config.live.sessions).toBe(10);
  });

  test("our section in a named profile's config says where it belongs", () => {
    write('plugins:\n  enabled: [x]\n  karpathy_self_improve:\n    gate: {epochs: 2}\n', join(root, 'profiles', 'dev'));
    const error = failure(() => loadConfig({ root }, 'dev', {}));
    expect(error.code).toBe('bad_config');
    expect(error.problems[0]?.message).toContain('(line 3)');
    expect(error.hint).toContain(join(root, 'config.yaml'));
    expect(error.hint).toContain('profiles.dev');
    expect(loadConfig({ root }, 'default', {}).config.gate.epochs).toBe(6);
  });
});
