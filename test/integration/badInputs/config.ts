import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { valueRows, type BadInput } from './badInput.js';
import { append, SECRETS, type World } from './world.js';

const SECTION = 'plugins.karpathy_self_improve';
const fileOf = ({ root }: World) => join(root, 'config.yaml');

/** The whole config.yaml of the root. */
const whole = valueRows<string | Uint8Array>(
  [
    ['a tab as indentation', 'plugins:\n\tkarpathy_self_improve: {}\n', /config\.yaml:2/, /[Tt]ab/],
    ['a bracket that is not closed', 'plugins: {karpathy_self_improve: {\n', /config\.yaml:\d/],
    ['a quote that is not closed', 'plugins: "karpathy\n', /config\.yaml:\d/],
    ['two documents', 'a: 1\n---\nb: 2\n', /config\.yaml/, 'document'],
    ['a list', '- plugins\n- model\n', /config\.yaml:1/, 'mapping'],
    ['one word', 'plugins\n', /config\.yaml:1/, 'mapping'],
    ['JSON with a comma too many', '{"plugins": {"a": 1},,}', /config\.yaml:1/],
    ['an alias without its anchor', 'plugins: *gone\n', /config\.yaml/, 'gone'],
    ['an alias to itself', 'plugins: &a [*a]\nkarpathy: *a\nx: &b {y: *b}\n', /config\.yaml/],
    ['a bomb of aliases', bomb(), /config\.yaml/, /alias/i],
    ['ten thousand open brackets', `plugins: ${'['.repeat(10_000)}`, /config\.yaml/],
    ['UTF-16', Buffer.from('\uFEFFplugins: {}\n', 'utf16le'), /config\.yaml/, 'UTF-8'],
    ['Latin-1', Buffer.from('note: gr\u00fc\u00dfe\n', 'latin1'), /config\.yaml/, 'UTF-8'],
    ['NUL bytes', 'plugins: {}\0\n', /config\.yaml/, /UTF-8|NUL|control/],
    ['merge markers of git', '<<<<<<< HEAD\nplugins: {}\n=======\nplugins: []\n>>>>>>> theirs\n', /config\.yaml:\d/],
    ['the plugins as a list', 'plugins:\n  - karpathy_self_improve\n', 'plugins', 'mapping'],
  ],
  (content) => ({ put: (world) => writeFileSync(fileOf(world), content), run: ['status'], code: 'bad_config' }),
);

/** Ten to the power of nine words, in ten lines. */
export function bomb(): string {
  const levels = Array.from({ length: 9 }, (_, i) => {
    const below = i === 0 ? 'word' : `*a${i - 1}`;
    return `a${i}: &a${i} [${Array.from({ length: 10 }, () => below).join(', ')}]`;
  });
  return `${levels.join('\n')}\n`;
}

const key = (path: string) => `${SECTION}.${path}`;

