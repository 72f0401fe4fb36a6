import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { beforeEach, describe, expect, it, test } from 'vitest';
import { getExperiment } from '#src/store/experiments.js';
import { findProfile } from '#src/store/profiles.js';
import { DEFAULT_SOUL, testContext, type TestContext } from '../../support/context.js';
import { approved, judged, live, NEW_SENTENCE, proposed } from '../../support/experiments.js';
import { cli } from './harness.js';

const APPLIED = `${DEFAULT_SOUL}${NEW_SENTENCE}\n`;

let fixture: TestContext;
beforeEach(() => {
  fixture = testContext();
});

const soul = () => readFileSync(fixture.target, 'utf8');
const state = (id: number) => getExperiment(fixture.db, id).state;

describe('a person at a terminal', () => {
  it('sees change, evidence and remaining cost before the question, and approves and applies in one go', async () => {
    const id = await judged(fixture);
    const run = await cli(fixture, ['approve', String(id), '--apply'], { answers: [true] });
    expect(run.code).toBe(0);
    expect(run.asked).toEqual([`Approve experiment ${id} and write SOUL.md?`]);
    expect(run.stderr).toContain(`{+${NEW_SENTENCE}+}`);
    expect(run.stderr).toContain('Evidence');
    expect(run.stderr).toContain('at most 1,000,000 tokens');
    expect(run.stdout).toMatch(/^profile dev\n✓ Experiment \d+ is approved\. Applied: SOUL\.md is written\./);
    expect([state(id), soul()]).toEqual(['live', APPLIED]);
    expect(getExperiment(fixture.db, id)).toMatchObject({ approvedBy: 'person@cli', autoRevertAgreed: true });
  });

  it('says no, and nothing happens', async () => {
    const id = await judged(fixture);
    const run = await cli(fixture, ['approve', String(id), '--apply'], { answers: [false] });
    expect([run.code, run.stderr.includes('Not agreed; nothing was changed.')]).toEqual([3, true]);
    expect([state(id), soul()]).toEqual(['proposed', DEFAULT_SOUL]);
  });

  it.each([
    ['approve', []],
    ['apply', []],
    ['revert', ['--reason', 'too rude']],
    ['resolve', ['--restore']],
    ['finish', ['--again']],
  ])('is not asked what cannot be done anyway: %s', async (command, options) => {
    const id = command === 'approve' ? await live(fixture) : await judged(fixture);
    const run = await cli(fixture, ['--json', command, String(id), ...options, '--yes']);
    const asking = await cli(fixture, [command, String(id), ...options], { answers: [true] });
    expect([run.error().code, asking.code, asking.asked]).toEqual(['wrong_state', 3, []]);
  });

  it('is told which option is missing', async () => {
    const id = await live(fixture);
    const run = await cli(fixture, ['revert', String(id)]);
    expect([run.code, run.stderr.includes('--reason: is needed')]).toEqual([2, true]);
  });

  it('agrees to no automatic revert only when it is so given', async () => {
    const id = await judged(fixture);
    await cli(fixture, ['approve', String(id), '--yes', '--no-auto-revert']);
    expect(getExperiment(fixture.db, id).autoRevertAgreed).toBe(false);
  });

  it('overrides an undecided verdict only with a reason, which is shown from then on', async () => {
    const id = await judged(fixture, 'undecided');
    const plain = await cli(fixture, ['--json', 'approve', String(id), '--yes']);
    expect([plain.code, plain.error().code]).toEqual([3, 'wrong_state']);
    expect((await cli(fixture, ['approve', String(id), '--yes', '--override', 'house style'])).code).toBe(0);
    expect((await cli(fixture, ['status'])).stdout).toMatch(/override +house style/);
  });

  it('reverts to the exact bytes', async () => {
    const id = await live(fixture);
    const run = await cli(fixture, ['revert', String(id), '--reason', 'too rude'], { answers: [true] });
    expect(run.code).toBe(0);
    expect([state(id), soul()]).toEqual(['reverted', DEFAULT_SOUL]);
  });

  it('rejects without being asked, since nothing is written', async () => {
    const id = await approved(fixture);
    const run = await cli(fixture, ['reject', String(id), '--reason', 'no longer wanted']);
    expect([run.code, run.asked, state(id)]).toEqual([0, [], 'rejected']);
  });

  test.each([
    [['--keep', 'they like it'], 'verified', APPLIED],
    [['--revert'], 'reverted', DEFAULT_SOUL],
    [['--again'], 'live', APPLIED],
  ])('finishes a window with %j', async (choice, then, text) => {
    const id = await live(fixture);
    fixture.clock.advance(15 * 86_400_000);
    const run = await cli(fixture, ['finish', String(id), ...choice], { answers: [true] });
    expect(run.stderr).not.toContain('error:');
    expect([run.code, state(id), soul()]).toEqual([0, then, text]);
  });

  test.each([
    ['--keep-mine', 'My own words.\n'],
    ['--restore', DEFAULT_SOUL],
  ])('resolves a conflict with %s', async (choice, text) => {
    const id = await live(fixture);
    writeFileSync(fixture.target, 'My own words.\n');
    const run = await cli(fixture, ['resolve', String(id), choice], { answers: [true] });
    expect([run.code, state(id), soul()]).toEqual([0, 'reverted', text]);
  });

  it('shows a conflict from three sides before it asks, and alone only shows it', async () => {
    const id = await live(fixture);
    writeFileSync(fixture.target, `${DEFAULT_SOUL}Be kind.\n`);
    const shown = await cli(fixture, ['resolve', String(id)]);
    expect([shown.code, shown.asked, state(id)]).toEqual([0, [], 'live']);
    for (const part of [
      `+${NEW_SENTENCE}`,
      `-${NEW_SENTENCE}\n+Be kind.`,
      'Its sentence is not in it any',
      '--keep-mine  SOUL.md stays as it is',
      '--restore    SOUL.md gets the exact bytes',
      `hermes -p dev karpathy resolve ${id} --restore`,
    ])
      expect(shown.stdout).toContain(part);
    const asked = await cli(fixture, ['resolve', String(id), '--restore'], { answers: [false] });
    expect([asked.code, asked.asked.length, state(id)]).toEqual([3, 1, 'live']);
    expect(asked.stderr).toContain('What --restore would change');

    const { conflict } = (await cli(fixture, ['--json', 'resolve', String(id)])).json<{ conflict: object }>();
    expect(conflict).toMatchObject({ experiment: id, state: 'live', file: 'SOUL.md', status: 'edited' });
    expect((await cli(fixture, ['resolve', String(id), '--restore', '--keep-mine', '--yes'])).code).toBe(2);
  });

  it('shows a conflict over a file that is gone or no text', async () => {
    const id = await live(fixture);
    writeFileSync(fixture.target, Buffer.from([0xff, 0x00]));
    expect((await cli(fixture, ['resolve', String(id)])).stdout).toContain('no readable text');
    rmSync(fixture.target);
    expect((await cli(fixture, ['resolve', String(id)])).stdout).toContain('SOUL.md is gone');
    expect((await cli(fixture, ['resolve', String(id), '--restore', '--yes'])).code).toBe(0);
    expect(soul()).toBe(DEFAULT_SOUL);
  });

  it('pauses and resumes', async () => {
    const paused = () => findProfile(fixture.db, fixture.ctx.profile.rootPath)?.pausedAt ?? null;
    await cli(fixture, ['pause', '--reason', 'release week']);
    expect(paused()).toBe(fixture.clock.now());
    expect((await cli(fixture, ['status'])).stdout).toContain('release week');
    await cli(fixture, ['resume'], { answers: [true] });
    expect(paused()).toBeNull();
  });
});

