import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { clearSlots } from '#src/evaluation/orphans.js';
import { slotKey } from '#src/evaluation/slot.js';
import { reserve } from '#src/services/budget.js';
import { enqueue } from '#src/services/enqueue.js';
import { runLeased } from '#src/services/jobLease.js';
import { jobsView } from '#src/services/jobsView.js';
import { reject } from '#src/services/reject.js';
import { status } from '#src/services/status.js';
import { tick } from '#src/services/tick.js';
import { listLedger } from '#src/store/costLedger.js';
import { openDatabase, SCHEMA_VERSION } from '#src/store/database.js';
import { getJob, listJobs, takeLease } from '#src/store/jobs.js';
import { temporaryDirectory, testContext, type TestContext } from '../../support/context.js';
import { liveWithFullWindow, proposed } from '../../support/experiments.js';
import { completedSession, promptWith } from '../../support/observed.js';

const MINUTE = 60_000;
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** A job that an executor took and then died, with money it had reserved. */
function takenByTheDead(fixture: TestContext): { experimentId: number; jobId: number } {
  const experimentId = proposed(fixture);
  const jobId = enqueue(fixture.ctx, { kind: 'evaluate', experimentId });
  const now = fixture.clock.now();
  takeLease(fixture.db, { id: jobId, owner: 'dead', now, expiresAt: now + MINUTE });
  reserve(fixture.ctx, { experimentId, purpose: 'trial', model: 'm', tokens: 500, usd: null, owner: 'dead' });
  return { experimentId, jobId };
}

describe('an experiment that is rejected while its executor is dead', () => {
  it('shows its job as stopping at first, and as gone after two missed beats, not when the lease ends', async () => {
    const fixture = testContext();
    const { experimentId } = takenByTheDead(fixture);
    await reject(fixture.ctx, experimentId, { reason: 'no' });
    expect(jobsView(fixture.ctx, { all: false })).toMatchObject([{ state: 'stopping' }]);
    fixture.clock.advance(25_000);
    expect((await status(fixture.ctx)).job).toBeNull();
    expect(jobsView(fixture.ctx, { all: true })).toMatchObject([{ state: 'cancelled' }]);
  });

  it('frees the place for the next job then', async () => {
    const fixture = testContext();
    const { experimentId, jobId } = takenByTheDead(fixture);
    await reject(fixture.ctx, experimentId, { reason: 'no' });
    fixture.clock.advance(25_000);
    const next = enqueue(fixture.ctx, { kind: 'evaluate', experimentId: proposed(fixture) });
    await runLeased(fixture.ctx, next, { handler: async () => undefined });
    expect([getJob(fixture.db, jobId).state, getJob(fixture.db, next).state]).toEqual(['cancelled', 'finished']);
  });

  it('ends it at once when it has been silent that long already, and books what it may have spent', async () => {
    const fixture = testContext();
    const { experimentId, jobId } = takenByTheDead(fixture);
    fixture.clock.advance(25_000);
    await reject(fixture.ctx, experimentId, { reason: 'no' });
    expect(getJob(fixture.db, jobId)).toMatchObject({ state: 'cancelled', leaseExpiresAt: null });
    expect(listLedger(fixture.db, { profileId: fixture.profileId, experimentId })).toMatchObject([
      { state: 'settled', settledTokens: 500 },
    ]);
  });

  it('is shown as queued, not running, when nobody told it to stop and its lease has run out', () => {
    const fixture = testContext();
    takenByTheDead(fixture);
    expect(jobsView(fixture.ctx, { all: false })).toMatchObject([{ state: 'running' }]);
    fixture.clock.advance(MINUTE);
    expect(jobsView(fixture.ctx, { all: false })).toMatchObject([{ state: 'queued' }]);
  });
});

describe('an executor that meets a newer schema', () => {
  it('stops at its next beat and writes nothing more', async () => {
    const fixture = testContext();
    const jobId = enqueue(fixture.ctx, { kind: 'run', experimentId: null });
    let beat: () => void = () => undefined;
    const timers = { setInterval: (callback: () => void) => void (beat = callback), clearInterval: () => undefined };
    const run = runLeased(fixture.ctx, jobId, {
      timers,
      handler: async (ctx) => {
        const newer = openDatabase(fixture.ctx.paths.dbPath);
        newer.pragma(`user_version = ${SCHEMA_VERSION + 1}`);
        newer.close();
        const stopped = once(ctx.signal, 'abort');
        beat();
        await stopped;
        ctx.signal.throwIfAborted();
      },
    });
    await expect(run).rejects.toMatchObject({ code: 'db_newer' });
    fixture.db.pragma(`user_version = ${SCHEMA_VERSION}`);
    expect(getJob(fixture.db, jobId).state).toBe('running');
  });
});

