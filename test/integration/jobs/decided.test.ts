import { describe, expect, it } from 'vitest';
import { evaluationJob } from '#src/services/evaluationJob.js';
import { revertExperiment } from '#src/services/revert.js';
import { startReverify } from '#src/services/reverify.js';
import { tick } from '#src/services/tick.js';
import { verifyExperiment } from '#src/services/verify.js';
import { enqueue, runJobNow } from '#src/services/work.js';
import { baselinesOf } from '#src/store/baselines.js';
import { getExperiment } from '#src/store/experiments.js';
import { getJob } from '#src/store/jobs.js';
import { testContext, type TestContext } from '../../support/context.js';
import { CONFIRMED, judged, liveWithFullWindow } from '../../support/experiments.js';

it('a job whose executor died between the verdict and the end of the job is done, and the verdict stands', async () => {
  const fixture = testContext();
  const id = await judged(fixture, 'keep');
  for (const kind of ['evaluate', 'propose'] as const) {
    const jobId = enqueue(fixture.ctx, { kind, experimentId: id });
    await runJobNow(fixture.ctx, jobId);
    expect(getJob(fixture.db, jobId)).toMatchObject({ state: 'finished', error: null });
  }
  expect(getExperiment(fixture.db, id)).toMatchObject({ state: 'proposed', verdict: 'keep' });
});

describe('the job of a live window whose executor died after its verdict', () => {
  const jobOf = (fixture: TestContext, experimentId: number) => enqueue(fixture.ctx, { kind: 'window', experimentId });

  it('is done when the text was verified: nothing is tried again', async () => {
    const fixture = testContext();
    const id = await liveWithFullWindow(fixture);
    const jobId = jobOf(fixture, id);
    fixture.clock.advance(1);
    await verifyExperiment(fixture.ctx, id, { evidence: CONFIRMED });
    expect(await runJobNow(fixture.ctx, jobId)).toMatchObject({ state: 'finished', error: null });
    expect(baselinesOf(fixture.db, fixture.profileId)).toHaveLength(1);
  });

  it('is done when the text was reverted', async () => {
    const fixture = testContext();
    const id = await liveWithFullWindow(fixture, { autoRevert: true });
    const jobId = jobOf(fixture, id);
    await revertExperiment(fixture.ctx, id, { reason: 'harm', actor: 'ratchet' });
    expect(await runJobNow(fixture.ctx, jobId)).toMatchObject({ state: 'finished', error: null });
  });

  it('is ended by the next wake-up, though no window is live and no trial may run', async () => {
    const fixture = testContext();
    const id = await liveWithFullWindow(fixture);
    const jobId = jobOf(fixture, id);
    fixture.clock.advance(1);
    await verifyExperiment(fixture.ctx, id, { evidence: CONFIRMED });
    expect((await tick(fixture.ctx)).waiting).toEqual([]);
    expect(getJob(fixture.db, jobId).state).toBe('finished');
  });

  it('is not done when a person asks about a verified text again', async () => {
    const fixture = testContext();
    const id = await liveWithFullWindow(fixture);
    await verifyExperiment(fixture.ctx, id, { evidence: CONFIRMED });
    fixture.clock.advance(1);
    // It wants trials, and there is no Hermes to run them with.
    await expect(runJobNow(fixture.ctx, startReverify(fixture.ctx, id))).rejects.toMatchObject({ code: 'host_failed' });
  });
});

it('a person who asks for another test of what is decided is told so', async () => {
  const fixture = testContext();
  const experiment = getExperiment(fixture.db, await judged(fixture, 'keep'));
  expect(() => evaluationJob(fixture.ctx, experiment, { underpowered: false })).toThrow(/was evaluated already: keep/);
});
