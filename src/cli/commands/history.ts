import * as z from 'zod';
import { historyList, historyOf } from '../../services/historyView.js';
import { historyText, transitionsText } from '../../text/history.js';
import { command } from '../command.js';
import { experimentId, wholeNumber } from '../inputs.js';

export const historyCommand = command({
  path: 'history',
  group: 'Look',
  summary: 'all experiments, or what happened to one of them and who decided',
  arguments: [{ name: '[id]', summary: 'number of the experiment' }],
  options: [{ flags: '--limit <n>', summary: 'how many experiments, newest first (50)' }],
  examples: ['history', 'history 7', 'history --limit 5'],
  input: z.object({ id: experimentId.optional(), limit: wholeNumber.optional() }),
  async run({ ctx }, { id, limit }) {
    if (id === undefined) {
      const experiments = historyList(ctx, limit === undefined ? {} : { limit });
      return { data: { experiments }, text: (look) => historyText(look, experiments) };
    }
    const transitions = historyOf(ctx, id);
    return { data: { experiment: id, transitions }, text: (look) => transitionsText(look, id, transitions) };
  },
});
