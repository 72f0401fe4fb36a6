import { isKarpathyError } from '../errors.js';
import { hashAt } from '../ratchet/target.js';
import { immediate } from '../store/database.js';
import { getExperiment, recordGit } from '../store/experiments.js';
import { recordGitPhase, type FileOperationRow } from '../store/fileOperations.js';
import type { Context } from './context.js';

/**
 * The last phase of a file operation: the commit, or the reason why there is none. The file operation stands whatever
 * comes of it; nothing is thrown for git's sake.
 */
export async function commitOperation(ctx: Context, operation: FileOperationRow): Promise<void> {
  if (operation.phase !== 'done') return;
  const { git } = operation.transition;
  const experiment = getExperiment(ctx.db, operation.experimentId);
  const { commitTarget } = await import('../ratchet/gitCommit.js');
  const result =
    operation.gitPhase !== 'pending' || git === null
      ? ({ phase: 'skipped', commitSha: null, reason: operation.gitReason ?? 'not in a git work tree' } as const)
      : hashAt(operation.path) !== operation.newSha256
        ? ({ phase: 'skipped', commitSha: null, reason: 'the target was edited before it was committed' } as const)
        : await commitTarget(
            {
              path: operation.path,
              root: git.root,
              priorBlob: git.blobSha,
              experimentId: operation.experimentId,
              operation: operation.kind,
              profile: experiment.profile,
            },
            ctx.env,
          );
  // A hook of the person's may have printed anything.
  const reason = result.reason === null ? null : ctx.scrub.text(result.reason);
  if (result.phase === 'failed') {
    ctx.log.warn(`no commit for the ${operation.kind} of experiment ${operation.experimentId}: ${reason}`);
  }
  try {
    immediate(ctx.db, () => {
      recordGitPhase(ctx.db, operation.id, { ...result, reason });
      const sha = result.commitSha;
      recordGit(ctx.db, operation.experimentId, {
        ...(operation.kind === 'apply' ? { applyCommitSha: sha } : { revertCommitSha: sha }),
        gitNote: reason === null ? null : `${operation.kind}: ${reason}`,
      });
    });
  } catch (error) {
    if (!isKarpathyError(error)) throw error;
    // The file and its state are committed: a later command finds the commit by its trailers and records it.
    ctx.log.warn(`what git made of the ${operation.kind} of experiment ${operation.experimentId}: ${error.message}`);
  }
}
