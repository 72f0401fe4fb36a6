import { expect, it } from 'vitest';
import { evaluationJob } from '#src/services/evaluationJob.js';
import { enqueue, runJobNow } from '#src/services/work.js';
import { getExperiment } from '#src/store/experiments.js';
import { getJob } from '#src/store/jobs.js';
import { testContext } from '../../support/context.js';
import { judged } from '../../support/experiments.js';

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

it('a person who asks for another test of what is decided is told so', async () => {
  const fixture = testContext();
  const experiment = getExperiment(fixture.db, await judged(fixture, 'keep'));
  expect(() => evaluationJob(fixture.ctx, experiment, { underpowered: false })).toThrow(/was evaluated already: keep/);
});
