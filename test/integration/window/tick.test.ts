import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import type { WrittenConfig } from '#src/config.js';
import { KarpathyError } from '#src/errors.js';
import { markerKey } from '#src/hermes/paths.js';
import { enqueue } from '#src/services/enqueue.js';
import { revertExperiment } from '#src/services/revert.js';
import { status } from '#src/services/status.js';
import { tick, withinHours, type TickOptions } from '#src/services/tick.js';
import { getExperiment } from '#src/store/experiments.js';
import { getJob, listJobs, takeLease } from '#src/store/jobs.js';
import { listSnapshots } from '#src/store/metrics.js';
import { DEFAULT_SOUL, testContext, type TestContext } from '../../support/context.js';
import { live, NEW_SENTENCE } from '../../support/experiments.js';
import { completedSession, hookEvent, promptWith, writeSpool } from '../../support/observed.js';

const APPLIED = `${DEFAULT_SOUL}${NEW_SENTENCE}\n`;
const WINDOW = 2 * 86_400_000;
/** Local hours that include, or leave out, the hour of the test clock. */
const hour = new Date(1_767_614_400_000).getHours();
const NOW = `${hour}-${(hour + 2) % 24}`;
const LATER = `${(hour + 2) % 24}-${(hour + 4) % 24}`;

let fixture: TestContext;
let id: number;
let appliedAt: number;

async function applied(config: WrittenConfig = {}, autoRevert = false): Promise<void> {
  fixture = testContext({ config: { live: { sessions: 2, days: 2 }, ...config } });
  id = await live(fixture, { autoRevert });
  appliedAt = fixture.clock.now();
  fixture.clock.advance(60_000);
}

function sessions(count: number): void {
  for (let n = 0; n < count; n++) {
    completedSession(fixture, { id: `s${n}`, prompt: promptWith(APPLIED), startedAt: appliedAt + 1 + n });
  }
}

/** Stands in for the executor: records which jobs it was asked to run. */
function executor(error?: Error) {
  const ran: number[] = [];
  const runJob: TickOptions['runJob'] = async (ctx, jobId) => {
    ran.push(jobId);
    if (error !== undefined) throw error;
    return getJob(ctx.db, jobId);
  };
  return { runJob, ran };
}

beforeEach(() => applied());

