import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, test } from 'vitest';
import { findProfile } from '#src/store/profiles.js';
import { listScenarios } from '#src/store/scenarios.js';
import { testContext, type TestContext } from '../../support/context.js';
import { cli } from './harness.js';

let fixture: TestContext;
beforeEach(() => {
  fixture = testContext({ initialised: false });
});

const row = () => findProfile(fixture.db, fixture.ctx.profile.rootPath);
const BY_FLAGS = [
  'init',
  '--proposer',
  'http://127.0.0.1:9/v1#writer',
  '--judge',
  'none',
  '--budget-tokens',
  '20000000',
];

describe('init', () => {
  it('leads through target, models and budget, shows who sees which text, and only then writes', async () => {
    const answers = ['SOUL.md', 'url', 'http://127.0.0.1:9/v1#writer', 'WRITER_KEY', 'none', '20,000,000', true];
    const run = await cli(fixture, ['init'], { answers });
    expect(run.stderr).not.toContain('error:');
    expect(run.code).toBe(0);
    expect(run.asked).toHaveLength(answers.length);
    expect(run.stderr).toContain('Who sees which text');
    expect(run.stderr).toMatch(/is expected to take [\d,]+ trials/);
    expect(row()).toMatchObject({
      proposer: { base_url: 'http://127.0.0.1:9/v1', model: 'writer', api_key_env: 'WRITER_KEY' },
      judge: null,
      budgetTokens: 20_000_000,
    });
    expect(run.stdout).toContain('✓ The profile is set up.');
  });

  it('writes nothing when the person does not agree', async () => {
    const answers = ['SOUL.md', 'url', 'http://127.0.0.1:9/v1#writer', '', 'none', '20000000', false];
    const run = await cli(fixture, ['init'], { answers });
    expect([run.code, row()]).toEqual([3, null]);
  });

  it('works by flags without a terminal', async () => {
    const run = await cli(fixture, ['--json', ...BY_FLAGS, '--accept-disclosure'], { terminal: false });
    expect(run.code).toBe(0);
    expect(run.json()).toMatchObject({ profile: 'dev', created: true, budget: { tokens: 20_000_000, usd: null } });
    expect(row()?.proposer).toEqual({ base_url: 'http://127.0.0.1:9/v1', model: 'writer' });
  });

  it('without agreement to the disclosure is refused with the whole of it', async () => {
    const run = await cli(fixture, ['--json', ...BY_FLAGS], { terminal: false });
    expect([run.code, run.error().code, row()]).toEqual([3, 'needs_person', null]);
    expect(run.error().problems?.some((p) => p.message.includes('SOUL.md'))).toBe(true);
    expect(run.error().hint).toContain('--accept-disclosure');
  });

  test.each([
    ['no budget', ['init', '--proposer', 'http://127.0.0.1:9/v1#w', '--accept-disclosure'], 'bad_usage', 2],
    ['a budget of 0', [...BY_FLAGS, '--budget-tokens', '0', '--accept-disclosure'], 'bad_usage', 2],
    ['a target that is not there', [...BY_FLAGS, '--target', 'NOPE.md', '--accept-disclosure'], 'bad_target', 2],
    ['a USD limit without prices', [...BY_FLAGS, '--budget-usd', '5', '--accept-disclosure'], 'price_unknown', 3],
    [
      'the same model as judge',
      [...BY_FLAGS, '--judge', 'http://127.0.0.1:9/v1#writer', '--accept-disclosure'],
      'same_model',
      3,
    ],
  ])('refuses %s', async (_, argv, code, exit) => {
    const run = await cli(fixture, ['--json', ...argv], { terminal: false });
    expect([run.code, run.error().code, row()]).toEqual([exit, code, null]);
  });

  it('is what commands ask for before it ran', async () => {
    for (const argv of [['history'], ['propose'], ['scenario', 'list'], ['pause'], ['work'], ['run']]) {
      const run = await cli(fixture, ['--json', ...argv]);
      expect([argv, run.code, run.error().code]).toEqual([argv, 3, 'not_initialised']);
      expect(run.error().hint).toContain('init');
    }
  });
});

it('doctor answers before init, with exit code 1 while something is broken', async () => {
  const run = await cli(fixture, ['--json', 'doctor', '--skip-models']);
  expect(run.code).toBe(1);
  const { findings } = run.json<{ findings: { level: string; fix?: string }[] }>();
  expect(findings.some(({ level }) => level === 'error')).toBe(true);
  for (const finding of findings) if (finding.level === 'error') expect(finding.fix).toBeTruthy();
});

