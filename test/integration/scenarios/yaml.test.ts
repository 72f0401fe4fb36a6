import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isKarpathyError, type Problem } from '#src/errors.js';
import { scenarioNameSchema, scenarioSpecSchema } from '#src/schemas.js';
import type { ScenarioEntry } from '#src/services/scenarioEntry.js';
import { parseScenarioFile, stringifyScenarios } from '#src/services/scenarioYaml.js';
import { scenarioSha256 } from '#src/store/scenarios.js';
import { PROJECT_DIR } from '#test/support/project.js';

function problemsIn(text: string): readonly Problem[] {
  try {
    parseScenarioFile(text, 'suite.yaml');
  } catch (error) {
    if (isKarpathyError(error) && error.code === 'bad_scenario' && error.exitCode === 2) return error.problems;
    throw error;
  }
  throw new Error('nothing was refused');
}

const GOOD = '{name: good, input: hi, checks: [{must_contain: x}]}';

describe('a scenario file', () => {
  test('is a list, or a mapping with the list', () => {
    const [first] = parseScenarioFile(`- ${GOOD}`, 'f');
    expect(first).toEqual({
      name: 'good',
      split: 'train',
      group: 'good',
      spec: { input: 'hi', checks: [{ must_contain: 'x' }] },
    });
    expect(parseScenarioFile(`scenarios:\n  - ${GOOD}`, 'f')).toEqual([first]);
  });

  test('all problems are named at once with path, value, allowed form and line', () => {
    const problems = problemsIn(
      [
        'scenarios:',
        `  - ${GOOD}`,
        '  - name: good',
        '    input: hi',
        '    checks: []',
        '  - name: "no spaces please"',
        '    split: test',
        '    input: hi',
        '    checks:',
        '      - regex: "(?<=a)b"',
        '      - json_schema: {type: nonsense}',
        '      - must_contain: x',
        '        regex: y',
        '      - sounds_nice: true',
        '    color: red',
        '  - name: both',
        '    input: hi',
        '    turns: [hi]',
        '    tools: contained',
        '    checks: [{max_tokens: 0}]',
      ].join('\n'),
    );
    const said = problems.map((p) => `${p.path}: ${p.message}`);
    const has = (pattern: RegExp): void => expect(said.filter((line) => pattern.test(line))).toHaveLength(1);
    has(/^scenarios\[1\]\.checks: .*at least one check \(line 5\)$/);
    has(/^scenarios\[1\]\.name: is already the name of scenarios\[0\].*\(line 3\)$/);
    has(/^scenarios\[2\]\.name: must be 1 to 80 letters.*\(line 6\)$/);
    has(/^scenarios\[2\]\.split: .*train.*holdout.*\(line 7\)$/);
    has(/^scenarios\[2\]\.checks\[0\]\.regex: is not a valid RE2 expression.*\(line 10\)$/);
    has(/^scenarios\[2\]\.checks\[1\]\.json_schema: is not a valid JSON schema.*\(line 11\)$/);
    has(/^scenarios\[2\]\.checks\[2\]: needs exactly one kind of check \(line 12\)$/);
    has(/^scenarios\[2\]\.checks\[3\]\.sounds_nice: is not a known key; there are: must_contain, .* \(line 14\)$/);
    has(/^scenarios\[2\]\.color: is not a known key; there are: input, .* \(line 15\)$/);
    has(/^scenarios\[3\]\.checks\[0\]\.max_tokens: must be above 0 \(line 20\)$/);
    expect(problems.find((p) => p.path.endsWith('checks[0].regex'))?.value).toBe('"(?<=a)b"');
  });

  test.each([
    ['no input and no turns', '{name: a, checks: [{must_contain: x}]}', /needs either input or turns/],
    [
      'a path that leaves the directory',
      `{name: a, input: i, files: {"${['..', 'x'].join('/')}": y}, checks: [{must_contain: x}]}`,
      /relative path/,
    ],
    ['a policy that does not exist', '{name: a, input: i, tools: boxed, checks: [{must_contain: x}]}', /"contained"/],
    [
      'real tools without saying which',
      '{name: a, input: i, tools: real, checks: [{must_contain: x}]}',
      /needs `toolsets`/,
    ],
    [
      'checks that contradict each other',
      '{name: a, input: i, checks: [{must_contain: x}, {must_not_contain: x}]}',
      /contradicts checks\[0\]/,
    ],
    ['a NUL character', '{name: a, input: "a\\0b", checks: [{must_contain: x}]}', /NUL character/],
    [
      'a turn longer than a command line takes',
      `{name: a, input: ${'x'.repeat(100_001)}, checks: [{must_contain: x}]}`,
      /at most 100000/,
    ],
    ['a number where a text belongs', '{name: a, input: i, checks: [{must_contain: 42}]}', /expected string/],
    ['an entry that is no mapping', 'just text', /must be a mapping/],
  ])('refuses %s', (_, entry, message) => {
    expect(problemsIn(`- ${entry}`).map((p) => p.message)).toEqual([expect.stringMatching(message)]);
  });

  test.each([
    ['broken YAML', 'scenarios:\n  - {name: a', /^suite\.yaml:\d+$/],
    ['a key twice', '- name: a\n  name: b', /^suite\.yaml:2$/],
    ['an empty file', '', /^scenarios$/],
    ['an empty list', 'scenarios: []', /^scenarios$/],
    ['another document', 'model: x', /^scenarios$/],
    ['an alias to nothing', '- *nowhere', /suite\.yaml/],
  ])('refuses %s', (_, text, path) => {
    expect(problemsIn(text)[0]?.path).toMatch(path);
  });

  test('every example of docs/scenarios.md is valid', () => {
    const docs = readFileSync(join(PROJECT_DIR, 'docs/scenarios.md'), 'utf8');
    const blocks = [...docs.matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1] ?? '');
    const files = blocks.map((text) => {
      if (text.startsWith('scenarios:')) return text;
      return text.startsWith('checks:')
        ? `scenarios:\n- name: x\n  input: i\n${text.replace(/^/gm, '  ')}`
        : `scenarios:\n${text}`;
    });
    const entries = files.flatMap((text) => parseScenarioFile(text, 'docs'));
    expect(entries.length).toBeGreaterThanOrEqual(5);
    const kinds = new Set(entries.flatMap((entry) => entry.spec.checks.flatMap((check) => Object.keys(check))));
    expect([...kinds].sort()).toEqual(
      'asked_user file_equals json_schema judge max_cost max_tokens max_tool_calls must_contain must_not_contain regex tool_not_used tool_used'.split(
        ' ',
      ),
    );
  });
});

