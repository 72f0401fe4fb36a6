import * as z from 'zod';
import { pauseProfile } from '../../services/pause.js';
import { command } from '../command.js';
import { reason } from '../inputs.js';

export const pauseCommand = command({
  path: 'pause',
  group: 'Decide',
  summary: 'stop what runs and propose nothing by itself any more; counting, reverting and commands go on',
  options: [{ flags: '--reason <text>', summary: 'why' }],
  examples: ['pause', "pause --reason 'release week'"],
  input: z.object({ reason: reason.optional() }),
  async run({ ctx }, { reason: why }) {
    const { stoppedJob } = pauseProfile(ctx, why === undefined ? {} : { reason: why });
    const stops = stoppedJob === null ? '' : ` Job ${stoppedJob} stops now and waits; what is finished is kept.`;
    return {
      data: { paused: true, reason: why ?? null, stopped_job: stoppedJob },
      text: (look) => `${look.colors.green('✓')} Paused.${stops} \`hermes karpathy resume\` ends it.`,
    };
  },
});
