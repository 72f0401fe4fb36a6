import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, test } from 'vitest';
import { recordWindow, transition } from '#src/store/experiments.js';
import { listConsultations } from '#src/store/holdoutConsultations.js';
import { insertJob } from '#src/store/jobs.js';
import { DEFAULT_SOUL, testContext, type TestContext } from '../../support/context.js';
import { approved, judged, live, liveWithFullWindow, NEW_SENTENCE, proposed } from '../../support/experiments.js';
import { cli } from './harness.js';

let fixture: TestContext;
beforeEach(() => {
  fixture = testContext();
});

interface Status {
  profile: string;
  initialised: boolean;
  experiment: { id: number; state: string; phase: string } | null;
  next: { say: string; commands: string[] };
}

const status = async () => (await cli(fixture, ['--json', 'status'])).json<Status>();

describe('status', () => {
  it('starts with the profile, and says what to do before there is anything', async () => {
    const { code, stdout, stderr } = await cli(fixture, ['status']);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^profile dev\n/);
    expect(stdout).toContain('0 train, 0 holdout');
    expect(stdout).toContain('hermes -p dev karpathy scenario import FILE');
  });

  it('of a profile that is not set up says how to set it up, and is no error', async () => {
    fixture = testContext({ initialised: false });
    const run = await cli(fixture, ['--json', 'status']);
    expect(run.code).toBe(0);
    expect(run.json<Status>()).toMatchObject({ profile: 'dev', initialised: false, next: { commands: ['init'] } });
  });

  it('shows sentence, evidence, cost and what to do next at a glance', async () => {
    const id = await judged(fixture);
    const { stdout } = await cli(fixture, ['status']);
    expect(stdout).toContain(`Experiment ${id} inserts after sentence 3 of SOUL.md, written by a person`);
    expect(stdout).toMatch(/state +proposed, waiting for a person/);
    expect(stdout).toContain(NEW_SENTENCE);
    expect(stdout).toMatch(/evidence +KEEP \(p = 0\.01\)/);
    expect(stdout).toMatch(/cost +0 of 1,000,000 tokens, \$0/);
    expect(stdout).toContain(`hermes -p dev karpathy approve ${id} --apply`);
  });

  it('is in colour when asked, and without by default away from a terminal', async () => {
    await judged(fixture);
    const plain = await cli(fixture, ['status']);
    const forced = await cli(fixture, ['status'], { env: { FORCE_COLOR: '1' } });
    const refused = await cli(fixture, ['status', '--no-color'], { env: { FORCE_COLOR: '1' } });
    expect(forced.stdout).toContain('\u001b[');
    expect(plain.stdout).not.toContain('\u001b[');
    expect(refused.stdout).toBe(plain.stdout);
  });

  test.each([40, 60, 100])('keeps its fields within %i columns', async (columns) => {
    await judged(fixture);
    const { stdout } = await cli(fixture, ['status'], { columns });
    const prose = stdout.split('\n').filter((line) => !line.includes('karpathy') && !line.startsWith('Experiment'));
    const path = fixture.home.length + 30;
    for (const line of prose) expect(line.length).toBeLessThanOrEqual(Math.max(columns, path));
  });
});

