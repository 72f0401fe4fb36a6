import * as z from 'zod';
import { jobsView } from '#src/services/jobsView.js';
import { jobsText } from '#src/text/jobs.js';
import { command } from '../../command.js';
import { flag } from '../../inputs.js';

export const jobsListCommand = command({
  path: 'jobs list',
  group: 'Run',
  summary: 'long work that is queued, running or waiting',
  isDefault: true,
  options: [{ flags: '--all', summary: 'also what has ended' }],
  examples: ['jobs', 'jobs list --all'],
  input: z.object({ all: flag }),
  async run({ ctx }, { all }) {
    const jobs = jobsView(ctx, { all });
    return { data: { jobs }, text: (look) => jobsText(look, jobs) };
  },
});
