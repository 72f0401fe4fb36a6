import * as z from 'zod';
import { historyList, historyOf, type HistoryPage } from '../../services/historyView.js';
import { historyText, transitionsText } from '../../text/history.js';
import { command } from '../command.js';
import { experimentId, flag, wholeNumber } from '../inputs.js';

function isPastEnd({ experiments }: HistoryPage, before: number | undefined): boolean {
  return experiments.length === 0 && before !== undefined;
}

export const historyCommand = command({
  path: 'history',
  group: 'Look',
  summary: 'all experiments, or what happened to one of them and who decided',
  arguments: [{ name: '[id]', summary: 'number of the experiment' }],
  details: 'The list shows the newest 50 and says how to go on; as JSON, `before` is null at its end.',
  options: [
    { flags: '--limit <n>', summary: 'how many experiments, newest first (50)' },
    { flags: '--before <id>', summary: 'only experiments older than this one' },
    { flags: '--all', summary: 'every experiment' },
  ],
  examples: ['history', 'history 7', 'history --limit 5', 'history --before 951', '--json history --all'],
  input: z
    .object({ id: experimentId.optional(), limit: wholeNumber.optional(), before: experimentId.optional(), all: flag })
    .refine(({ all, limit }) => !all || limit === undefined, {
      path: ['all'],
      error: 'cannot go with --limit; give one of them',
    })
    .refine(({ id, limit, before, all }) => id === undefined || (limit === undefined && before === undefined && !all), {
      path: ['id'],
      error: 'shows one experiment; --limit, --before and --all are for the list',
    }),
  async run({ ctx }, { id, limit, before, all }) {
    if (id === undefined) {
      const page = historyList(ctx, {
        ...(all ? { limit: null } : limit === undefined ? {} : { limit }),
        ...(before === undefined ? {} : { before }),
      });
      return {
        data: { ...page },
        text: (look) => (isPastEnd(page, before) ? 'No older experiments.' : historyText(look, page)),
      };
    }
    const transitions = historyOf(ctx, id);
    return { data: { experiment: id, transitions }, text: (look) => transitionsText(look, id, transitions) };
  },
});
