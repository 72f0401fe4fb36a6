import { z } from 'zod';
import { enqueue } from '../../services/enqueue.js';
import { whichExperiment } from '../../services/whichExperiment.js';
import { command } from '../command.js';
import { runInForeground } from '../foreground.js';
import { experimentId } from '../inputs.js';
import { standingAnswer } from '../outcome.js';

export const evaluateCommand = command({
  path: 'evaluate',
  group: 'Improve',
  summary: 'test a proposed change in the real Hermes; an interrupted test goes on where it stopped',
  arguments: [{ name: '[id]', summary: 'number of the experiment; without it the one in flight' }],
  examples: ['evaluate', 'evaluate 7'],
  input: z.object({ id: experimentId.optional() }),
  async run(session, { id }) {
    const { ctx } = session;
    const experiment = whichExperiment(ctx, id);
    await runInForeground(session, enqueue(ctx, { kind: 'evaluate', experimentId: experiment }));
    return standingAnswer(ctx, experiment, 'Evaluated.');
  },
});