describe('the phase follows from state, verdict, job and file', () => {
  const phaseOf = async () => (await status()).experiment?.phase;

  it('not evaluated, then evaluating while a job is open', async () => {
    const id = proposed(fixture);
    expect(await phaseOf()).toBe('not evaluated');
    insertJob(fixture.db, {
      profileId: fixture.profileId,
      experimentId: id,
      kind: 'evaluate',
      payload: {},
      requestedBy: 'test',
      at: fixture.clock.now(),
    });
    const view = await status();
    expect(view.experiment?.phase).toBe('evaluating');
    expect(view.next.commands).toEqual(['work']);
  });

  it('waiting for a person with a verdict; an undecided one needs a reason', async () => {
    const id = await judged(fixture, 'undecided');
    const view = await status();
    expect(view.experiment?.phase).toBe('waiting for a person');
    expect(view.next.commands).toContain(`approve ${id} --override '…'`);
  });

  it('stale when the file changed after the edit was written', async () => {
    await judged(fixture);
    writeFileSync(fixture.target, 'Somebody else wrote this.\n');
    expect(await phaseOf()).toBe('stale');
  });

  it('stale when the suite changed after the test', async () => {
    await judged(fixture);
    await cli(fixture, ['scenario', 'add', 'new', '--split', 'holdout', '--input', 'Hi', '--check', 'must_contain=Hi']);
    const view = await status();
    expect(view.experiment?.phase).toBe('stale');
    expect(view.next.say).toContain('Model, judge, scenarios or evaluator changed');
  });

  it('ready to apply, then counting sessions', async () => {
    await approved(fixture);
    expect(await phaseOf()).toBe('ready to apply');
    fixture = testContext();
    const id = await live(fixture);
    expect(await phaseOf()).toBe('counting sessions');
    const { stdout } = await cli(fixture, ['status']);
    expect(stdout).toMatch(/sessions +0 of 10 seen, 14 days left/);
    expect((await status()).next.commands).toContain(`revert ${id} --reason '…'`);
  });

  it('a full window is judged by verify', async () => {
    fixture = testContext();
    const id = await live(fixture);
    fixture.clock.advance(15 * 86_400_000);
    const view = await status();
    expect(view.experiment?.phase).toBe('waiting for a person');
    expect(view.next.commands[0]).toBe(`verify ${id}`);
  });

  it('a window that could not be judged waits for a decision', async () => {
    const id = await liveWithFullWindow(fixture);
    fixture.clock.advance(15 * 86_400_000);
    recordWindow(fixture.db, id, {
      note: `Waits for you: too few sessions. \`finish ${id} --keep REASON\`.`,
      at: fixture.clock.now(),
    });
    const view = await status();
    expect(view.next).toEqual({
      say: 'Too few sessions. You decide.',
      commands: [`finish ${id} --keep 'reason'`, `finish ${id} --revert`, `finish ${id} --again`],
    });
  });

  it('conflict when a person edited the file while it is live', async () => {
    const id = await live(fixture);
    writeFileSync(fixture.target, `${DEFAULT_SOUL}My own words.\n`);
    const view = await status();
    expect(view.experiment?.phase).toBe('conflict');
    expect(view.next.commands).toEqual([`resolve ${id}`, `resolve ${id} --keep-mine`, `resolve ${id} --restore`]);
  });
});

describe('show, diff and history', () => {
  it('show names the holdout only after a person agreed, and records that they saw it', async () => {
    const id = await judged(fixture);
    const seen = () => listConsultations(fixture.db, fixture.profileId).filter(({ kind }) => kind === 'view');
    await cli(fixture, ['show', String(id)]);
    await cli(fixture, ['show', String(id), '--include-holdout'], { answers: [false] });
    expect(seen()).toEqual([]);
    await cli(fixture, ['show', String(id), '--include-holdout'], { answers: [true] });
    expect(seen()).toMatchObject([{ experimentId: id, actor: 'person@cli', detail: `show ${id}` }]);
  });

  it('show takes the one in flight, and has the verdict in plain words', async () => {
    const id = await judged(fixture);
    const { code, stdout } = await cli(fixture, ['show']);
    expect(code).toBe(0);
    expect(stdout).toContain(`Experiment ${id}`);
    expect(stdout).toContain('A change that does nothing would look this good with a chance of 1 %');
    expect((await cli(fixture, ['--json', 'show', String(id)])).json()).toMatchObject({
      profile: 'dev',
      id,
      verdict: { verdict: 'keep', p: 0.01 },
      diff: { words: [{ kind: 'added', text: NEW_SENTENCE }] },
      results: [],
    });
  });

  it('diff marks words in colour, and in brackets without', async () => {
    const id = proposed(fixture);
    expect((await cli(fixture, ['diff', String(id)])).stdout).toContain(`{+${NEW_SENTENCE}+}`);
    const coloured = (await cli(fixture, ['diff'], { env: { FORCE_COLOR: '1' } })).stdout;
    expect(coloured).not.toContain('{+');
    expect(coloured).toContain('\u001b[32m');
  });

  it('history lists experiments, or the steps of one with who took them', async () => {
    const id = await approved(fixture);
    const list = await cli(fixture, ['history']);
    expect(list.stdout).toMatch(new RegExp(`${id} +approved +keep .*\\+ ${NEW_SENTENCE}`));
    const one = (await cli(fixture, ['--json', 'history', String(id)])).json<{
      transitions: { from: string | null; to: string; actor: string }[];
    }>();
    expect(one.transitions.map(({ from, to, actor }) => [from, to, actor])).toEqual([
      [null, 'proposed', 'person@cli'],
      ['proposed', 'approved', 'person@cli'],
    ]);
  });

  it('history comes in pages: it says how to go on, and as JSON what to give next', async () => {
    const ids = Array.from({ length: 5 }, () => {
      const id = proposed(fixture);
      transition(fixture.db, { id, to: 'rejected', actor: 'gate', reason: 'a test', at: 1 });
      return id;
    });
    const page = async (...args: string[]) => {
      const run = await cli(fixture, ['--json', 'history', ...args]);
      const { experiments, before } = run.json<{ experiments: { id: number }[]; before: number | null }>();
      return { ids: experiments.map(({ id }) => id), before };
    };
    const [a, b, c, d, e] = ids as [number, number, number, number, number];
    expect(await page('--limit', '2')).toEqual({ ids: [e, d], before: d });
    expect(await page('--limit', '2', '--before', String(d))).toEqual({ ids: [c, b], before: b });
    expect(await page('--limit', '2', '--before', String(b))).toEqual({ ids: [a], before: null });
    expect(await page('--all')).toEqual({ ids: [e, d, c, b, a], before: null });
    expect((await cli(fixture, ['history', '--limit', '2'])).stdout).toContain(`karpathy history --before ${d}`);
    expect((await cli(fixture, ['history', '--limit', '5'])).stdout).not.toContain('older');
  });

  test.each([
    ['--all', ['--all', '--limit', '2']],
    ['ID', ['7', '--all']],
    ['ID', ['7', '--before', '9']],
    ['--before', ['--before', 'x']],
  ])('history refuses what does not go together, naming %s', async (path, args) => {
    const run = await cli(fixture, ['--json', 'history', ...args]);
    expect([run.code, run.error().problems?.map((problem) => problem.path)]).toEqual([2, [path]]);
  });

  test.each(['show', 'diff', 'history', 'approve', 'apply', 'evaluate', 'verify', 'snapshot'])(
    '%s of an experiment that is not there is bad input',
    async (command) => {
      const run = await cli(fixture, ['--json', command, '99']);
      expect([run.code, run.error().code]).toEqual([2, 'unknown_experiment']);
    },
  );

  test.each(['abc', '-1', '1.5', '7;8'])('%s is not the number of an experiment', async (id) => {
    const run = await cli(fixture, ['--json', 'show', '--', id]);
    expect(run.code).toBe(2);
    expect(run.error().problems).toEqual([
      { path: 'ID', value: id, message: 'must be the number of an experiment; `history` lists them' },
    ]);
  });

  it('an experiment of another profile is not shown here', async () => {
    const id = proposed(fixture);
    const other = testContext({ profile: 'work', root: fixture.root, soul: DEFAULT_SOUL });
    const run = await cli(other, ['--json', 'show', String(id)]);
    expect([run.code, run.error().code]).toEqual([2, 'unknown_experiment']);
    expect(run.error().hint).toContain('hermes -p dev karpathy');
  });
});

