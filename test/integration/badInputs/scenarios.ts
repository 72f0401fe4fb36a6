import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { valueRows, type BadInput } from './badInput.js';
import { bomb } from './config.js';
import { SECRETS } from './world.js';

const imported = (content: string | Uint8Array): Omit<BadInput, 'name' | 'names'> => ({
  put: ({ work }) => writeFileSync(join(work, 'suite.yaml'), content),
  run: ['scenario', 'import', 'suite.yaml'],
  code: 'bad_scenario',
});

/** A suite file as a whole. */
const files = valueRows<string | Uint8Array>(
  [
    ['an empty file', '', 'suite.yaml', 'list of scenarios'],
    ['comments only', '# nothing yet\n', 'suite.yaml', 'list of scenarios'],
    ['an empty list', 'scenarios: []\n', 'list of scenarios'],
    ['a mapping of names', 'greet: {input: hi}\n', 'list of scenarios'],
    ['a number', '42\n', 'list of scenarios'],
    ['a list and another key', 'scenarios: []\nversion: 2\n', 'list of scenarios'],
    ['two documents', '- {name: a}\n---\n- {name: b}\n', 'suite.yaml', 'document'],
    ['a tab as indentation', '- name: a\n\tinput: hi\n', 'suite.yaml:2'],
    ['a bracket that is not closed', '- {name: a, checks: [\n', /suite\.yaml:\d/],
    ['an alias without its anchor', '- *gone\n', 'suite.yaml', 'gone'],
    ['a bomb of aliases', bomb(), 'suite.yaml', /alias/i],
    ['an alias to itself', '- &a {name: a, files: *a}\n', 'suite.yaml'],
    ['five thousand open brackets', `- ${'['.repeat(5_000)}`, 'suite.yaml'],
    ['markup of a web page', '<!doctype html>\n<html><body>Not found</body></html>\n', 'list of scenarios'],
    ['a table', 'name,input\ngreet,hello\n', 'list of scenarios'],
    ['2001 scenarios', Array.from({ length: 2001 }, (_, i) => `- {name: s${i}}`).join('\n'), '2001', 'at most 2000'],
  ],
  imported,
);

const encodings = valueRows<Uint8Array>(
  [
    ['UTF-16', Buffer.from('\uFEFF- {name: a}\n', 'utf16le'), 'suite.yaml', 'UTF-8'],
    ['Latin-1', Buffer.from('- {name: a, input: gr\u00fc\u00dfe}\n', 'latin1'), 'suite.yaml', 'UTF-8'],
    ['NUL bytes', Buffer.from('- {name: a\0}\n'), 'suite.yaml', 'UTF-8'],
    ['a compressed file', Buffer.from([0x1f, 0x8b, 8, 0, 0, 0]), 'suite.yaml', 'UTF-8'],
    ['twenty megabytes', Buffer.alloc(20_000_000, 0x61), 'suite.yaml', 'too large'],
  ],
  (content) => ({ ...imported(content), code: 'bad_usage' }),
);

const one = (entry: string): Omit<BadInput, 'name' | 'names'> =>
  imported(`scenarios:\n  - {name: fine, input: hi, checks: [{must_contain: ok}]}\n  - ${entry}\n`);
const CHECKS = 'checks: [{must_contain: ok}]';
const at = (rest: string) => `scenarios[1].${rest}`;

