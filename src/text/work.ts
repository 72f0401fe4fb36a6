import type { WorkSummary } from '../services/work.js';
import { plural } from './figures.js';
import type { Look } from './look.js';

/** What an executor did, one line per job. */
export function workText(look: Look, summary: WorkSummary): string {
  const { green, red } = look.colors;
  const busy =
    summary.busyWith === null
      ? []
      : [
          `Job ${summary.busyWith} of this profile is running in another process. If that one died, \`hermes karpathy work\` takes over after a minute.`,
        ];
  if (summary.ran.length === 0) return busy[0] ?? 'There was nothing to do.';
  const lines = summary.ran.map(({ jobId, kind, state, error }) =>
    error === null
      ? `${green('✓')} job ${jobId} (${kind}) ${state}`
      : `${red('✗')} job ${jobId} (${kind}) ${state}: ${error.message}`,
  );
  return [`${plural(summary.ran.length, 'job')} worked on.`, ...lines, ...busy].join('\n');
}
