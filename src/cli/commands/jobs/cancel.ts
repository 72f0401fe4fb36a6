import * as z from 'zod';
import { cancelJob } from '#src/services/enqueue.js';
import { jobView } from '#src/services/status.js';
import { command } from '../../command.js';
import { wholeNumber } from '../../inputs.js';

export const jobsCancelCommand = command({
  path: 'jobs cancel',
  group: 'Run',
  summary: 'end a job; what it finished is kept',
  arguments: [{ name: '<job>', summary: 'number of the job' }],
  examples: ['jobs cancel 3'],
  input: z.object({ job: wholeNumber }),
  async run({ ctx }, { job }) {
    const after = jobView(cancelJob(ctx, job), ctx.clock.now());
    const text =
      after.state === 'cancelled'
        ? `Job ${job} is cancelled.`
        : `Job ${job} was asked to stop and does so within seconds.`;
    return { data: { job: after }, text: () => text };
  },
});
