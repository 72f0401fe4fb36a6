import * as z from 'zod';
import { ownExperiment } from '../../services/ownExperiment.js';
import { requireRevertable, revertExperiment } from '../../services/revert.js';
import { agree } from '../agree.js';
import { command } from '../command.js';
import { experimentId, flag, reason } from '../inputs.js';
import { outcome } from '../outcome.js';
import { preview } from '../preview.js';

export const revertCommand = command({
  path: 'revert',
  group: 'Decide',
  summary: 'put the exact bytes from before a change back',
  details: 'Refused when the file no longer is what was applied: a person edited it, and `resolve` decides.',
  arguments: [{ name: '<id>', summary: 'number of the experiment' }],
  options: [
    { flags: '--reason <text>', summary: 'why; it stays on record' },
    { flags: '--yes', summary: 'do not ask on the terminal' },
  ],
  examples: ["revert 7 --reason 'users found it rude'"],
  withoutTerminal: 'Add --yes to skip the question.',
  input: z.object({ id: experimentId, reason, yes: flag }),
  async run(session, { id, reason: why, yes }) {
    const { ctx } = session;
    const experiment = ownExperiment(ctx, id);
    const { targetRelpath } = experiment;
    await agree(session, {
      what: 'reverting a change',
      possible: () => requireRevertable(experiment, false),
      question: `Put ${targetRelpath} back as it was before experiment ${id}?`,
      preview: await preview(session, id, `${targetRelpath} gets its prior bytes back`),
      yes,
    });
    await revertExperiment(ctx, id, { reason: why });
    return outcome(ctx, id, `Reverted: ${targetRelpath} has its prior bytes back.`);
  },
});
