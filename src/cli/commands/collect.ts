import * as z from 'zod';
import { collectMetrics } from '../../services/collect.js';
import { metricsByDay } from '../../services/metricsSeries.js';
import { daysText } from '../../text/metrics.js';
import { command } from '../command.js';

export const collectCommand = command({
  path: 'collect',
  group: 'Run',
  summary: "read the host's log and state.db from where the last collection ended",
  details: 'Running it twice counts nothing twice.',
  examples: ['collect'],
  input: z.object({}),
  async run({ ctx }) {
    const { snapshots } = collectMetrics(ctx);
    const days = metricsByDay(ctx, { since: null, limit: 7 });
    return { data: { snapshots }, text: (look) => daysText(look, days) };
  },
});
