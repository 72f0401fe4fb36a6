import * as z from 'zod';
import { preflight } from '../../services/preflight.js';
import { preflightText } from '../../text/preflight.js';
import { command } from '../command.js';
import { experimentId, flag, wholeNumber } from '../inputs.js';

export const preflightCommand = command({
  path: 'preflight',
  group: 'Improve',
  summary: 'what a test could find and what it would take, before anything is spent',
  details:
    'For the suite as it is: the smallest gain it can find, trials, calls, tokens, price and time (expected and at most), what makes it cheaper, and what differs from the live agent. Nothing is run or called. Exit code 3 when a test would be refused.',
  arguments: [{ name: '[id]', summary: 'an experiment; without one it is about the next edit' }],
  options: [
    { flags: '--effect <points>', summary: 'the gain to be found; default gate.wanted_effect' },
    { flags: '--deletion', summary: 'of an edit that only removes a sentence' },
  ],
  examples: ['preflight', 'preflight --effect 10', 'preflight 7', '--json preflight'],
  input: z.object({
    id: experimentId.optional(),
    effect: wholeNumber
      .refine((points) => points >= 1 && points <= 100, { error: 'must be 1 to 100 points' })
      .optional(),
    deletion: flag,
  }),
  async run({ ctx }, { id, effect, deletion }) {
    const view = await preflight(ctx, {
      ...(id === undefined ? {} : { experimentId: id }),
      ...(effect === undefined ? {} : { wantedPoints: effect }),
      ...(deletion ? { kind: 'deletion' as const } : {}),
    });
    return {
      data: view,
      text: (look) => preflightText(look, view, ctx.clock.now()),
      ...(view.power.refusal === null ? {} : { exitCode: 3 as const }),
    };
  },
});
