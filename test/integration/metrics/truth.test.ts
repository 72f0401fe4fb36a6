import { readFileSync } from 'node:fs';
import { afterEach, expect, it } from 'vitest';
import { randomFrom } from '#src/gate/random.js';
import { sha256 } from '#src/ratchet/digest.js';
import { applyExperiment } from '#src/services/apply.js';
import { collectMetrics } from '#src/services/collect.js';
import { metricsByContent } from '#src/services/metricsSeries.js';
import { revertExperiment } from '#src/services/revert.js';
import { getExperiment } from '#src/store/experiments.js';
import { listSnapshots, type MetricsFigures, type MetricsSnapshot } from '#src/store/metrics.js';
import { countQuarantine } from '#src/store/spool.js';
import { DEFAULT_SOUL, TEST_EPOCH, testContext, type TestContext } from '../../support/context.js';
import { approved } from '../../support/experiments.js';
import { hostWriter, type HostWriter } from '../../support/history/host.js';
import { sessionSteps, type Step } from '../../support/history/sessions.js';
import { trueFigures, type TrueSession } from '../../support/history/truth.js';
import { promptWith } from '../../support/observed.js';

/** Three weeks of several profiles, with what really happened written down beside it: every figure must be that. */

const DAY = 86_400_000;
const DAYS = 21;
const [APPLY_ON, REVERT_ON] = [8, 15];

interface Profile {
  readonly fixture: TestContext;
  readonly host: HostWriter;
  readonly truth: TrueSession[];
  /** When sessions begin, and what follows from it once it is there. */
  readonly starts: readonly { readonly at: number; readonly steps: () => Step[] }[];
}

const hosts: HostWriter[] = [];
afterEach(() => {
  for (const host of hosts.splice(0)) host.close();
});

function profileOf(name: string, seed: string, root?: string): Profile {
  const random = randomFrom(`${seed}/${name}`);
  const config = { live: { days: 7 } };
  const fixture = testContext({ profile: name, soul: DEFAULT_SOUL, config, ...(root === undefined ? {} : { root }) });
  const { spoolDir } = fixture.ctx.paths;
  const host = hostWriter(fixture.home, { spoolDir, schema: random() < 0.5 ? 22 : 30 });
  hosts.push(host);
  const truth: TrueSession[] = [];
  const text = () => {
    const bytes = readFileSync(fixture.target);
    return { prompt: promptWith(bytes.toString('utf8')), sha256: sha256(bytes) };
  };
  const people = { host, random, priced: random() < 0.6, text, truth };
  const starts = Array.from({ length: DAYS }, (_, day) => {
    const sessions = Math.floor(random() * 9);
    return Array.from({ length: sessions }, () => TEST_EPOCH + day * DAY + Math.floor(random() * DAY * 0.9));
  });
  return { fixture, host, truth, starts: starts.flat().map((at) => ({ at, steps: () => sessionSteps(people, at) })) };
}

interface Deed {
  readonly at: number;
  run(): Promise<void> | void;
}

/** Runs everything in the order of time, and collects, rotates and loses sight of state.db now and then. */
async function live(profiles: readonly Profile[], seed: string): Promise<number> {
  const random = randomFrom(`${seed}/world`);
  const queue: Deed[] = [];
  const add = (deed: Deed) => {
    const after = queue.findIndex((one) => one.at > deed.at);
    queue.splice(after === -1 ? queue.length : after, 0, deed);
  };
  const happen = (profile: Profile, step: Step) => ({
    at: step.at,
    run: () => {
      profile.host.now = step.at;
      step.run();
      if (random() < 0.02) profile.host.rotate(random() < 0.7 ? 'rename' : 'copy');
      if (random() < 0.015) collectMetrics(profile.fixture.ctx);
      if (random() < 0.005) profile.host.withoutStateDb(() => collectMetrics(profile.fixture.ctx));
    },
  });
  for (const profile of profiles) {
    for (const { at, steps } of profile.starts) {
      add({ at, run: () => steps().forEach((step) => add(happen(profile, step))) });
    }
  }
  const [{ fixture }] = profiles as [Profile];
  let id = 0;
  add({
    at: TEST_EPOCH + APPLY_ON * DAY,
    run: async () => {
      id = await approved(fixture);
      await applyExperiment(fixture.ctx, id);
    },
  });
  add({
    at: TEST_EPOCH + REVERT_ON * DAY,
    run: async () => void (await revertExperiment(fixture.ctx, id, { reason: 'a test', actor: 'person@cli' })),
  });
  for (let deed = queue.shift(); deed !== undefined; deed = queue.shift()) {
    for (const profile of profiles) profile.fixture.clock.set(deed.at);
    await deed.run();
  }
  return id;
}

const FIGURES = Object.keys(trueFigures([])) as (keyof MetricsFigures)[];
const figures = (row: MetricsFigures) => Object.fromEntries(FIGURES.map((key) => [key, row[key]]));

it.each(['one', 'two', 'three'])('every figure of a history is what really happened: seed %s', async (seed) => {
  const main = profileOf('dev', seed);
  const profiles = [main, profileOf('other', seed, main.fixture.root), profileOf('default', seed, main.fixture.root)];
  const id = await live(profiles, seed);
  const experiment = getExperiment(main.fixture.db, id);

  for (const { fixture, truth } of profiles) {
    fixture.clock.set(TEST_EPOCH + (DAYS + 4) * DAY);
    collectMetrics(fixture.ctx);
    const rows = listSnapshots(fixture.db, { profileId: fixture.profileId, limit: 1000 });
    const between = (from: number, to: number) => truth.filter((s) => s.startedAt >= from && s.startedAt < to);

    const days = rows.filter((row) => row.windowKind === 'collect');
    for (const day of days) {
      expect({ day: day.windowStartedAt, ...figures(day) }).toEqual({
        day: day.windowStartedAt,
        ...trueFigures(between(day.windowStartedAt, day.windowEndedAt)),
      });
    }
    // No day is missing.
    const total = days.reduce((sum, day) => sum + (day.sessionsStarted ?? 0), 0);
    expect(total).toBe(trueFigures(truth).sessionsStarted);

    for (const content of metricsByContent(fixture.ctx, { since: null, limit: 10 })) {
      const {
        excluded: _e,
        surfaces: _s,
        continued: _c,
        endReasons: _r,
        ...sums
      } = trueFigures(truth.filter((s) => s.content === content.contentSha256));
      expect(content).toMatchObject(sums);
    }
    expect(rows.filter((row) => row.windowKind !== 'collect')).toHaveLength(fixture === main.fixture ? 3 : 0);
    if (fixture !== main.fixture) continue;
    const window = (kind: string) => rows.find((row) => row.windowKind === kind) as MetricsSnapshot;
    for (const kind of ['before', 'live', 'after']) {
      const { windowStartedAt: from, windowEndedAt: to } = window(kind);
      expect({ kind, ...figures(window(kind)) }).toEqual({ kind, ...trueFigures(between(from, to)) });
    }
    expect([window('live').windowStartedAt, window('live').windowEndedAt]).toEqual([
      experiment.appliedAt,
      experiment.revertedAt,
    ]);
    collectMetrics(fixture.ctx);
    expect(listSnapshots(fixture.db, { profileId: fixture.profileId, limit: 1000 })).toEqual(rows);
  }
  const torn = profiles.flatMap(({ host }) => host.torn());
  expect(countQuarantine(main.fixture.db)).toBe(torn.length);
});
