import { listExperiments, type ExperimentRow } from '../store/experiments.js';
import type { Context } from './context.js';

/**
 * The text a candidate is compared with. For a rewrite or an insertion it is the file as it is. A deletion is held
 * against the text before the deletions that led there, the last improvement: else each could cost its margin again.
 */
export function referenceText(ctx: Context, experiment: ExperimentRow): Uint8Array | null {
  if (experiment.operation !== 'delete') return experiment.baseContent;
  let reference = { content: experiment.baseContent, sha256: experiment.baseSha256 };
  // Newest first, so that a chain of deletions is walked from its end to its beginning.
  for (const earlier of listExperiments(ctx.db, { profileId: experiment.profileId, states: ['verified'] })) {
    if (earlier.operation === 'delete' && earlier.candidateSha256 === reference.sha256) {
      reference = { content: earlier.baseContent, sha256: earlier.baseSha256 };
    }
  }
  return reference.content;
}
