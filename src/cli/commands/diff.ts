import * as z from 'zod';
import { diffView } from '../../services/diffView.js';
import { ownExperiment } from '../../services/ownExperiment.js';
import { whichExperiment } from '../../services/whichExperiment.js';
import { diffText } from '../../text/diff.js';
import { command } from '../command.js';
import { experimentId } from '../inputs.js';

export const diffCommand = command({
  path: 'diff',
  group: 'Look',
  summary: 'the change, by words and by lines',
  arguments: [{ name: '[id]', summary: 'number of the experiment; without it the one in flight' }],
  examples: ['diff', 'diff 7'],
  input: z.object({ id: experimentId.optional() }),
  async run({ ctx }, { id }) {
    const view = diffView(ownExperiment(ctx, whichExperiment(ctx, id)));
    return { data: view, text: (look) => diffText(look, view) };
  },
});
