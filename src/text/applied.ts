import type { ExperimentRow } from '../store/experiments.js';

/** What an apply did, git included, and when it acts. */
export function appliedText(experiment: Pick<ExperimentRow, 'targetRelpath' | 'applyCommitSha' | 'gitNote'>): string {
  const { targetRelpath, applyCommitSha, gitNote } = experiment;
  const git =
    applyCommitSha === null
      ? gitNote === null
        ? ''
        : ` No git commit: ${gitNote.replace(/^apply: /, '')}.`
      : ` Git commit ${applyCommitSha.slice(0, 10)}.`;
  return `Applied: ${targetRelpath} is written.${git} It acts from the next session on; in open chats send /new.`;
}

/** What an approval agrees to besides the change itself. */
export function autoRevertText(autoRevert: boolean): string {
  return autoRevert ? 'it is put back without asking if fresh trials prove harm' : 'nothing is put back without asking';
}