describe('snapshot, sentences, config, jobs, baselines, metrics', () => {
  it('snapshot gives the exact prior bytes, and never replaces a file', async () => {
    const id = await live(fixture);
    const out = join(fixture.root, 'before.md');
    const run = await cli(fixture, ['--json', 'snapshot', String(id), '--out', 'before.md'], { cwd: fixture.root });
    expect(run.json()).toMatchObject({ kind: 'prior', writtenTo: out, size: DEFAULT_SOUL.length });
    expect(readFileSync(out, 'utf8')).toBe(DEFAULT_SOUL);
    const again = await cli(fixture, ['--json', 'snapshot', String(id), '--out', out]);
    expect([again.code, again.error().code]).toEqual([2, 'bad_usage']);
  });

  it('sentences shows the numbers that propose uses', async () => {
    const { stdout } = await cli(fixture, ['sentences']);
    expect(stdout).toMatch(/1 {2}You are a careful assistant\.\n +2 {2}Answer briefly\.\n +3 {2}Ask before/);
  });

  it('config shows each setting with where it came from', async () => {
    const run = await cli(fixture, ['--json', 'config']);
    const { settings } = run.json<{ settings: { path: string; value: unknown; source: string }[] }>();
    expect(settings).toContainEqual({ path: 'gate.alpha', value: 0.05, source: 'default' });
    expect((await cli(fixture, ['config'])).stdout).toMatch(/gate\.alpha +default +0\.05/);
  });

  it('jobs lists open work, and cancel ends it', async () => {
    expect((await cli(fixture, ['jobs'])).stdout).toContain('No jobs.');
    const job = insertJob(fixture.db, {
      profileId: fixture.profileId,
      experimentId: null,
      kind: 'run',
      payload: {},
      requestedBy: 'test',
      at: fixture.clock.now(),
    });
    expect((await cli(fixture, ['jobs'])).stdout).toMatch(new RegExp(`${job} +run +queued`));
    expect((await cli(fixture, ['jobs', 'cancel', String(job)])).code).toBe(0);
    const after = await cli(fixture, ['--json', 'jobs', 'cancel', String(job)]);
    expect([after.code, after.error().code]).toEqual([3, 'wrong_state']);
    expect((await cli(fixture, ['jobs', '--all'])).stdout).toContain('cancelled');
  });

  it.each(['baselines', 'metrics', 'history'])('%s says that there is none yet', async (name) => {
    const { code, stdout } = await cli(fixture, [name]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/No \w+ yet/);
  });
});
