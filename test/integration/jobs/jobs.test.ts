import { describe, expect, it } from 'vitest';
import { KarpathyError } from '#src/errors.js';
import { cancelJob, enqueue } from '#src/services/enqueue.js';
import { pauseProfile, resumeProfile } from '#src/services/pause.js';
import { runLeased, takeBackExpired, type LeasedJob, type LeaseOptions, type Timers } from '#src/services/jobLease.js';
import { reserve } from '#src/services/budget.js';
import { immediate } from '#src/store/database.js';
import { listLedger } from '#src/store/costLedger.js';
import { findJob, listJobs } from '#src/store/jobs.js';
import { testContext, type TestContext } from '../../support/context.js';
import { proposed } from '../../support/experiments.js';

/** Beats when the test says so. */
function manualTimers(): Timers & { beat(): void; running(): number } {
  const callbacks = new Map<number, () => void>();
  let last = 0;
  return {
    setInterval: (callback) => {
      callbacks.set(++last, callback);
      return last;
    },
    clearInterval: (handle) => void callbacks.delete(handle as number),
    beat: () => callbacks.forEach((callback) => callback()),
    running: () => callbacks.size,
  };
}

async function failure(run: Promise<unknown>): Promise<KarpathyError> {
  const error = await run.then(
    () => new Error('did not fail'),
    (thrown: unknown) => thrown,
  );
  if (error instanceof KarpathyError) return error;
  throw error;
}

const run = (
  fixture: TestContext,
  jobId: number,
  options: LeaseOptions & { handler: Parameters<typeof runLeased>[2]['handler'] },
) => runLeased(fixture.ctx, jobId, options);
const queue = (fixture: TestContext) => enqueue(fixture.ctx, { kind: 'run', experimentId: null });
const stateOf = (fixture: TestContext, id: number) => findJob(fixture.db, id)?.state;

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}

