import * as z from 'zod';
import { metricsByContent, metricsByDay, metricsByExperiment, type SeriesQuery } from '../../services/metricsSeries.js';
import { contentsCsv, contentsText, daysText, experimentsText, snapshotsCsv } from '../../text/metrics.js';
import { command, type Answer, type Session } from '../command.js';
import { flag, since, wholeNumber } from '../inputs.js';

export const metricsCommand = command({
  path: 'metrics',
  group: 'Look',
  summary: 'sessions, failed turns, errors, retries, tokens and cost as a series',
  details:
    'By day (UTC), by experiment (before, live and after), or by the text that the sessions carried; by when they started. ' +
    'A figure without a source is shown as -, never as 0. `collect` takes new ones.',
  options: [
    { flags: '--by <what>', summary: 'day, experiment or content (day)' },
    { flags: '--since <when>', summary: 'a day as 2026-05-01, or how long ago: 12h, 30d, 8w' },
    { flags: '--limit <n>', summary: 'how many, newest first (30)' },
    { flags: '--csv', summary: 'every figure as a table for another program (RFC 4180)' },
  ],
  examples: [
    'metrics --since 8w',
    'metrics --by experiment',
    'metrics --by content --csv',
    '--json metrics --limit 100',
  ],
  input: z.object({
    by: z.enum(['day', 'experiment', 'content'], { error: 'must be day, experiment or content' }).default('day'),
    since: since.optional(),
    limit: wholeNumber.optional(),
    csv: flag,
  }),
  async run({ ctx }: Session, { by, since: from, limit, csv }) {
    const query: SeriesQuery = { since: from?.(ctx.clock.now()) ?? null, limit: limit ?? 30 };
    const asked = { by, since: query.since };
    switch (by) {
      case 'day': {
        const days = metricsByDay(ctx, query);
        return answer({ ...asked, days }, csv ? snapshotsCsv(days) : null, (look) => daysText(look, days));
      }
      case 'experiment': {
        const experiments = metricsByExperiment(ctx, query);
        const windows = experiments
          .flatMap(({ before, live, after }) => [before, live, after])
          .filter((w) => w !== null);
        const text = csv ? snapshotsCsv(windows) : null;
        return answer({ ...asked, experiments }, text, (look) => experimentsText(look, experiments));
      }
      case 'content': {
        const contents = metricsByContent(ctx, query);
        return answer({ ...asked, contents }, csv ? contentsCsv(contents) : null, (look) =>
          contentsText(look, contents),
        );
      }
    }
  },
});

function answer(data: object, csv: string | null, text: Answer['text']): Answer {
  return csv === null ? { data, text } : { data: { ...data, csv }, text: () => csv, raw: true };
}