describe('what a dead executor left running', () => {
  const slots = temporaryDirectory();
  const home = '/some/profiles/dev';
  const slotOf = (profile: string): string => {
    const path = join(slots, `${slotKey(profile)}-1`, 'profiles', 'dev');
    mkdirSync(path, { recursive: true });
    return path;
  };
  const start = async (env: Record<string, string>): Promise<ChildProcess> => {
    const child = spawn('sleep', ['600'], { env: { PATH: process.env.PATH, ...env }, detached: true, stdio: 'ignore' });
    children.push(child);
    await once(child, 'spawn');
    return child;
  };
  const lives = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null;

  it('is ended with its slot wiped, and nothing else is', async () => {
    const mine = { HERMES_HOME: slotOf(home), KARPATHY_TRIAL: '1' };
    const trial = await start(mine);
    const tool = await start({ ...mine, SHELL: '/bin/sh' });
    const others = [
      await start({ HERMES_HOME: slotOf('/other/profiles/dev'), KARPATHY_TRIAL: '1' }),
      await start({ HERMES_HOME: mine.HERMES_HOME }),
      await start({ HERMES_HOME: home, KARPATHY_TRIAL: '1' }),
      await start({ NOTE: `HERMES_HOME=${mine.HERMES_HOME}`, KARPATHY_TRIAL: '1' }),
    ];
    const gone = Promise.all([once(trial, 'exit'), once(tool, 'exit')]);
    expect(clearSlots(slots, home)).toBe(2);
    await gone;
    expect(others.map(lives)).toEqual([true, true, true, true]);
    expect(existsSync(join(slots, `${slotKey(home)}-1`))).toBe(false);
    expect(existsSync(join(slots, `${slotKey('/other/profiles/dev')}-1`))).toBe(true);
  });

  it('is ended before the next executor begins', async () => {
    const fixture = testContext();
    const slot = join(fixture.ctx.paths.slotsDir, `${slotKey(fixture.ctx.profile.home)}-1`, 'profiles', 'dev');
    mkdirSync(slot, { recursive: true });
    const trial = await start({ HERMES_HOME: slot, KARPATHY_TRIAL: '1' });
    const gone = once(trial, 'exit');
    const jobId = enqueue(fixture.ctx, { kind: 'run', experimentId: null });
    await runLeased(fixture.ctx, jobId, { handler: async () => expect(existsSync(slot)).toBe(false) });
    await gone;
  });
});

describe('a live window that cannot be judged', () => {
  const full = async () => {
    const fixture = testContext({ config: { background: { evaluate: true }, live: { sessions: 1 } } });
    const id = await liveWithFullWindow(fixture);
    fixture.clock.advance(1);
    const prompt = promptWith(
      'You are a careful assistant.\n\nAnswer briefly. Ask before you delete anything.\nGive the reason first.\n',
    );
    for (let index = 0; index < 10; index++) {
      completedSession(fixture, { id: `s${index}`, prompt, startedAt: fixture.clock.now() });
    }
    return { fixture, id, jobs: () => listJobs(fixture.db, { profileId: fixture.profileId }) };
  };

  it('is tried again by the background after 15 minutes, then 30, and not at every turn', async () => {
    const { fixture, jobs } = await full();
    // There is no Hermes to run trials with.
    await tick(fixture.ctx);
    expect(jobs()).toMatchObject([{ state: 'failed', error: { code: 'host_failed' } }]);
    const waits: number[] = [];
    for (let minute = 1; minute <= 60; minute++) {
      fixture.clock.advance(MINUTE);
      const before = jobs().length;
      await tick(fixture.ctx);
      if (jobs().length > before) waits.push(minute);
    }
    expect(waits).toEqual([15, 45]);
  });

  it('says so in tick and status, with the reason and the time', async () => {
    const { fixture, id } = await full();
    await tick(fixture.ctx);
    fixture.clock.advance(MINUTE);
    const { waiting } = await tick(fixture.ctx);
    expect(waiting[0]).toMatch(
      new RegExp(`Judging the live window of experiment ${id} failed: .*Hermes.* again after 2026-01-05 12:15 UTC`),
    );
    expect((await status(fixture.ctx)).next).toMatchObject({
      say: waiting[0],
      commands: [`verify ${id}`, expect.any(String)],
    });
  });
});