/** One entry of a file whose first is fine: nothing of it may be kept. */
const entries = valueRows<string>(
  [
    ['a word for a scenario', 'greet', 'scenarios[1]', '"greet"', 'mapping'],
    ['nothing for a scenario', '~', 'scenarios[1]', 'mapping'],
    ['no name', `{input: hi, ${CHECKS}}`, at('name'), 'missing', 'line 3'],
    ['an empty name', `{name: "", input: hi, ${CHECKS}}`, at('name'), '1 to 80 letters'],
    ['a name with blanks', `{name: my test, input: hi, ${CHECKS}}`, at('name'), '"my test"', '1 to 80 letters'],
    ['a name that is a path', `{name: a/b, input: hi, ${CHECKS}}`, at('name'), '"a/b"'],
    ['a name that is a number', `{name: 7, input: hi, ${CHECKS}}`, at('name'), '7', 'string'],
    ['a name with a look-alike letter', `{name: gre\u0435t, input: hi, ${CHECKS}}`, at('name'), 'letters'],
    ['a name of 81 letters', `{name: ${'n'.repeat(81)}, input: hi, ${CHECKS}}`, at('name'), '1 to 80'],
    [
      'the same name twice',
      `{name: fine, input: ho, ${CHECKS}}`,
      at('name'),
      '"fine"',
      'already the name of scenarios[0]',
    ],
    ['a key twice', `{name: a, input: hi, input: ho, ${CHECKS}}`, 'suite.yaml:3', /unique/],
    [
      'a split that does not exist',
      `{name: a, split: test, input: hi, ${CHECKS}}`,
      at('split'),
      '"test"',
      'train',
      'holdout',
    ],
    ['a split in capitals', `{name: a, split: Holdout, input: hi, ${CHECKS}}`, at('split'), '"Holdout"'],
    ['a group with blanks', `{name: a, group: my group, input: hi, ${CHECKS}}`, at('group'), '"my group"'],
    ['neither input nor turns', `{name: a, ${CHECKS}}`, 'input or turns'],
    ['both input and turns', `{name: a, input: hi, turns: [ho], ${CHECKS}}`, 'input or turns'],
    ['an empty input', `{name: a, input: "", ${CHECKS}}`, at('input'), 'empty'],
    ['a number for an input', `{name: a, input: 42, ${CHECKS}}`, at('input'), '42', 'string'],
    ['a truth value for an input', `{name: a, input: true, ${CHECKS}}`, at('input'), 'true', 'string'],
    ['a NUL in an input', `{name: a, input: "h\\0i", ${CHECKS}}`, at('input'), 'NUL'],
    [
      'an input that no command line holds',
      `{name: a, input: ${'x'.repeat(100_001)}, ${CHECKS}}`,
      at('input'),
      '100001',
      '100000',
    ],
    ['empty turns', `{name: a, turns: [], ${CHECKS}}`, at('turns'), 'empty'],
    ['a turn that is a list', `{name: a, turns: [[hi]], ${CHECKS}}`, at('turns[0]'), 'string'],
    ['an unknown key', `{name: a, inputs: hi, input: hi, ${CHECKS}}`, at('inputs'), 'not a known key', 'input'],
    [
      'a typing error in a key',
      `{name: a, input: hi, tool_result: {x: y}, ${CHECKS}}`,
      at('tool_result'),
      'tool_results',
    ],
    [
      'a key with a meaning in JavaScript',
      `{name: a, input: hi, __proto__: {x: y}, ${CHECKS}}`,
      at('__proto__'),
      'not a known key',
    ],
    ['no checks', '{name: a, input: hi}', at('checks'), 'missing'],
    ['an empty list of checks', '{name: a, input: hi, checks: []}', at('checks'), 'at least one check'],
    ['a check as a word', '{name: a, input: hi, checks: [must_contain]}', at('checks[0]')],
    ['an empty check', '{name: a, input: hi, checks: [{}]}', at('checks[0]'), 'exactly one kind'],
    [
      'two kinds in one check',
      '{name: a, input: hi, checks: [{must_contain: a, regex: b}]}',
      at('checks[0]'),
      'exactly one kind',
    ],
    [
      'a kind of check that does not exist',
      '{name: a, input: hi, checks: [{contains: ok}]}',
      at('checks[0].contains'),
      'not a known key',
      'must_contain',
    ],
    [
      'an empty text to look for',
      '{name: a, input: hi, checks: [{must_contain: ""}]}',
      at('checks[0].must_contain'),
      'empty',
    ],
    [
      'a number to look for',
      '{name: a, input: hi, checks: [{must_contain: 42}]}',
      at('checks[0].must_contain'),
      '42',
      'string',
    ],
    [
      'an expression that does not end',
      '{name: a, input: hi, checks: [{regex: "("}]}',
      at('checks[0].regex'),
      '"("',
      'RE2',
    ],
    [
      'an expression that looks back',
      '{name: a, input: hi, checks: [{regex: "(a)\\\\1"}]}',
      at('checks[0].regex'),
      'back-references',
    ],
    [
      'an expression that looks ahead',
      '{name: a, input: hi, checks: [{regex: "a(?=b)"}]}',
      at('checks[0].regex'),
      'look-around',
    ],
    [
      'an expression that repeats a thousand thousand times',
      '{name: a, input: hi, checks: [{regex: "(a{1000}){1000}"}]}',
      at('checks[0].regex'),
      'RE2',
    ],
    ['a schema that is a text', '{name: a, input: hi, checks: [{json_schema: "{}"}]}', at('checks[0].json_schema')],
    [
      'a schema with an unknown type',
      '{name: a, input: hi, checks: [{json_schema: {type: strng}}]}',
      at('checks[0].json_schema'),
      'JSON schema',
    ],
    [
      'a schema that points to nothing',
      '{name: a, input: hi, checks: [{json_schema: {$ref: "#/nowhere"}}]}',
      at('checks[0].json_schema'),
      'nowhere',
    ],
    [
      'a schema with a pattern that is none',
      '{name: a, input: hi, checks: [{json_schema: {type: string, pattern: "("}}]}',
      at('checks[0].json_schema'),
      'JSON schema',
    ],
    [
      'a schema of another draft',
      '{name: a, input: hi, checks: [{json_schema: {$schema: "https://example.org/mine"}}]}',
      at('checks[0].json_schema'),
      'example.org',
    ],
    ['no tokens at all', '{name: a, input: hi, checks: [{max_tokens: 0}]}', at('checks[0].max_tokens'), '0', 'above 0'],
    [
      'tokens in quotes',
      '{name: a, input: hi, checks: [{max_tokens: "50"}]}',
      at('checks[0].max_tokens'),
      '"50"',
      'number',
    ],
    [
      'half a tool call',
      '{name: a, input: hi, checks: [{max_tool_calls: 0.5}]}',
      at('checks[0].max_tool_calls'),
      '0.5',
      'int',
    ],
    [
      'a cost that is no number',
      '{name: a, input: hi, checks: [{max_cost: .nan}]}',
      at('checks[0].max_cost'),
      'number',
    ],
    ['a cost in dollars', '{name: a, input: hi, checks: [{max_cost: $1}]}', at('checks[0].max_cost'), '"$1"', 'number'],
    [
      'a word for a truth value',
      '{name: a, input: hi, checks: [{asked_user: yes}]}',
      at('checks[0].asked_user'),
      '"yes"',
      'boolean',
    ],
    [
      'a file outside the directory',
      `{name: a, input: hi, checks: [{file_equals: {path: ${['..', 'x'].join('/')}, content: y}}]}`,
      at('checks[0].file_equals.path'),
      'without ".."',
    ],
    [
      'a file without its content',
      '{name: a, input: hi, checks: [{file_equals: {path: x}}]}',
      at('checks[0].file_equals.content'),
      'missing',
    ],
    [
      'checks that exclude each other',
      '{name: a, input: hi, checks: [{must_contain: ok}, {must_not_contain: ok}]}',
      at('checks[1].must_not_contain'),
      'contradicts',
    ],
    [
      'a tool that is wanted and not',
      '{name: a, input: hi, checks: [{tool_used: web}, {tool_not_used: web}]}',
      at('checks[1].tool_not_used'),
      'contradicts',
    ],
    ['files as a list', `{name: a, input: hi, files: [a.txt], ${CHECKS}}`, at('files')],
    [
      'a file at an absolute path',
      `{name: a, input: hi, files: {/etc/x: y}, ${CHECKS}}`,
      'files',
      '/etc/x',
      'relative path',
    ],
    ["a file in a person's home", `{name: a, input: hi, files: {~/x: y}, ${CHECKS}}`, 'files', 'relative path'],
    ['bytes as content', `{name: a, input: hi, files: {x: 42}, ${CHECKS}}`, at('files.x'), '42', 'string'],
    [
      'an answer of a tool that is none',
      `{name: a, input: hi, tool_results: {web: 5}, ${CHECKS}}`,
      at('tool_results.web'),
      'text, or a list',
    ],
    ['an empty list of answers', `{name: a, input: hi, answers: [], ${CHECKS}}`, at('answers'), 'empty'],
    [
      'a policy that does not exist',
      `{name: a, input: hi, tools: yolo, ${CHECKS}}`,
      at('tools'),
      '"yolo"',
      'simulated',
    ],
    ['real tools without their names', `{name: a, input: hi, tools: real, ${CHECKS}}`, at('tools'), 'toolsets'],
    ['no turns allowed', `{name: a, input: hi, max_turns: 0, ${CHECKS}}`, at('max_turns'), '0', 'at least 1'],
    ['a thousand turns', `{name: a, input: hi, max_turns: 1000, ${CHECKS}}`, at('max_turns'), '1000', 'at most 90'],
    [
      'a date for a note',
      `{name: a, input: hi, note: !!binary aGk=, max_turns: 2026-01-01, ${CHECKS}}`,
      at('max_turns'),
    ],
    ['a key of this profile', `{name: a, input: "log in with ${SECRETS[0]}", ${CHECKS}}`, 'a', 'key or password'],
    [
      'several mistakes at once',
      '{name: "", split: x, input: 5, checks: [{regex: "("}]}',
      at('name'),
      at('split'),
      at('input'),
      at('checks[0].regex'),
    ],
  ],
  one,
);

