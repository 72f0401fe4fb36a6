import * as z from 'zod';
import { status } from '../../services/status.js';
import { statusText } from '../../text/status.js';
import { command } from '../command.js';

export const statusCommand = command({
  path: 'status',
  group: 'Look',
  summary: 'where the profile stands, and what to do next',
  examples: ['status', '--json status'],
  input: z.object({}),
  async run({ ctx }) {
    const view = await status(ctx);
    return { data: view, text: (look) => statusText(look, view, ctx.clock.now()) };
  },
});
