import * as z from 'zod';
import { metricsView } from '../../services/recordsView.js';
import { metricsText } from '../../text/records.js';
import { command } from '../command.js';
import { wholeNumber } from '../inputs.js';

export const metricsCommand = command({
  path: 'metrics',
  group: 'Look',
  summary: 'sessions, errors, retries, tokens and cost by window, newest first',
  details: 'A figure without a source is shown as unknown, never as 0. `collect` takes a new one.',
  options: [{ flags: '--limit <n>', summary: 'how many windows (10)' }],
  examples: ['metrics', '--json metrics --limit 100'],
  input: z.object({ limit: wholeNumber.optional() }),
  async run({ ctx }, { limit }) {
    const snapshots = metricsView(ctx, { limit: limit ?? 10 });
    return { data: { snapshots }, text: (look) => metricsText(look, snapshots) };
  },
});
