import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BadInput } from './badInput.js';
import { OURS, THEIRS } from './world.js';

const usage = (name: string, run: readonly string[], ...names: (string | RegExp)[]): BadInput => ({
  ...{ name, run, names, code: 'bad_usage' },
});

const words: BadInput[] = [
  usage('a command that does not exist', ['frobnicate'], 'frobnicate'),
  usage('a typing error in a command', ['statsu'], 'statsu'),
  usage('a command in capital letters', ['STATUS'], 'STATUS'),
  usage('a subcommand that does not exist', ['scenario', 'frobnicate'], 'frobnicate'),
  usage('a group without its command', ['scenario'], 'command is missing'),
  usage('an option that does not exist', ['status', '--jsno'], '--jsno'),
  usage("an option of another command's", ['status', '--reason', 'x'], '--reason'),
  usage('an option without its value', ['reject', String(OURS), '--reason'], '--reason'),
  usage('a value for a switch', ['resume', '--yes=no'], '--yes'),
  usage('an argument too many', ['show', '2', '3'], /arguments/),
  usage('an argument too few', ['apply'], 'id'),
  usage('a short option', ['status', '-x'], '-x'),
  usage('an empty command', [''], "''"),
  usage('a dash from a word processor', ['status', '—json'], /arguments|—json/),
  usage('what Hermes itself does', ['setup'], '`setup` is done by Hermes'),
  usage('a profile option without a name', ['--profile'], '--profile'),
];

const ids: BadInput[] = [
  ['a word', 'seven'],
  ['a fraction', '7.5'],
  ['hexadecimal', '0x7'],
  ['an exponent', '1e3'],
  ['full-width digits', '\uFF17'],
  ['nothing', ''],
  ['sixteen digits', '9'.repeat(16)],
  ['two numbers in one', '1,2'],
  ['a control sequence of a terminal', '7\u001b[2J'],
].map(([what = '', id = '']) =>
  usage(`an id that is ${what}`, ['show', id], 'must be the number of an experiment', 'ID'),
);

const unknown: BadInput[] = [
  ...[
    'show',
    'diff',
    'history',
    'approve',
    'apply',
    'revert',
    'reject',
    'resolve',
    'snapshot',
    'verify',
    'evaluate',
  ].map((command): BadInput => ({
    name: `an experiment that does not exist: ${command}`,
    run: [command, '999', ...(command === 'revert' || command === 'reject' ? ['--reason', 'x'] : [])],
    code: 'unknown_experiment',
    names: ['999'],
  })),
  ...['show', 'approve', 'reject', 'snapshot'].map((command): BadInput => ({
    name: `another profile's experiment: ${command}`,
    run: [command, String(THEIRS), ...(command === 'reject' ? ['--reason', 'x'] : [])],
    code: 'unknown_experiment',
    names: [`Experiment ${THEIRS} belongs to the profile other, not to dev`],
  })),
  { name: 'an experiment with the number 0', run: ['show', '0'], code: 'unknown_experiment', names: ['0'] },
  { name: 'no experiment in flight', run: ['diff'], code: 'unknown_experiment', names: ['dev', 'in flight'] },
  {
    name: 'a scenario that does not exist',
    run: ['scenario', 'show', 'grete'],
    code: 'unknown_scenario',
    names: ['grete'],
  },
  { name: 'a scenario with an empty name', run: ['scenario', 'rm', ''], code: 'unknown_scenario', names: ['""'] },
  { name: 'a job that does not exist', run: ['jobs', 'cancel', '99'], code: 'bad_usage', names: ['99'] },
  {
    name: 'a profile that does not exist',
    run: ['--profile', 'nope', 'status'],
    code: 'unknown_profile',
    names: ['nope'],
  },
  ...[
    ['a name with a slash', 'dev/x'],
    ['a name that climbs', ['..', 'dev'].join('/')],
    ['a name in capital letters', 'Dev'],
    ['a look-alike letter', 'd\u0435v'],
    ['an empty name', ''],
    ['65 letters', 'a'.repeat(65)],
  ].map(([what = '', name = '']): BadInput => ({
    name: `a profile called by ${what}`,
    run: ['--profile', name, 'status'],
    code: 'unknown_profile',
    names: [name, /cannot be the name/],
  })),
];

const values: BadInput[] = [
  usage('a limit below zero', ['history', '--limit=-1'], '--limit', '-1', 'whole number'),
  usage('a limit in words', ['history', '--limit', 'ten'], '--limit', 'ten', 'whole number'),
  usage('a limit with a point', ['metrics', '--limit', '1.0'], '--limit', '1.0', 'whole number'),
  usage('a time in words', ['metrics', '--since', 'yesterday'], '--since', 'yesterday', '12h, 30d, 8w'),
  usage('a day that does not exist', ['metrics', '--since', '2026-02-31'], '--since', '2026-02-31'),
  usage('a day the American way', ['metrics', '--since', '02/28/2026'], '--since', '2026-05-01'),
  usage('a series that does not exist', ['metrics', '--by', 'week'], '--by', 'week', 'day, experiment or content'),
  usage('a snapshot that is none', ['snapshot', String(OURS), '--kind', 'next'], '--kind', 'next', 'prior, applied'),
  usage('no epochs', ['calibrate', '--epochs', '0'], '--epochs', '0', /from \d+ to \d+/),
  usage('a thousand epochs', ['calibrate', '--epochs', '1000'], '--epochs', '1000', /from \d+ to \d+/),
  usage(
    'a placebo without a number',
    ['calibrate', '--placebo', 'Be brief.'],
    '--placebo',
    'Be brief.',
    "'3:Be brief.'",
  ),
  usage('no reason', ['reject', String(OURS)], '--reason', 'needed'),
  usage('an empty reason', ['reject', String(OURS), '--reason', ''], '--reason', 'must say something'),
  usage('a reason of blanks', ['revert', String(OURS), '--reason', ' \t '], '--reason', 'must say something'),
  usage('a reason that is a book', ['pause', '--reason', 'x'.repeat(2001)], '--reason', '2000'),
  usage('no choice where one is needed', ['finish', String(OURS)], 'exactly one of --keep REASON, --revert, --again'),
  usage('two choices that exclude each other', ['finish', String(OURS), '--revert', '--again'], 'exactly one of'),
  usage('both sides of a conflict', ['resolve', String(OURS), '--keep-mine', '--restore'], 'not both'),
  usage('a new error budget without a reason', ['error-budget', 'renew'], '--reason'),
];

