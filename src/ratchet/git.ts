import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { openGit, GitCommandError, type Git } from './gitCommand.js';

/** The target as its repository sees it. */
export interface TargetInGit {
  /** Top of the work tree. */
  readonly root: string;
  /** Path of the target from there. */
  readonly relpath: string;
  readonly headSha: string | null;
  /** The target's blob in HEAD, in the index, and as the file would be stored now; null = not there. */
  readonly headBlob: string | null;
  readonly indexBlob: string | null;
  readonly fileBlob: string | null;
  /** The file, the index and HEAD do not agree. */
  readonly dirty: boolean;
  /** Why no commit may be made in this state, whatever the target's; null = it may. */
  readonly blocked: string | null;
}

export type Inspection =
  { readonly tree: TargetInGit; readonly reason: null } | { readonly tree: null; readonly reason: string };

/** What can be half done in a repository, by the file or directory that says so in its git directory. */
const UNFINISHED = [
  ['MERGE_HEAD', 'a merge'],
  ['CHERRY_PICK_HEAD', 'a cherry-pick'],
  ['REVERT_HEAD', 'a revert'],
  ['rebase-merge', 'a rebase'],
  ['rebase-apply', 'a rebase or an am'],
  ['BISECT_LOG', 'a bisect'],
  ['sequencer', 'a sequence of picks'],
] as const;

/**
 * Reads what git knows about the file at `path` (a real path). Changes nothing and never throws: git is provenance,
 * and whatever is wrong with it must not stand in the way of the file.
 */
export async function inspectInGit(path: string, env: Readonly<NodeJS.ProcessEnv>): Promise<Inspection> {
  try {
    return await inspect(path, openGit(dirname(path), env));
  } catch (error) {
    return { tree: null, reason: gitReason(error) };
  }
}

async function inspect(path: string, git: Git): Promise<Inspection> {
  const inside = await git.run(['rev-parse', '--is-inside-work-tree', '--is-bare-repository'], { accept: [128] });
  if (inside.exitCode !== 0) {
    const notARepository = /not a git repository/i.test(inside.stderr);
    return { tree: null, reason: notARepository ? 'the profile is not in a git work tree' : firstLine(inside.stderr) };
  }
  const [isInside, isBare] = inside.stdout.split('\n');
  if (isInside !== 'true') {
    const reason = isBare === 'true' ? 'the repository is bare' : 'the profile lies inside a git directory';
    return { tree: null, reason };
  }
  const where = await git.run(['rev-parse', '--show-toplevel', '--absolute-git-dir', '--show-prefix']);
  const [root = '', gitDir = '', prefix = ''] = where.stdout.split('\n');
  const relpath = prefix + basename(path);
  const index = await indexEntry(git, path);
  const headSha = await readOid(git, ['rev-parse', '--verify', '--quiet', 'HEAD^{commit}']);
  const headBlob =
    headSha === null ? null : await readOid(git, ['rev-parse', '--verify', '--quiet', `HEAD:${relpath}`]);
  const fileBlob = existsSync(path) ? await readOid(git, ['hash-object', '--', basename(path)]) : null;
  const indexBlob = index?.blob ?? null;
  return {
    tree: {
      root,
      relpath,
      headSha,
      headBlob,
      indexBlob,
      fileBlob,
      dirty: headBlob === null || headBlob !== indexBlob || indexBlob !== fileBlob,
      blocked: await blockedReason(git, { path, gitDir, headSha, index }),
    },
    reason: null,
  };
}

interface IndexEntry {
  readonly blob: string;
  /** `H` normal, `S` skip-worktree, lower case assume-unchanged, as `git ls-files -v` prints it. */
  readonly tag: string;
}

async function indexEntry(git: Git, path: string): Promise<IndexEntry | null> {
  const { stdout } = await git.run(['ls-files', '--stage', '-v', '-z', '--', `:(literal)${basename(path)}`]);
  const found = /^(\S) \d+ ([0-9a-f]+) \d\t/.exec(stdout);
  return found === null ? null : { tag: found[1] ?? '', blob: found[2] ?? '' };
}

async function readOid(git: Git, args: readonly string[]): Promise<string | null> {
  const { stdout, exitCode } = await git.run(args, { accept: [1, 128] });
  return exitCode === 0 ? stdout.trim() : null;
}

async function blockedReason(
  git: Git,
  at: { path: string; gitDir: string; headSha: string | null; index: IndexEntry | null },
): Promise<string | null> {
  for (const [file, what] of UNFINISHED) {
    if (existsSync(join(at.gitDir, file))) return `${what} is in progress in the repository`;
  }
  const unmerged = await git.run(['ls-files', '--unmerged', '-z', '--', ':(top)']);
  if (unmerged.stdout !== '') return 'the repository has unresolved conflicts';
  if (at.index === null) {
    const ignored = await git.run(['check-ignore', '--quiet', '--', basename(at.path)], { accept: [1] });
    return ignored.exitCode === 0 ? 'the target is ignored by git' : 'the target is not tracked by git';
  }
  if (at.index.tag === 'S') return 'the target is outside the sparse checkout';
  if (at.index.tag !== 'H') return 'git is told to assume that the target never changes';
  if (at.headSha === null) return 'the repository has no commit yet';
  for (const key of ['user.name', 'user.email']) {
    const { stdout } = await git.run(['config', '--get', key], { accept: [1] });
    if (stdout.trim() === '') return `git has no ${key}`;
  }
  return null;
}

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

export type CommitResult =
  | { readonly phase: 'committed'; readonly commitSha: string; readonly reason: string | null }
  | { readonly phase: 'skipped' | 'failed'; readonly commitSha: null; readonly reason: string };

const skipped = (reason: string): CommitResult => ({ phase: 'skipped', commitSha: null, reason });

/** The last mutation asked for in each work tree: git's own locks make parallel ones fail. */
const queues = new Map<string, Promise<unknown>>();

/**
 * Commits exactly the target, hooks and signing included, or says why not. Never throws. A commit on a detached HEAD
 * is made: that is where the person works. One that was made but never recorded is found again by its trailers.
 */
export function commitTarget(request: CommitRequest, env: Readonly<NodeJS.ProcessEnv>): Promise<CommitResult> {
  const mine = (queues.get(request.root) ?? Promise.resolve()).then(() =>
    commit(request, openGit(dirname(request.path), env)).catch((error: unknown): CommitResult => ({
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
  const target = `:(literal)${basename(request.path)}`;
  await whenUnlocked(() => git.run(['commit', '--quiet', '--only', '-m', message, '--', target]));
  const commitSha = (await git.run(['rev-parse', 'HEAD'])).stdout.trim();
  const committed = await readOid(git, ['rev-parse', '--verify', '--quiet', `HEAD:${tree.relpath}`]);
  const rewritten = committed === tree.fileBlob ? null : 'a hook or filter changed the target in the commit';
  return { phase: 'committed', commitSha, reason: rewritten };
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
    `:(literal)${basename(request.path)}`,
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

function firstLine(text: string): string {
  return text.trim().split('\n')[0]?.slice(0, 300) ?? '';
}

function gitReason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const said = error instanceof GitCommandError ? error.stderr : '';
  if (/spawn \S+ ENOENT/.test(`${message}\n${said}`)) return 'git is not installed';
  return firstLine(said) || firstLine(message);
}