/** How to bring an experiment to the point where the command would be allowed, and the command. */
const DECISIONS: readonly [string, () => Promise<string[]>][] = [
  ['approve', async () => ['approve', String(await judged(fixture))]],
  ['apply', async () => ['apply', String(await approved(fixture))]],
  ['revert', async () => ['revert', String(await live(fixture)), '--reason', 'x']],
  [
    'finish',
    async () => {
      const id = await live(fixture);
      fixture.clock.advance(15 * 86_400_000);
      return ['finish', String(id), '--again'];
    },
  ],
  [
    'resolve',
    async () => {
      const id = await live(fixture);
      writeFileSync(fixture.target, 'My own words.\n');
      return ['resolve', String(id), '--restore'];
    },
  ],
  ['resume', async () => ['resume']],
  ['show --include-holdout', async () => ['show', String(await judged(fixture)), '--include-holdout']],
  ['scenario list --include-holdout', async () => ['scenario', 'list', '--include-holdout']],
  ['scenario export --include-holdout', async () => ['scenario', 'export', '--include-holdout']],
];

describe.each(DECISIONS)('%s', (_, ready) => {
  it("is refused from an agent's own shell, --yes or not", async () => {
    const argv = await ready();
    const before = soul();
    for (const yes of [[], ['--yes']]) {
      const run = await cli(fixture, ['--json', ...argv, ...yes], { agentShell: true });
      expect([run.code, run.error().code, run.stdout]).toEqual([3, 'needs_person', '']);
    }
    expect(soul()).toBe(before);
  });

  it('is refused without a terminal, unless the configuration allows it, and then needs --yes', async () => {
    const refused = await cli(fixture, ['--json', ...(await ready()), '--yes'], { terminal: false });
    expect([refused.code, refused.error().code]).toEqual([3, 'needs_person']);

    fixture = testContext({ config: { approvals: { allow_noninteractive: true } } });
    const argv = await ready();
    const silent = await cli(fixture, ['--json', ...argv], { terminal: false });
    expect([silent.code, silent.error().code, silent.error().hint]).toEqual([
      2,
      'bad_usage',
      'Add --yes to skip the question.',
    ]);
    const allowed = await cli(fixture, ['--json', ...argv, '--yes'], { terminal: false });
    expect([allowed.code, allowed.stderr]).toEqual([0, '']);
  });

  it('asks nothing with --json, which needs --yes', async () => {
    const argv = await ready();
    const run = await cli(fixture, ['--json', ...argv]);
    expect([run.code, run.error().code]).toEqual([2, 'bad_usage']);
    expect((await cli(fixture, ['--json', ...argv, '--yes'])).code).toBe(0);
  });
});