const setUp = (name: string, flags: readonly string[], ...names: (string | RegExp)[]): BadInput => ({
  ...usage(name, ['init', ...flags, '--accept-disclosure', '--yes'], ...names),
  world: 'blank',
});

const amounts: BadInput[] = [
  setUp('no budget', ['--proposer', 'http://127.0.0.1:9/v1#m'], 'A budget is needed'),
  ...[
    ['0', /above 0|greater than 0/],
    ['1.5', 'whole number'],
    ['1e6', 'whole number'],
    ['1_000', 'whole number'],
    ['5M', 'whole number'],
    ['-5', 'whole number'],
  ].map(([value = '', form = '']) =>
    setUp(
      `a budget of ${String(value)} tokens`,
      [`--budget-tokens=${String(value)}`, '--proposer', 'http://127.0.0.1:9/v1#m'],
      /tokens/,
      String(value),
      form,
    ),
  ),
  ...['NaN', 'Infinity', '0', '-3', '1e400', '$5', '2,50'].map((value) =>
    setUp(`a budget of ${value} USD`, [`--budget-usd=${value}`], /usd/, value, 'above 0'),
  ),
];

const models: BadInput[] = [
  setUp('a proposer in words', ['--proposer', 'the good one'], '--proposer', 'URL#MODEL'),
  setUp('a proposer without a model', ['--proposer', 'http://127.0.0.1:9/v1'], '--proposer', 'URL#MODEL'),
  setUp('a proposer over FTP', ['--proposer', 'ftp://127.0.0.1/v1#m'], '--proposer', 'ftp:', 'URL#MODEL'),
  setUp('a proposer with an empty model', ['--proposer', 'http://127.0.0.1:9/v1#'], '--proposer', 'URL#MODEL'),
  setUp('a judge in words', ['--judge', 'nobody'], '--judge', 'nobody', 'none'),
  {
    ...setUp(
      'a key where its name belongs',
      ['--proposer', 'http://127.0.0.1:9/v1#m'],
      'name of an environment variable',
    ),
    run: (world) =>
      ['init', '--proposer-key-env', world.env.OTHER_API_KEY ?? '', '--accept-disclosure', '--yes'].map((word) =>
        word === world.env.OTHER_API_KEY ? `${word}-` : word,
      ),
  },
  {
    ...setUp(
      'a judge that is the proposer',
      ['--proposer', 'http://127.0.0.1:9/v1#m', '--judge', 'http://localhost:9/v1/#M', '--budget-tokens', '5000000'],
      'same model',
      'M',
    ),
    code: 'same_model',
  },
  {
    ...setUp(
      'a budget in USD for models without a price',
      ['--proposer', 'http://127.0.0.1:9/v1#m', '--budget-usd', '5'],
      'prices."m"',
      'USD per million tokens',
    ),
    code: 'price_unknown',
  },
];

const person: BadInput[] = [
  {
    name: 'an approval without a terminal',
    world: 'keep',
    terminal: false,
    run: ['approve', String(OURS), '--yes'],
    code: 'needs_person',
    names: ['no terminal'],
  },
  {
    name: "an approval in an agent's shell",
    world: 'keep',
    agentShell: true,
    run: ['approve', String(OURS), '--yes'],
    code: 'needs_person',
    names: ["agent's session"],
  },
  {
    name: "a revert in an agent's shell",
    world: 'live',
    agentShell: true,
    run: ['revert', String(OURS), '--reason', 'x', '--yes'],
    code: 'needs_person',
    names: ["agent's session"],
  },
  {
    name: 'the holdout for an agent',
    agentShell: true,
    run: ['scenario', 'list', '--include-holdout', '--yes'],
    code: 'needs_person',
    names: ["agent's session"],
  },
  {
    name: 'a hidden scenario by its name',
    run: ['scenario', 'show', 'hidden-one'],
    code: 'needs_person',
    names: ['hidden-one'],
  },
  {
    name: 'a set-up that nobody agreed to',
    world: 'blank',
    terminal: false,
    run: ['init', '--proposer', 'http://127.0.0.1:9/v1#m', '--budget-tokens', '5000000', '--yes'],
    code: 'needs_person',
    names: ['who will see which text'],
  },
  {
    name: 'a calibration that nobody agreed to',
    terminal: false,
    run: ['calibrate'],
    code: 'bad_usage',
    names: ['terminal'],
    trials: true,
  },
];

const notSetUp: BadInput[] = ['sentences', 'run', 'evaluate', 'collect', 'scenario list', 'propose'].map((command) => ({
  name: `a profile that was never set up: ${command}`,
  world: 'blank',
  put: (world) => writeFileSync(join(world.work, 'note'), ''),
  run: command.split(' '),
  code: 'not_initialised',
  names: ['dev', 'not set up yet'],
}));

export const COMMAND_LINE: readonly BadInput[] = [
  ...words,
  ...ids,
  ...unknown,
  ...values,
  ...amounts,
  ...models,
  ...person,
  ...notSetUp,
];
