import { z } from 'zod';
import { status } from '../../services/status.js';
import { work } from '../../services/work.js';
import { statusText } from '../../text/status.js';
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
    const view = status(ctx);
    return { data: { summary, status: view }, text: (look) => statusText(look, view, ctx.clock.now()) };
  },
});
