import { beforeEach, describe, expect, it } from 'vitest';
import { applyExperiment } from '#src/services/apply.js';
import { collectMetrics } from '#src/services/collect.js';
import { metricsByContent, metricsByDay, metricsByExperiment } from '#src/services/metricsSeries.js';
import { revertExperiment } from '#src/services/revert.js';
import { listSnapshots } from '#src/store/metrics.js';
import { getExperiment } from '#src/store/experiments.js';
import { DEFAULT_SOUL, testContext, type TestContext } from '../../support/context.js';
import { approved, NEW_SENTENCE } from '../../support/experiments.js';
import { completedSession, hookEvent, promptWith, writeSpool } from '../../support/observed.js';
import { cli } from '../cli/harness.js';

const DAY = 86_400_000;
const ALL = { since: null, limit: 100 };
const OLD = promptWith(DEFAULT_SOUL);
const NEW = promptWith(`${DEFAULT_SOUL}${NEW_SENTENCE}`);

let fixture: TestContext;
let id: number;

/** Two sessions before an apply (one of them with a turn that got nowhere), three under it, one after its revert. */
beforeEach(async () => {
  fixture = testContext({ config: { live: { days: 7 } } });
  const { clock } = fixture;
  const session = (name: string, prompt: string) =>
    completedSession(fixture, { id: name, prompt, startedAt: clock.now() });
  session('long before', OLD);
  clock.advance(10 * DAY);
  session('b1', OLD);
  writeSpool(fixture, [hookEvent(fixture.home, { session_id: 'b1', is_first_turn: false, at: clock.now() + 5 })]);
  clock.advance(DAY);
  session('b2', OLD);
  clock.advance(DAY);
  id = await approved(fixture);
  await applyExperiment(fixture.ctx, id);
  for (const name of ['l1', 'l2', 'l3']) {
    clock.advance(DAY);
    session(name, NEW);
  }
  clock.advance(1000);
  await revertExperiment(fixture.ctx, id, { reason: 'a test', actor: 'person@cli' });
  clock.advance(DAY);
  session('a1', OLD);
  collectMetrics(fixture.ctx);
});

describe('metrics by experiment', () => {
  it('count the sessions before, under and after its text', () => {
    const [one, ...more] = metricsByExperiment(fixture.ctx, ALL);
    expect(more).toEqual([]);
    expect(one).toMatchObject({
      experimentId: id,
      before: { sessionsStarted: 2, turnsStarted: 3 },
      live: { sessionsStarted: 3, turnsStarted: 3, windowStartedAt: getExperiment(fixture.db, id).appliedAt },
      after: { sessionsStarted: 1 },
      change: { completedSessions: 0, errors: null },
    });
  });

  it('change nothing when they are collected again, and end with the time they are of', () => {
    const before = listSnapshots(fixture.db, { profileId: fixture.profileId });
    fixture.clock.advance(1000);
    collectMetrics(fixture.ctx);
    expect(listSnapshots(fixture.db, { profileId: fixture.profileId })).toEqual(before);
    fixture.clock.advance(10 * DAY);
    completedSession(fixture, { id: 'late', prompt: OLD, startedAt: fixture.clock.now() });
    collectMetrics(fixture.ctx);
    expect(metricsByExperiment(fixture.ctx, ALL)[0]?.after?.sessionsStarted).toBe(1);
  });
});

describe('metrics by content and by day', () => {
  it('follow the text that the sessions carried', () => {
    expect(metricsByContent(fixture.ctx, ALL)).toMatchObject([
      { sessionsStarted: 4, current: true, rates: { completedSessions: 1 } },
      { sessionsStarted: 3, current: false, contentSha256: getExperiment(fixture.db, id).candidateSha256 },
    ]);
  });

  it('have one row for each day with sessions', () => {
    const days = metricsByDay(fixture.ctx, ALL);
    expect(days.map((day) => day.sessionsStarted)).toEqual([1, 1, 1, 1, 1, 1, 1]);
    expect(metricsByDay(fixture.ctx, { since: fixture.clock.now() - 3 * DAY, limit: 100 })).toHaveLength(3);
  });
});

describe('the command', () => {
  const run = (args: readonly string[], env: NodeJS.ProcessEnv = {}) => cli(fixture, ['metrics', ...args], { env });

  it('draws curves, in ASCII where UTF-8 is not known', async () => {
    const plain = await run([]);
    expect(plain.stdout).toMatch(/failed turns +[_.:\-=+*# ]+ /);
    expect(plain.stdout).not.toMatch(/[▁▂▃▄▅▆▇█]/);
    expect((await run([], { LANG: 'en_US.UTF-8' })).stdout).toMatch(/sessions +█ {9}██ ███/);
  });

  it('prints a table for another program and nothing else', async () => {
    const { stdout } = await run(['--csv', '--by', 'experiment']);
    const [head, ...rows] = stdout.trimEnd().split('\r\n');
    expect(head).toMatch(/^profile,experiment,window,from,to,.*,turnsFailed,/);
    expect(rows.map((row) => row.split(',').slice(0, 3))).toEqual([
      ['dev', String(id), 'before'],
      ['dev', String(id), 'live'],
      ['dev', String(id), 'after'],
    ]);
    expect((await run(['--csv', '--by', 'content'])).stdout.split('\r\n')).toHaveLength(4);
  });

  it('answers as JSON, each series by its name', async () => {
    expect((await cli(fixture, ['--json', 'metrics', '--since', '3d'])).json()).toMatchObject({
      by: 'day',
      since: fixture.clock.now() - 3 * DAY,
      days: [{}, {}, {}],
    });
    expect((await cli(fixture, ['--json', 'metrics', '--by', 'content'])).json()).toMatchObject({ contents: [{}, {}] });
  });

  it('shows the change from before to live', async () => {
    expect((await run(['--by', 'experiment'])).stdout).toMatch(/1 +change +\+0\.0 pt/);
  });

  it.each([
    ['--by', 'week'],
    ['--since', 'yesterday'],
    ['--since', '2026-13-01'],
    ['--limit', 'x'],
  ])('refuses %s %s, naming the allowed form', async (...args) => {
    const { code, stderr } = await run(args);
    expect(code).toBe(2);
    expect(stderr).toContain('must be');
  });
});
