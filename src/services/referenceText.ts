import { deletionTo } from '../store/experimentLists.js';
import type { ExperimentRow } from '../store/experiments.js';
import type { Context } from './context.js';

/**
 * The text a candidate is compared with. For a rewrite or an insertion it is the file as it is. A deletion is held
 * against the text before the deletions that led there, the last improvement: else each could cost its margin again.
 */
export function referenceText(ctx: Context, experiment: ExperimentRow): Uint8Array | null {
  if (experiment.operation !== 'delete') return experiment.baseContent;
  const { profileId } = experiment;
  let reference = { content: experiment.baseContent, sha256: experiment.baseSha256 };
  // Newest first, so that a chain of deletions is walked from its end to its beginning.
  for (let before = Number.MAX_SAFE_INTEGER; reference.sha256 !== null;) {
    const earlier = deletionTo(ctx.db, { profileId, candidateSha256: reference.sha256, before });
    if (earlier === null) break;
    reference = { content: earlier.baseContent, sha256: earlier.baseSha256 };
    before = earlier.id;
  }
  return reference.content;
}
