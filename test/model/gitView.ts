import assert from 'node:assert/strict';
import type { TestRepository } from '../support/gitRepository.js';

/** What a person has in their repository apart from the target, and where they stand. */
export interface GitView {
  readonly head: string;
  readonly branch: string;
  readonly index: readonly string[];
  readonly others: readonly string[];
  /** HEAD, index and file agree about the target. */
  readonly isTargetClean: boolean;
}

const TARGET = 'SOUL.md';

export function viewOf(repository: TestRepository): GitView {
  const status = repository.git('status', '--porcelain').split('\n');
  const isOfTarget = (line: string): boolean => line.slice(3) === TARGET;
  return {
    head: repository.git('rev-parse', 'HEAD'),
    branch: repository.git('rev-parse', '--abbrev-ref', 'HEAD'),
    index: repository.index(TARGET),
    // What a write that died left beside the target is removed by the next command.
    others: status.filter((line) => line !== '' && !isOfTarget(line) && !line.includes('.karpathy-')),
    isTargetClean: !status.some(isOfTarget),
  };
}

/**
 * A command may only add commits of exactly the target that name their operation; everything else of the person's is
 * as it was. `commits`: how many there must be; null = a command that died before may have left one to be made.
 */
export function checkGit(repository: TestRepository, before: GitView, commits: number | null): void {
  const after = viewOf(repository);
  assert.deepEqual([after.branch, after.index, after.others], [before.branch, before.index, before.others]);
  const added = repository.git('rev-list', `${before.head}..HEAD`).split('\n').filter(Boolean);
  repository.git('merge-base', '--is-ancestor', before.head, 'HEAD');
  for (const sha of added) {
    assert.equal(repository.git('diff-tree', '-r', '--no-commit-id', '--name-only', sha), TARGET);
    assert.match(
      repository.git('show', '--no-patch', '--format=%B', sha),
      /^Karpathy-Operation: (apply|revert|restore)$/m,
    );
  }
  if (commits !== null) assert.equal(added.length, commits, 'commits of the command');
  if (added.length > 0 && before.isTargetClean) assert.ok(after.isTargetClean, 'the index follows the new HEAD');
}
