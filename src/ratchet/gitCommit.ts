import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { gitReason, indexEntry, inspect, literal, readOid, type TargetInGit } from './git.js';
import { GitCommandError, openGit, type Git } from './gitCommand.js';

export interface CommitRequest {
  /** Real path of the target. */
  readonly path: string;
  /** Top of the work tree and the target's blob before the operation. */
  readonly root: string;
  readonly priorBlob: string | null;
  readonly experimentId: number;
  readonly operation: 'apply' | 'revert' | 'restore';
  /** The profile's label. */
  readonly profile: string;
}

/** `reason`: what is unusual about the commit. */
interface Committed {
  readonly phase: 'committed';
  readonly commitSha: string;
  readonly reason: string | null;
}

export type CommitResult =
  Committed | { readonly phase: 'skipped' | 'failed'; readonly commitSha: null; readonly reason: string };

const skipped = (reason: string): CommitResult => ({ phase: 'skipped', commitSha: null, reason });

/** The last mutation asked for in each work tree: git's own locks make parallel ones fail. */
const queues = new Map<string, Promise<unknown>>();

/**
 * Commits exactly the target, hooks and signing included, or says why not. Never throws. A commit on a detached HEAD
 * is made: that is where the person works. One that was made but never recorded is found again by its trailers.
 * `silenceMs`: a git that says nothing for that long is ended.
 */
export function commitTarget(
  request: CommitRequest,
  env: Readonly<NodeJS.ProcessEnv>,
  options: { readonly silenceMs?: number } = {},
): Promise<CommitResult> {
  const mine = (queues.get(request.root) ?? Promise.resolve()).then(() =>
    commit(request, openGit(dirname(request.path), env, options)).catch((error: unknown): CommitResult => ({
      phase: 'failed',
      commitSha: null,
      reason: gitReason(error),
    })),
  );
  queues.set(request.root, mine);
  return mine;
}

async function commit(request: CommitRequest, git: Git): Promise<CommitResult> {
  const { tree, reason } = await inspect(request.path, git);
  if (tree === null) return skipped(reason);
  const earlier = await findCommit(request, { git, tree });
  if (earlier !== null) return { phase: 'committed', commitSha: earlier, reason: null };
  if (tree.blocked !== null) return skipped(tree.blocked);
  if (tree.fileBlob === tree.headBlob) return skipped('git sees no difference from the last commit');
  if (tree.headBlob !== request.priorBlob || tree.indexBlob !== tree.headBlob) {
    return skipped('the target was staged or committed by somebody else meanwhile');
  }
  const message = [
    `Karpathy: ${request.operation} experiment ${request.experimentId} (profile ${request.profile})`,
    trailers(request).join('\n'),
  ].join('\n\n');
  const target = literal(request.path);
  try {
    await whenUnlocked(() => git.run(['commit', '--quiet', '--only', '-m', message, '--', target]));
  } catch (error) {
    // A hook that runs after the commit may hang or be killed: the commit is there all the same.
    if ((await headOf(git)) === tree.headSha) throw error;
    return { ...(await lookAtCommit(request, { git, tree })), reason: `made, but then: ${gitReason(error)}` };
  }
  return lookAtCommit(request, { git, tree });
}

const headOf = (git: Git) => readOid(git, ['rev-parse', '--verify', '--quiet', 'HEAD^{commit}']);

/**
 * What the commit holds, which hooks may have changed. A hook works on a copy of the index: without our help the
 * person's next commit would take back what it did to the target.
 */
async function lookAtCommit(request: CommitRequest, at: { git: Git; tree: TargetInGit }): Promise<Committed> {
  const { git, tree } = at;
  const commitSha = (await headOf(git)) ?? '';
  const committed = await readOid(git, ['rev-parse', '--verify', '--quiet', `HEAD:${tree.relpath}`]);
  const entry = await indexEntry(git, request.path);
  if (committed !== null && entry !== null && entry.blob !== committed) {
    const info = `${entry.mode},${committed},${tree.relpath}`;
    await whenUnlocked(() => openGit(tree.root, git.env).run(['update-index', '--cacheinfo', info]));
  }
  const { stdout } = await git.run(['diff-tree', '-r', '--no-commit-id', '--name-only', '-z', 'HEAD']);
  const others = stdout.split('\0').filter((name) => name !== '' && name !== tree.relpath);
  const notes = [
    ...(committed === tree.fileBlob ? [] : ['a hook changed the target in the commit']),
    ...(others.length === 0 ? [] : [`a hook put other files into the commit: ${others.slice(0, 5).join(', ')}`]),
  ];
  return { phase: 'committed', commitSha, reason: notes.length === 0 ? null : notes.join('; ') };
}

function trailers(request: CommitRequest): readonly string[] {
  return [
    `Karpathy-Experiment: ${request.experimentId}`,
    `Karpathy-Operation: ${request.operation}`,
    `Karpathy-Profile: ${request.profile}`,
  ];
}

/** A commit of this very operation, when another process made it or this one died before recording it. */
async function findCommit(request: CommitRequest, at: { git: Git; tree: TargetInGit }): Promise<string | null> {
  if (at.tree.headSha === null || at.tree.fileBlob !== at.tree.headBlob) return null;
  const patterns = trailers(request).map((trailer) => `--grep=${trailer}`);
  const { stdout } = await at.git.run([
    'log',
    '--max-count=1',
    '--format=%H',
    '--fixed-strings',
    '--all-match',
    ...patterns,
    'HEAD',
    '--',
    literal(request.path),
  ]);
  const sha = stdout.trim();
  if (sha === '') return null;
  const blob = await readOid(at.git, ['rev-parse', '--verify', '--quiet', `${sha}:${at.tree.relpath}`]);
  return blob === at.tree.headBlob ? sha : null;
}

/** Another git process may hold a lock for a moment; five tries in about three seconds, then its error stands. */
async function whenUnlocked<T>(mutation: () => Promise<T>): Promise<T> {
  for (let wait = 100; ; wait *= 2) {
    try {
      return await mutation();
    } catch (error) {
      if (!(error instanceof GitCommandError) || !/\.lock'?: File exists/.test(error.stderr) || wait > 1600)
        throw error;
      await delay(wait);
    }
  }
}
