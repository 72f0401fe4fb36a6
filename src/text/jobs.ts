import type { JobView } from '../services/status.js';
import { shorten, timestamp } from './figures.js';
import type { Look } from './look.js';
import { jobLine } from './status.js';
import { table } from './table.js';

export function jobsText(look: Look, jobs: readonly JobView[]): string {
  if (jobs.length === 0) return 'No jobs.';
  if (look.form === 'plain') return jobs.map(jobLine).join('\n');
  const rows = jobs.map((job) => [
    String(job.id),
    job.kind,
    job.state,
    job.experiment === null ? '' : String(job.experiment),
    timestamp(job.createdAt),
    job.error === null ? '' : shorten(job.error.message, 80),
  ]);
  return table(look, ['id', 'kind', 'state', 'experiment', 'asked for', 'error'], rows);
}