/** Below our section: each as flow YAML. */
const sections = valueRows<string>(
  [
    ['the section as a list', '[1, 2]', SECTION, 'mapping'],
    ['the section as a word', 'yes please', SECTION, 'mapping'],
    ['an unknown key', '{gates: {alpha: 0.1}}', key('gates'), 'not a known key', 'gate'],
    ['a typing error in a key', '{runner: {concurency: 2}}', key('runner.concurency'), 'concurrency'],
    ['a key of another level', '{alpha: 0.01}', key('alpha'), 'not a known key'],
    ['a key with a dash', '{db-path: x.db}', key('db-path'), 'db_path'],
    ['a key in capitals', '{Budget: {tokens: 5}}', key('Budget'), 'budget'],
    ['the same key twice', '{gate: {alpha: 0.05}, gate: {alpha: 0.2}}', /config\.yaml:\d/, /unique/],
    ['a key with a meaning in JavaScript', '{__proto__: {alpha: 0.1}}', key('__proto__'), 'not a known key'],
    ['NaN', '{gate: {alpha: .nan}}', key('gate.alpha'), 'number'],
    ['infinity', '{budget: {usd: .inf}}', key('budget.usd'), /number|finite/],
    ['minus infinity', '{budget: {tokens: -.inf}}', key('budget.tokens')],
    ['a chance of false keeps above its limit', '{gate: {alpha: 0.5}}', key('gate.alpha'), '0.5', 'at most 0.2'],
    ['no chance of false keeps', '{gate: {alpha: 0}}', key('gate.alpha'), 'above 0'],
    ['a percentage', '{gate: {alpha: 5%}}', key('gate.alpha'), '"5%"', 'number'],
    ['a number in quotes', '{gate: {epochs: "6"}}', key('gate.epochs'), '"6"', 'number'],
    ['a fraction for a count', '{gate: {epochs: 2.5}}', key('gate.epochs'), '2.5', /int/],
    ['no epochs', '{gate: {epochs: 0}}', key('gate.epochs'), '0', 'at least 1'],
    ['a hundred epochs', '{gate: {epochs: 100}}', key('gate.epochs'), '100', 'at most 20'],
    ['a count beyond all integers', '{budget: {tokens: 1e300}}', key('budget.tokens'), /int|number/],
    ['an octal number', '{live: {sessions: 0o17777}}', key('live.sessions'), /number|at most/],
    ['a number base sixty', '{runner: {timeout_seconds: 1:00:00:00}}', key('runner.timeout_seconds'), 'at most 3600'],
    ['a date', '{live: {days: 2026-05-01}}', key('live.days'), 'number'],
    ['a word for a truth value', '{background: {evaluate: maybe}}', key('background.evaluate'), '"maybe"', 'boolean'],
    [
      'a number for a truth value',
      '{approvals: {allow_noninteractive: 1}}',
      key('approvals.allow_noninteractive'),
      '1',
      'boolean',
    ],
    ['a truth value for a number', '{runner: {concurrency: yes}}', key('runner.concurrency'), 'true', '1 to 16'],
    [
      'a norwegian country',
      '{slash: {allow_changes_from: [no]}}',
      key('slash.allow_changes_from[0]'),
      'false',
      'string',
    ],
    [
      'a word for a list',
      '{slash: {allow_changes_from: telegram}}',
      key('slash.allow_changes_from'),
      '"telegram"',
      'array',
    ],
    ['hours in the American way', '{background: {hours: 10pm-6am}}', key('background.hours'), '22-06'],
    ['a day with 25 hours', '{background: {hours: 22-25}}', key('background.hours'), '22-06'],
    ['a runner that does not exist', '{runner: {kind: hot}}', key('runner.kind'), '"hot"', 'warm'],
    [
      'ninety-nine trials at once',
      '{runner: {concurrency: 99}}',
      key('runner.concurrency'),
      '99',
      /1 to 16|at most 16/,
    ],
    ['an empty list of toolsets', '{runner: {toolsets: []}}', key('runner.toolsets'), 'empty'],
    [
      'a relative directory for containers',
      '{runner: {contained: {read_only: [src]}}}',
      key('runner.contained.read_only[0]'),
      '"src"',
      'absolute',
    ],
    ['a price below zero', '{prices: {gpt-4.1: {input: -1, output: 2}}}', 'gpt-4.1', 'input', '-1', 'at least 0'],
    ['half a price', '{prices: {m: {input: 1}}}', key('prices.m.output'), 'missing'],
    ['a model as a word', '{models: {judge: gpt}}', key('models.judge'), 'host: true'],
    [
      'a model with two places',
      '{models: {judge: {host: true, base_url: "http://127.0.0.1:9/v1", model: m}}}',
      key('models.judge'),
    ],
    [
      'a model without a name',
      '{models: {judge: {base_url: "http://127.0.0.1:9/v1"}}}',
      key('models.judge.model'),
      'missing',
    ],
    [
      'an address without its protocol',
      '{models: {judge: {base_url: localhost, model: m}}}',
      key('models.judge.base_url'),
      'http or https',
    ],
    [
      'an address of a file',
      '{models: {judge: {base_url: "file:///x", model: m}}}',
      key('models.judge.base_url'),
      'http or https',
    ],
    [
      'a key where its name belongs',
      `{models: {judge: {base_url: "http://127.0.0.1:9/v1", model: m, api_key_env: ${SECRETS[1]}-}}}`,
      key('models.judge.api_key_env'),
      'not the key itself',
    ],
    [
      'a key that is not to be there',
      `{models: {judge: {base_url: "http://127.0.0.1:9/v1", model: m, api_key: ${SECRETS[1]}}}}`,
      key('models.judge.api_key'),
      'not a known key',
    ],
    ['a database with an empty name', '{db_path: ""}', key('db_path'), 'empty'],
    [
      'a setting of the root below a profile',
      '{profiles: {dev: {db_path: x.db}}}',
      key('profiles.dev.db_path'),
      'not a known key',
    ],
    ['a profile as a list', '{profiles: [dev]}', key('profiles')],
    [
      'ten mistakes at once',
      '{gate: {alpha: 2, epochs: x, wanted_effect: 0, min_power: 2}, live: {days: 0, sessions: 0}}',
      key('gate.alpha'),
      key('gate.epochs'),
      key('live.days'),
      key('live.sessions'),
    ],
  ],
  (section) => ({
    put: (world) => append(fileOf(world), `plugins:\n  karpathy_self_improve: ${section}\n`),
    run: ['status'],
    code: 'bad_config',
  }),
);

const places: BadInput[] = [
  {
    name: "our section in a named profile's file",
    put: ({ home }) => append(join(home, 'config.yaml'), 'plugins:\n  karpathy_self_improve: {}\n'),
    run: ['status'],
    code: 'bad_config',
    names: [SECTION, 'named profile', 'line 7'],
  },
  {
    name: "a named profile's file that is broken",
    put: ({ home }) => append(join(home, 'config.yaml'), '\t- x: [\n'),
    run: ['status'],
    code: 'bad_config',
    names: [/profiles\/dev\/config\.yaml:\d/],
  },
  {
    name: 'a directory in the place of config.yaml',
    put: (world) => {
      rmSync(fileOf(world));
      mkdirSync(fileOf(world));
    },
    run: ['status'],
    code: 'io',
    names: ['config.yaml', 'directory'],
  },
  {
    name: 'a named pipe in the place of config.yaml',
    put: (world) => {
      rmSync(fileOf(world));
      execFileSync('mkfifo', [fileOf(world)]);
    },
    run: ['status'],
    code: 'io',
    names: ['config.yaml', 'FIFO'],
  },
  {
    name: 'a link in a circle in the place of config.yaml',
    put: (world) => {
      rmSync(fileOf(world));
      symlinkSync('config.yaml', fileOf(world));
    },
    run: ['status'],
    code: 'io',
    names: ['config.yaml', /loop|links/],
  },
  {
    name: 'a key in an environment variable that is not set',
    put: (world) =>
      append(
        fileOf(world),
        'plugins:\n  karpathy_self_improve: {models: {proposer: {base_url: "http://127.0.0.1:9/v1", model: m, api_key_env: NO_SUCH_KEY}}}\n',
      ),
    run: ['propose', '--no-evaluate'],
    code: 'bad_config',
    names: ['NO_SUCH_KEY', 'not set'],
  },
];

export const CONFIG: readonly BadInput[] = [...whole, ...sections, ...places];
