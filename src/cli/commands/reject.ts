import * as z from 'zod';
import { ownExperiment } from '../../services/ownExperiment.js';
import { reject } from '../../services/reject.js';
import { command } from '../command.js';
import { experimentId, reason } from '../inputs.js';
import { outcome } from '../outcome.js';

export const rejectCommand = command({
  path: 'reject',
  group: 'Decide',
  summary: 'end a proposed or approved change; the file is not touched',
  arguments: [{ name: '<id>', summary: 'number of the experiment' }],
  options: [{ flags: '--reason <text>', summary: 'why; it stays on record' }],
  examples: ["reject 7 --reason 'too stiff'"],
  input: z.object({ id: experimentId, reason }),
  async run({ ctx }, { id, reason: why }) {
    ownExperiment(ctx, id);
    await reject(ctx, id, { reason: why });
    return outcome(ctx, id, `Experiment ${id} is rejected.`);
  },
});
