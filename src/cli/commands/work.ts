import * as z from 'zod';
import { status } from '../../services/status.js';
import { work } from '../../services/work.js';
import { statusText } from '../../text/status.js';
import { workText } from '../../text/work.js';
import { command } from '../command.js';

export const workCommand = command({
  path: 'work',
  group: 'Run',
  surface: 'work',
  summary: 'do the queued work of this profile, and go on with what was interrupted',
  examples: ['work'],
  input: z.object({}),
  async run({ ctx }) {
    const summary = await work(ctx);
    const view = await status(ctx);
    return {
      data: { summary, status: view },
      text: (look) => `${workText(look, summary)}\n\n${statusText(look, view, ctx.clock.now())}`,
      exitCode: summary.ran.some((job) => job.error !== null) ? 1 : 0,
    };
  },
});