describe('tick', () => {
  it('collects what the guardrails compare, so that `status` shows them as they are now', async () => {
    sessions(1);
    await tick(fixture.ctx);
    expect((await status(fixture.ctx)).experiment?.window?.guardrails).toMatchObject({ sessionsAfter: 1 });
    expect(listSnapshots(fixture.db, { profileId: fixture.profileId, windowKind: 'live' })).toMatchObject([
      { experimentId: id, sessionsStarted: 1, sessionsMeasured: 1 },
    ]);
  });

  it('collects nothing while nothing is live', async () => {
    await revertExperiment(fixture.ctx, id, { reason: 'a test', actor: 'person@cli' });
    sessions(1);
    await tick(fixture.ctx);
    expect(listSnapshots(fixture.db, { profileId: fixture.profileId })).toEqual([]);
  });

  it('takes the events, counts the window, and judges nothing while it runs', async () => {
    sessions(1);
    const { runJob, ran } = executor();
    const summary = await tick(fixture.ctx, { runJob });
    expect(summary).toMatchObject({ ingested: { events: 2 }, judged: [], waiting: [], reconciled: [] });
    expect(summary.windows).toMatchObject([{ experimentId: id, counts: { counted: 1 } }]);
    expect(getExperiment(fixture.db, id).liveSessionsObserved).toBe(1);
    expect(ran).toEqual([]);
  });

  it('runs no trials unless a person agreed to background work, and leaves the job to `work`', async () => {
    sessions(2);
    const { runJob, ran } = executor();
    const { waiting } = await tick(fixture.ctx, { runJob });
    expect(ran).toEqual([]);
    expect(listJobs(fixture.db, { profileId: fixture.profileId })).toMatchObject([{ kind: 'window', state: 'queued' }]);
    expect(waiting.join()).toContain(`experiment ${id} is full`);
    expect(waiting.join()).toContain('hermes -p dev karpathy work');
  });

  it('judges a full window by a job within the agreed hours', async () => {
    await applied({ background: { evaluate: true, hours: NOW } });
    sessions(2);
    const { runJob, ran } = executor();
    await tick(fixture.ctx, { runJob });
    const [job] = listJobs(fixture.db, { profileId: fixture.profileId });
    expect(job).toMatchObject({ kind: 'window', experimentId: id });
    expect(ran).toEqual([job?.id]);
  });

  it('waits outside the agreed hours', async () => {
    await applied({ background: { evaluate: true, hours: LATER } });
    sessions(2);
    const { runJob, ran } = executor();
    expect((await tick(fixture.ctx, { runJob })).waiting.join()).toContain(LATER);
    expect(ran).toEqual([]);
  });

  it('leaves a window alone that waits for budget: trying again at every turn would not lift it', async () => {
    await applied({ background: { evaluate: true } });
    sessions(2);
    const jobId = enqueue(fixture.ctx, { kind: 'window', experimentId: id });
    fixture.db.prepare("UPDATE jobs SET state = 'waiting', error = ?").run('{"code":"budget","message":"All spent."}');
    const { runJob, ran } = executor();
    expect((await tick(fixture.ctx, { runJob })).waiting.join()).toContain('All spent.');
    expect(ran).toEqual([]);
    expect(getJob(fixture.db, jobId).state).toBe('waiting');
  });

  it('goes on with work whose executor died, within what a person agreed to', async () => {
    await applied({ background: { evaluate: true } });
    const jobId = enqueue(fixture.ctx, { kind: 'evaluate', experimentId: id });
    const at = fixture.clock.now();
    takeLease(fixture.db, { id: jobId, owner: 'dead', now: at, expiresAt: at + 60_000 });
    const { runJob, ran } = executor();
    await tick(fixture.ctx, { runJob });
    expect(ran).toEqual([]);
    fixture.clock.advance(60_001);
    await tick(fixture.ctx, { runJob });
    expect(ran).toEqual([jobId]);
  });

  it('only says that work is queued where nobody agreed to work in the background', async () => {
    enqueue(fixture.ctx, { kind: 'run', experimentId: null });
    const { runJob, ran } = executor();
    expect((await tick(fixture.ctx, { runJob })).waiting.join()).toContain('Run `hermes -p dev karpathy work`');
    expect(ran).toEqual([]);
  });

  it('says why a window could not be judged, and goes on', async () => {
    await applied({ background: { evaluate: true } });
    sessions(2);
    const { runJob } = executor(new KarpathyError('busy', 'Another job is running.'));
    expect((await tick(fixture.ctx, { runJob })).waiting.join()).toContain('Another job is running.');
    expect(getExperiment(fixture.db, id).state).toBe('live');
  });

  it('reverts a hard fault at once when that was agreed to, without any trial', async () => {
    await applied({}, true);
    completedSession(fixture, { id: 'a', prompt: '[BLOCKED: SOUL.md contained x]\n\n.', startedAt: appliedAt + 1 });
    const { runJob, ran } = executor();
    expect((await tick(fixture.ctx, { runJob })).judged).toMatchObject([{ outcome: 'reverted' }]);
    expect(readFileSync(fixture.target, 'utf8')).toBe(DEFAULT_SOUL);
    expect(ran).toEqual([]);
    expect(existsSync(join(fixture.ctx.paths.liveMarkers, markerKey(fixture.home)))).toBe(false);
  });

  it('extends a window that ended with too few sessions, then leaves it to the person', async () => {
    fixture.clock.set(appliedAt + WINDOW);
    expect((await tick(fixture.ctx)).judged).toMatchObject([{ outcome: 'extended' }]);
    fixture.clock.advance(WINDOW);
    expect((await tick(fixture.ctx)).waiting.join()).toContain(`finish ${id}`);
    expect((await tick(fixture.ctx)).waiting.join()).toContain(`finish ${id}`);
    expect(getExperiment(fixture.db, id)).toMatchObject({ state: 'live', liveExtensions: 1 });
  });

  it("tells of a person's edit and touches nothing", async () => {
    writeFileSync(fixture.target, 'Mine.\n');
    expect((await tick(fixture.ctx)).waiting.join()).toContain(`resolve ${id}`);
    expect(readFileSync(fixture.target, 'utf8')).toBe('Mine.\n');
  });

  it('goes on counting and judging while the profile is paused', async () => {
    fixture.db.prepare("UPDATE profiles SET paused_at = 1, pause_reason = 'holiday'").run();
    sessions(1);
    expect((await tick(fixture.ctx)).windows).toMatchObject([{ counts: { counted: 1 } }]);
  });

  it('takes the events of other profiles too, and is content with a profile that is not set up', async () => {
    const bare = testContext({ initialised: false });
    writeSpool(bare, [hookEvent('/elsewhere')]);
    expect(await tick(bare.ctx)).toMatchObject({ ingested: { events: 1 }, windows: [], waiting: [] });
  });
});

describe('withinHours', () => {
  it.each([
    [null, 3, true],
    ['22-06', 22, true],
    ['22-06', 5, true],
    ['22-06', 6, false],
    ['22-06', 21, false],
    ['8-17', 8, true],
    ['8-17', 17, false],
    ['7-7', 3, true],
  ])('%s at %i is %s', (hours, at, within) => {
    expect(withinHours(hours, at)).toBe(within);
  });
});