const added = valueRows<readonly string[]>(
  [
    ['a check without a value', ['--check', 'must_contain'], '--check', 'must_contain', 'must_contain=Hello'],
    ['a check without a kind', ['--check', '=ok'], '--check', '=ok', 'must_contain=Hello'],
    ['a check in broken YAML', ['--check', 'json_schema={type: ['], '--check', 'json_schema'],
    ['a check in YAML with an unknown tag', ['--check', 'json_schema=!!python/object {'], '--check', 'json_schema'],
  ],
  (flags) => ({ run: ['scenario', 'add', 'new', '--input', 'hi', ...flags], code: 'bad_usage' }),
);

const written = valueRows<readonly string[]>(
  [
    ['a name that is taken', ['greet', '--input', 'hi', '--check', 'must_contain=ok'], '"greet"', 'already the name'],
    [
      'a name that a hidden scenario has',
      ['hidden-one', '--input', 'hi', '--check', 'must_contain=ok'],
      '"hidden-one"',
      'already the name',
    ],
    [
      'a kind of check that does not exist, as an option',
      ['new', '--input', 'hi', '--check', 'says=ok'],
      'checks[0].says',
      'not a known key',
    ],
    [
      'a number that is none',
      ['new', '--input', 'hi', '--check', 'max_tokens=few'],
      'checks[0].max_tokens',
      '"few"',
      'number',
    ],
    ['no check', ['new', '--input', 'hi'], 'checks', 'at least one check'],
    ['no input', ['new', '--check', 'must_contain=ok'], 'input or turns'],
    [
      'a split that does not exist, as an option',
      ['new', '--split', 'dev', '--input', 'hi', '--check', 'must_contain=ok'],
      'split',
      '"dev"',
    ],
  ],
  (words) => ({ run: ['scenario', 'add', ...words], code: 'bad_scenario' }),
);