describe('what the rules refuse has exit code 3 and changes nothing', () => {
  test.each<[string, string, () => Promise<string[]>]>([
    ['approve without a verdict', 'wrong_state', async () => ['approve', String(proposed(fixture)), '--yes']],
    [
      'approve a discarded one',
      'wrong_state',
      async () => ['approve', String(await judged(fixture, 'discard')), '--yes'],
    ],
    ['apply before the approval', 'wrong_state', async () => ['apply', String(await judged(fixture)), '--yes']],
    [
      'revert what was never applied',
      'wrong_state',
      async () => ['revert', String(await judged(fixture)), '--reason', 'x', '--yes'],
    ],
    ['verify before the window is full', 'wrong_state', async () => ['verify', String(await live(fixture))]],
    [
      'finish before the window is over',
      'wrong_state',
      async () => ['finish', String(await live(fixture)), '--again', '--yes'],
    ],
    [
      'resolve without a conflict',
      'wrong_state',
      async () => ['resolve', String(await live(fixture)), '--keep-mine', '--yes'],
    ],
    ['evaluate what is live', 'wrong_state', async () => ['evaluate', String(await live(fixture))]],
    [
      'revert over an edit of a person',
      'conflict',
      async () => {
        const id = await live(fixture);
        writeFileSync(fixture.target, 'My own words.\n');
        return ['revert', String(id), '--reason', 'x', '--yes'];
      },
    ],
    [
      'apply over an edit of a person',
      'stale',
      async () => {
        const id = await approved(fixture);
        writeFileSync(fixture.target, 'My own words.\n');
        return ['apply', String(id), '--yes'];
      },
    ],
    [
      'a second experiment',
      'in_flight',
      async () => {
        proposed(fixture);
        return ['propose', '--delete', '2', '--no-evaluate'];
      },
    ],
  ])('%s: %s', async (_, code, ready) => {
    const argv = await ready();
    const before = soul();
    const run = await cli(fixture, ['--json', ...argv]);
    expect([run.code, run.error().code, run.stdout]).toEqual([3, code, '']);
    expect(soul()).toBe(before);
  });
});

describe('what is not complete is bad input', () => {
  test.each([
    [['reject', '1'], '--reason'],
    [['revert', '1', '--yes'], '--reason'],
    [['reject', '1', '--reason', '  '], '--reason'],
    [['finish', '1'], 'finish'],
    [['finish', '1', '--again', '--revert'], 'finish'],
    [['resolve', '1', '--keep-mine', '--restore'], 'resolve'],
    [['snapshot', '1', '--kind', 'first'], '--kind'],
    [['history', '--limit', 'many'], '--limit'],
    [['init', '--budget-tokens', '-5'], '--budget-tokens'],
    [['init', '--proposer', 'gpt'], '--proposer'],
    [['init', '--judge-key-env', 'not a name'], '--judge-key-env'],
    [['propose', '--rewrite', 'x', 'text'], '--rewrite'],
    [['propose', '--rewrite', '1'], '--rewrite'],
    [['propose', '--delete', '1', '--rewrite', '2', 'x'], '--rewrite --delete'],
    [['scenario', 'add', '--input', 'x'], 'scenario add'],
    [['scenario', 'add', 'a', '--input', 'x', '--check', 'nonsense'], '--check'],
  ])('%j names %s', async (argv, path) => {
    const run = await cli(fixture, ['--json', ...argv]);
    expect([run.code, run.error().code]).toEqual([2, 'bad_usage']);
    expect(run.error().problems?.map((problem) => problem.path)).toContain(path);
  });
});
