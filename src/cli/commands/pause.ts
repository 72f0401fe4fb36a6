import * as z from 'zod';
import { pauseProfile } from '../../services/pause.js';
import { command } from '../command.js';
import { reason } from '../inputs.js';

export const pauseCommand = command({
  path: 'pause',
  group: 'Decide',
  summary: 'propose nothing by itself any more; counting, reverting and commands go on',
  options: [{ flags: '--reason <text>', summary: 'why' }],
  examples: ['pause', "pause --reason 'release week'"],
  input: z.object({ reason: reason.optional() }),
  async run({ ctx }, { reason: why }) {
    pauseProfile(ctx, why === undefined ? {} : { reason: why });
    return {
      data: { paused: true, reason: why ?? null },
      text: (look) => `${look.colors.green('✓')} Paused. \`hermes karpathy resume\` ends it.`,
    };
  },
});
