import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
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

/** The same with git's own failures thrown. */
export async function inspect(path: string, git: Git): Promise<Inspection> {
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
  const stored = existsSync(path) ? await git.run(['hash-object', '--', basename(path)], { accept: [1, 128] }) : null;
  const fileBlob = stored?.exitCode === 0 ? stored.stdout.trim() : null;
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
      // A filter of .gitattributes that fails, most likely.
      blocked:
        stored !== null && stored.exitCode !== 0
          ? `git cannot store the target: ${lastLine(stored.stderr)}`
          : await blockedReason(git, { path, gitDir, headSha, index }),
    },
    reason: null,
  };
}

export interface IndexEntry {
  /** Octal, as in `100644`. */
  readonly mode: string;
  readonly blob: string;
  /** `H` normal, `S` skip-worktree, lower case assume-unchanged, as `git ls-files -v` prints it. */
  readonly tag: string;
}

export async function indexEntry(git: Git, path: string): Promise<IndexEntry | null> {
  // Else git takes a file that lies outside the sparse checkout for one that belongs into it.
  const asWritten = ['-c', 'sparse.expectFilesOutsideOfPatterns=true'];
  const { stdout } = await git.run([...asWritten, 'ls-files', '--stage', '-v', '-z', '--', literal(path)]);
  const found = /^(\S) (\d+) ([0-9a-f]+) \d\t/.exec(stdout);
  return found === null ? null : { tag: found[1] ?? '', mode: found[2] ?? '', blob: found[3] ?? '' };
}

/** The object id a command prints; null when it ends with 1 or 128. */
export async function readOid(git: Git, args: readonly string[]): Promise<string | null> {
  const { stdout, exitCode } = await git.run(args, { accept: [1, 128] });
  return exitCode === 0 ? stdout.trim() : null;
}

/** The target as a pathspec that means nothing else, from its own directory. */
export function literal(path: string): string {
  return `:(literal)${basename(path)}`;
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

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.slice(0, 300) ?? '';
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0]?.slice(0, 300) ?? '';
}

/** What went wrong, in git's own words where it has some. */
export function gitReason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const said = error instanceof GitCommandError ? error.stderr : '';
  if (/spawn \S+ ENOENT/.test(`${message}\n${said}`)) return 'git is not installed';
  return firstLine(said) || firstLine(message);
}
