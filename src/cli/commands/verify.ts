import * as z from 'zod';
import { enqueue } from '../../services/enqueue.js';
import { ownExperiment } from '../../services/ownExperiment.js';
import { startReverify } from '../../services/reverify.js';
import { requireFullWindow } from '../../services/verify.js';
import { whichExperiment } from '../../services/whichExperiment.js';
import { command } from '../command.js';
import { runInForeground } from '../foreground.js';
import { experimentId } from '../inputs.js';
import { standingAnswer } from '../outcome.js';

export const verifyCommand = command({
  path: 'verify',
  group: 'Improve',
  summary: 'judge a full live window by fresh trials against the text from before',
  details:
    'Ends in verified, in a revert if you agreed to that at the approval, or in a decision for you. A change that is verified already is tested again, under the model and scenarios of today; that reverts nothing by itself.',
  arguments: [{ name: '[id]', summary: 'number of the experiment; without it the one in flight' }],
  examples: ['verify', 'verify 7'],
  input: z.object({ id: experimentId.optional() }),
  async run(session, { id }) {
    const { ctx } = session;
    const experiment = ownExperiment(ctx, whichExperiment(ctx, id));
    if (experiment.state === 'verified') {
      await runInForeground(session, startReverify(ctx, experiment.id));
      return standingAnswer(ctx, experiment.id, { done: 'Evaluated again.' });
    }
    requireFullWindow(ctx, experiment);
    await runInForeground(session, enqueue(ctx, { kind: 'window', experimentId: experiment.id }));
    return standingAnswer(ctx, experiment.id, { done: 'Judged.' });
  },
});
