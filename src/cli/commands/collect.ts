import * as z from 'zod';
import { collectMetrics } from '../../services/collect.js';
import { metricsView } from '../../services/recordsView.js';
import { metricsText } from '../../text/records.js';
import { command } from '../command.js';

export const collectCommand = command({
  path: 'collect',
  group: 'Run',
  summary: "read the host's log and state.db from where the last collection ended",
  details: 'Running it twice counts nothing twice.',
  examples: ['collect'],
  input: z.object({}),
  async run({ ctx }) {
    collectMetrics(ctx);
    const snapshots = metricsView(ctx, { limit: 3 });
    return { data: { snapshots }, text: (look) => metricsText(look, snapshots) };
  },
});