const others: BadInput[] = [
  {
    name: 'a suite on standard input that is none',
    stdin: 'hello',
    run: ['scenario', 'import', '-'],
    code: 'bad_scenario',
    names: ['list of scenarios'],
  },
  {
    name: 'bytes on standard input',
    stdin: Buffer.from([0xff, 0xfe, 0]),
    run: ['scenario', 'import', '-'],
    code: 'bad_usage',
    names: ['standard input', 'UTF-8'],
  },
  {
    name: 'a list where one scenario is edited',
    stdin: '- {name: greet}\n',
    run: ['scenario', 'edit', 'greet', '--from', '-'],
    code: 'bad_scenario',
    names: ['mapping'],
  },
  {
    name: 'an edit that takes the name of another scenario',
    stdin: 'name: count\ninput: hi\nchecks: [{must_contain: ok}]\n',
    run: ['scenario', 'edit', 'greet', '--from', '-'],
    code: 'bad_scenario',
    names: ['"count"', 'already the name'],
  },
  {
    name: 'an edit without an editor',
    run: ['scenario', 'edit', 'greet'],
    terminal: false,
    code: 'bad_usage',
    names: ['terminal'],
  },
  {
    name: 'an edit of a scenario that does not exist',
    stdin: 'name: a\n',
    run: ['scenario', 'edit', 'nope', '--from', '-'],
    code: 'unknown_scenario',
    names: ['"nope"'],
  },
  {
    name: 'real tools that nobody confirmed',
    stdin: 'name: a\ninput: hi\ntools: real\ntoolsets: [terminal]\nchecks: [{must_contain: ok}]\n',
    run: ['scenario', 'add', '--from', '-'],
    terminal: false,
    code: 'needs_person',
    names: ['a', 'confirm by typing: terminal'],
  },
];

export const SCENARIOS: readonly BadInput[] = [...files, ...encodings, ...entries, ...added, ...written, ...others];