/** Half of a surrogate pair can't be written to a file in UTF-8. */
const isWellFormed = (s: string): boolean => Buffer.from(s).toString('utf8') === s;

const text = fc.string({ unit: 'grapheme', minLength: 1 }).filter((s) => isWellFormed(s) && !s.includes('\0'));
const key = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 12 }).filter((s) => s !== '__proto__');
const path = key.filter(
  (s) => scenarioSpecSchema.safeParse({ input: 'i', checks: [{ must_contain: 'x' }], files: { [s]: '' } }).success,
);
const check = fc.oneof(
  fc.record({ must_contain: text }),
  fc.record({ judge: text }),
  fc.record({ regex: fc.constantFrom('(?i)\\bno\\b', 'a|b', '^[:#]\\s', 'line\\nline') }),
  fc.record({ json_schema: fc.constant({ type: 'object', properties: { '10': { type: 'string' }, '9': {} } }) }),
  fc.record({ max_tokens: fc.integer({ min: 1, max: 10_000 }) }),
  fc.record({ max_cost: fc.double({ min: 0.0001, max: 5, noNaN: true }) }),
  fc.record({ asked_user: fc.boolean() }),
  fc.record({ tool_used: text }),
  fc.record({ file_equals: fc.record({ path, content: text }) }),
);
const optional = {
  files: fc.dictionary(path, text),
  tool_results: fc.dictionary(
    key,
    fc.oneof(text, fc.array(fc.record({ when: text, result: text }), { minLength: 1, maxLength: 3 })),
  ),
  answers: fc.array(text, { minLength: 1, maxLength: 3 }),
  toolsets: fc.array(text, { minLength: 1, maxLength: 3 }),
  max_turns: fc.integer({ min: 1, max: 90 }),
  note: fc.string({ unit: 'grapheme' }).filter((s) => isWellFormed(s)),
};
const spec = fc.record(
  { input: text, checks: fc.array(check, { minLength: 1, maxLength: 4 }), ...optional },
  { requiredKeys: ['input', 'checks'] },
);
const name = fc
  .stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/)
  .filter((s) => scenarioNameSchema.safeParse(s).success);
const entry: fc.Arbitrary<ScenarioEntry> = fc.record({
  name,
  split: fc.constantFrom('train' as const, 'holdout' as const),
  group: name,
  spec: spec.map((written) => scenarioSpecSchema.parse(written)),
});

test('what is written as YAML is read back as it was', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(entry, { minLength: 1, maxLength: 4, selector: (e) => e.name }),
      fc.boolean(),
      (entries, withNote) => {
        const yaml = stringifyScenarios(entries, withNote ? '3 more were left out' : null);
        const read = parseScenarioFile(Buffer.from(yaml).toString('utf8'), 'round trip');
        expect(read).toEqual(entries);
        expect(read.map(scenarioSha256)).toEqual(entries.map(scenarioSha256));
      },
    ),
    { numRuns: 100 },
  );
});