describe('a job', () => {
  it('is recorded once while it is open', () => {
    const fixture = testContext();
    const id = queue(fixture);
    expect(queue(fixture)).toBe(id);
    expect(listJobs(fixture.db, { profileId: fixture.profileId, open: true })).toMatchObject([
      { id, kind: 'run', state: 'queued', requestedBy: 'person@cli', fencingToken: 0 },
    ]);
  });

  it('runs under a lease and ends finished, its heartbeat stopped', async () => {
    const fixture = testContext();
    const timers = manualTimers();
    const id = queue(fixture);
    const seen: unknown[] = [];
    const row = await run(fixture, id, {
      owner: 'a',
      timers,
      handler: async (_, { job, fence }) => {
        fence();
        seen.push([job.state, job.leaseOwner, job.fencingToken, timers.running()]);
      },
    });
    expect(seen).toEqual([['running', 'a', 1, 1]]);
    expect(row).toMatchObject({ state: 'finished', error: null, leaseExpiresAt: null });
    expect(timers.running()).toBe(0);
    expect(await failure(run(fixture, id, { handler: async () => undefined }))).toMatchObject({ code: 'wrong_state' });
  });

  it('runs alone in its profile', async () => {
    const fixture = testContext();
    const first = queue(fixture);
    const error = await (async () => {
      let inner: KarpathyError | null = null;
      await run(fixture, first, {
        handler: async () => {
          inner = await failure(run(fixture, first, { owner: 'b', handler: async () => undefined }));
        },
      });
      return inner as KarpathyError | null;
    })();
    expect(error).toMatchObject({ code: 'busy' });
    expect(stateOf(fixture, first)).toBe('finished');
  });

  it('keeps its lease by its heartbeat', async () => {
    const fixture = testContext();
    const timers = manualTimers();
    const id = queue(fixture);
    await run(fixture, id, {
      timers,
      ttlMs: 60_000,
      handler: async () => {
        for (let i = 0; i < 5; i += 1) {
          fixture.clock.advance(50_000);
          timers.beat();
        }
        const error = await failure(run(fixture, id, { owner: 'b', handler: async () => undefined }));
        expect(error).toMatchObject({ code: 'busy' });
      },
    });
  });

  it('is taken over when its lease has run out, and the old holder can write nothing more', async () => {
    const fixture = testContext({ config: { budget: { tokens: 1000 } } });
    const id = queue(fixture);
    const second = deferred();
    let written = false;
    const old = run(fixture, id, {
      owner: 'a',
      timers: manualTimers(),
      handler: async (ctx, { fence }) => {
        reserve(ctx, { experimentId: null, purpose: 'trial', model: null, tokens: 900, usd: null, owner: 'a' });
        fixture.clock.advance(60_001);
        await run(fixture, id, { owner: 'b', handler: async () => second.resolve() });
        await second.promise;
        immediate(ctx.db, () => {
          fence();
          written = true;
        });
      },
    });
    expect(await failure(old)).toMatchObject({ code: 'busy' });
    expect(written).toBe(false);
    expect(findJob(fixture.db, id)).toMatchObject({ state: 'finished', leaseOwner: 'b' });
    expect(listLedger(fixture.db, { profileId: fixture.profileId, experimentId: null })).toMatchObject([
      { state: 'settled' },
    ]);
  });

  it('stops a holder that finds at its heartbeat that the job is lost', async () => {
    const fixture = testContext();
    const timers = manualTimers();
    const id = queue(fixture);
    const error = await failure(
      run(fixture, id, {
        owner: 'a',
        timers,
        handler: async (ctx) => {
          fixture.clock.advance(60_001);
          await run(fixture, id, { owner: 'b', timers: manualTimers(), handler: async () => undefined });
          timers.beat();
          ctx.signal.throwIfAborted();
        },
      }),
    );
    expect(error).toMatchObject({ code: 'busy' });
    expect(error.message).toContain('taken over');
  });

  it('goes back to the queue when it is interrupted, and can be resumed', async () => {
    const stop = new AbortController();
    const fixture = testContext({ context: { signal: stop.signal } });
    const id = queue(fixture);
    const error = await failure(
      run(fixture, id, {
        handler: async (ctx) => {
          stop.abort();
          ctx.signal.throwIfAborted();
        },
      }),
    );
    expect(error).toMatchObject({ code: 'interrupted', exitCode: 130 });
    expect(findJob(fixture.db, id)).toMatchObject({ state: 'queued', error: null });
    const again = { ...fixture, ctx: { ...fixture.ctx, signal: new AbortController().signal } };
    await run(again, id, { handler: async () => undefined });
    expect(stateOf(fixture, id)).toBe('finished');
  });

  it('records why it failed', async () => {
    const fixture = testContext();
    const id = queue(fixture);
    const thrown = new KarpathyError('host_failed', 'Hermes is gone.', { hint: 'Install it.' });
    expect(await failure(run(fixture, id, { handler: () => Promise.reject(thrown) }))).toBe(thrown);
    expect(findJob(fixture.db, id)).toMatchObject({
      state: 'failed',
      error: { code: 'host_failed', message: 'Hermes is gone.', hint: 'Install it.' },
    });
  });

  it.each(['budget', 'model_limit', 'outage'] as const)(
    'waits for a person after %s, and goes on when asked',
    async (code) => {
      const fixture = testContext();
      const id = queue(fixture);
      await failure(run(fixture, id, { handler: () => Promise.reject(new KarpathyError(code, 'no more')) }));
      expect(findJob(fixture.db, id)).toMatchObject({ state: 'waiting', error: { code } });
      expect(queue(fixture)).toBe(id);
      await run(fixture, id, { handler: async () => undefined });
      expect(findJob(fixture.db, id)).toMatchObject({ state: 'finished', error: null });
    },
  );

  it('ends at once when it is cancelled in the queue', () => {
    const fixture = testContext();
    const id = queue(fixture);
    expect(cancelJob(fixture.ctx, id)).toMatchObject({ state: 'cancelled' });
    expect(() => cancelJob(fixture.ctx, id)).toThrow(/is cancelled/);
  });

  it('ends at its next heartbeat when it is cancelled at work', async () => {
    const fixture = testContext();
    const timers = manualTimers();
    const id = queue(fixture);
    const error = await failure(
      run(fixture, id, {
        timers,
        handler: async (ctx) => {
          expect(cancelJob(ctx, id).state).toBe('running');
          timers.beat();
          ctx.signal.throwIfAborted();
        },
      }),
    );
    expect(error.message).toContain('cancelled');
    expect(stateOf(fixture, id)).toBe('cancelled');
  });

  it('is stopped by a pause, waits, and is in the queue again when the pause is over', async () => {
    const fixture = testContext();
    const timers = manualTimers();
    const id = queue(fixture);
    const paused = await failure(
      run(fixture, id, {
        timers,
        handler: async (ctx) => {
          expect(pauseProfile(fixture.ctx)).toMatchObject({ stoppedJob: id });
          timers.beat();
          ctx.signal.throwIfAborted();
        },
      }),
    );
    expect(paused).toMatchObject({ code: 'paused', hint: expect.stringContaining('resume') as string });
    expect(findJob(fixture.db, id)).toMatchObject({ state: 'waiting', error: { code: 'paused' } });
    // A person may ask for it all the same.
    await run(fixture, id, {
      timers,
      handler: async (ctx) => {
        timers.beat();
        expect(ctx.signal.aborted).toBe(false);
        pauseProfile(fixture.ctx);
        timers.beat();
        ctx.signal.throwIfAborted();
      },
    }).catch(() => null);
    expect(stateOf(fixture, id)).toBe('waiting');
    expect(resumeProfile(fixture.ctx)).toMatchObject({ pausedAt: null, queuedJobs: [id] });
    expect(findJob(fixture.db, id)).toMatchObject({ state: 'queued', error: null });
  });

  it('is in the queue again when an outage is over and a person resumes, but for a window’s, which is tried again', async () => {
    const fixture = testContext();
    const outage = () => Promise.reject(new KarpathyError('outage', 'All were lost.', { hint: 'Check the network.' }));
    const id = queue(fixture);
    expect((await failure(run(fixture, id, { handler: outage }))).hint).toContain(
      'Check the network. When it is mended, `hermes karpathy resume`',
    );
    expect(resumeProfile(fixture.ctx).queuedJobs).toEqual([id]);
    expect(findJob(fixture.db, id)).toMatchObject({ state: 'queued', error: null });
    const window = enqueue(fixture.ctx, { kind: 'window', experimentId: proposed(fixture) });
    await failure(run(fixture, window, { handler: outage }));
    expect(stateOf(fixture, window)).toBe('failed');
  });

  it('waits when its executor died before it saw the pause', async () => {
    const fixture = testContext();
    const id = queue(fixture);
    const stuck = deferred();
    const old = run(fixture, id, { owner: 'a', timers: manualTimers(), handler: () => stuck.promise });
    pauseProfile(fixture.ctx);
    fixture.clock.advance(60_001);
    takeBackExpired(fixture.ctx, { profileId: 1, owner: 'b' });
    expect(stateOf(fixture, id)).toBe('waiting');
    resumeProfile(fixture.ctx);
    expect(stateOf(fixture, id)).toBe('queued');
    stuck.resolve();
    await failure(old);
  });

  it('shows its progress in its row', async () => {
    const fixture = testContext();
    const id = queue(fixture);
    const update = { phase: 'holdout', done: 1, total: 4, costUsd: null, tokens: 50, etaMs: 1000 };
    const handler = async (ctx: typeof fixture.ctx, _: LeasedJob) => {
      ctx.onProgress(update);
      ctx.onProgress({ ...update, done: 2 });
      expect(findJob(fixture.db, id)?.progress).toMatchObject({ phase: 'holdout', done: 1 });
      fixture.clock.advance(1000);
      ctx.onProgress({ ...update, done: 3 });
    };
    await run(fixture, id, { handler });
    expect(findJob(fixture.db, id)?.progress).toMatchObject({ phase: 'holdout', done: 3, tokens: 50 });
  });

  it('of another profile does not wait', async () => {
    const fixture = testContext();
    const other = testContext({ root: fixture.root, profile: 'other', soul: 'Be kind.\n' });
    const [a, b] = [queue(fixture), queue(other)];
    await run(fixture, a, {
      handler: async () => void (await run(other, b, { owner: 'b', handler: async () => undefined })),
    });
    expect([stateOf(fixture, a), stateOf(fixture, b)]).toEqual(['finished', 'finished']);
  });
});
