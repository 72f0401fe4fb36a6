import * as z from 'zod';
import { tick } from '../../services/tick.js';
import { command } from '../command.js';

export const tickCommand = command({
  path: 'tick',
  group: 'Run',
  surface: 'tick',
  summary: 'what a hook starts by itself: count sessions, look after the live window; seldom needed by hand',
  examples: ['tick'],
  bare: true,
  input: z.object({}),
  async run({ ctx }) {
    const summary = await tick(ctx);
    return { data: { summary }, text: () => 'Counted.' };
  },
});