describe('scenarios', () => {
  const names = () => listScenarios(fixture.db, fixture.profileId).map((scenario) => scenario.name);
  beforeEach(() => {
    fixture = testContext();
  });

  it('are added by flags, listed, shown, and taken out; the holdout is only counted', async () => {
    await cli(fixture, [
      'scenario',
      'add',
      'greet',
      '--input',
      'Hello',
      '--check',
      'must_contain=Hi',
      '--check',
      'max_tokens=20',
    ]);
    await cli(fixture, [
      'scenario',
      'add',
      'secret',
      '--split',
      'holdout',
      '--input',
      'Bye',
      '--check',
      'must_contain=Bye',
    ]);
    expect(names()).toEqual(['greet', 'secret']);
    const list = await cli(fixture, ['scenario', 'list']);
    expect(list.stdout).toMatch(/greet +train +must_contain, max_tokens +Hello/);
    expect(list.stdout).not.toContain('secret');
    expect(list.stdout).toContain('1 holdout scenarios are hidden.');
    expect((await cli(fixture, ['scenario', 'show', 'greet'])).stdout).toContain('max_tokens: 20');
    const hidden = await cli(fixture, ['--json', 'scenario', 'show', 'secret']);
    expect([hidden.code, hidden.error().code]).toEqual([3, 'needs_person']);
    const shown = await cli(fixture, ['scenario', 'list', '--include-holdout'], { answers: [true] });
    expect(shown.stdout).toContain('secret');
    expect((await cli(fixture, ['scenario', 'rm', 'greet'])).code).toBe(0);
    expect(names()).toEqual(['secret']);
  });

  it('go out to a file and come back the same; a file is never replaced', async () => {
    await cli(fixture, ['scenario', 'add', 'greet', '--input', 'Hello', '--check', 'must_contain=Hi']);
    const out = await cli(fixture, ['scenario', 'export', '--out', 'suite.yaml'], { cwd: fixture.root });
    expect(out.code).toBe(0);
    const again = await cli(fixture, ['--json', 'scenario', 'export', '--out', 'suite.yaml'], { cwd: fixture.root });
    expect([again.code, again.error().code]).toEqual([2, 'bad_usage']);
    const stdin = readFileSync(join(fixture.root, 'suite.yaml'), 'utf8');
    const back = await cli(fixture, ['--json', 'scenario', 'import', '-'], { stdin });
    expect(back.json()).toMatchObject({ added: [], updated: [], unchanged: ['greet'] });
  });

  it('are edited in $EDITOR, and from a file', async () => {
    await cli(fixture, ['scenario', 'add', 'greet', '--input', 'Hello', '--check', 'must_contain=Hi']);
    const env = { ...process.env, EDITOR: "sed -i 's/Hello/Good morning/'" };
    expect((await cli(fixture, ['scenario', 'edit', 'greet'], { env })).stderr).toBe('');
    expect((await cli(fixture, ['scenario', 'show', 'greet'])).stdout).toContain('Good morning');
    writeFileSync(join(fixture.root, 'g.yaml'), 'name: greet\ninput: Evening\nchecks:\n  - must_contain: Hi\n');
    await cli(fixture, ['scenario', 'edit', 'greet', '--from', 'g.yaml'], { cwd: fixture.root });
    expect((await cli(fixture, ['scenario', 'show', 'greet'])).stdout).toContain('Evening');
  });

  it('an editor that fails, or is missing, changes nothing', async () => {
    await cli(fixture, ['scenario', 'add', 'greet', '--input', 'Hello', '--check', 'must_contain=Hi']);
    for (const env of [{ ...process.env, EDITOR: 'false' }, {}]) {
      const run = await cli(fixture, ['scenario', 'edit', 'greet'], { env });
      expect(run.code).toBe(2);
    }
    const silent = await cli(fixture, ['--json', 'scenario', 'edit', 'greet'], { terminal: false });
    expect(silent.error().hint).toContain('--from FILE');
    expect((await cli(fixture, ['scenario', 'show', 'greet'])).stdout).toContain('Hello');
  });

  it('that let tools really run are confirmed by typing the names', async () => {
    const stdin = 'name: real\ninput: Go\ntools: real\ntoolsets: [terminal]\nchecks:\n  - must_contain: x\n';
    const wrong = await cli(fixture, ['scenario', 'add', '--from', '-'], { stdin, answers: ['yes'] });
    expect([wrong.code, names()]).toEqual([3, []]);
    const silent = await cli(fixture, ['--json', 'scenario', 'add', '--from', '-'], { stdin, terminal: false });
    expect([silent.code, silent.error().code]).toEqual([3, 'needs_person']);
    const right = await cli(fixture, ['scenario', 'add', '--from', '-'], { stdin, answers: ['terminal'] });
    expect([right.code, names()]).toEqual([0, ['real']]);
  });

  test.each([
    [['scenario', 'add', 'x', '--input', 'Hi'], 'bad_scenario'],
    [['scenario', 'add', 'x', '--input', 'Hi', '--check', 'regex=('], 'bad_scenario'],
    [['scenario', 'add', 'x', '--input', 'Hi', '--check', 'json_schema={type: 7}'], 'bad_scenario'],
    [['scenario', 'import', 'nowhere.yaml'], 'bad_usage'],
    [['scenario', 'rm', 'x'], 'unknown_scenario'],
  ])('%j: %s, and nothing changes', async (argv, code) => {
    const run = await cli(fixture, ['--json', ...argv]);
    expect([run.code, run.error().code, names()]).toEqual([2, code, []]);
    expect(existsSync(fixture.target)).toBe(true);
  });

  it('a name is taken once', async () => {
    const add = ['scenario', 'add', 'x', '--input', 'Hi', '--check', 'must_contain=Hi'];
    await cli(fixture, add);
    const run = await cli(fixture, ['--json', ...add]);
    expect([run.code, run.error().code]).toEqual([2, 'bad_scenario']);
  });
});
