import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULT_SOUL, temporaryDirectory } from '../../support/context.js';
import { createRepository, repositoryAt, type TestRepository } from '../../support/gitRepository.js';

/** One repository for all rows: `git init` and a first commit cost more than a copy. */
export const template = (() => {
  let made: string | null = null;
  return (): string => {
    if (made !== null) return made;
    made = temporaryDirectory();
    writeFileSync(join(made, 'SOUL.md'), DEFAULT_SOUL);
    writeFileSync(join(made, 'notes.md'), 'one\n');
    writeFileSync(join(made, 'config.yaml'), 'model: {}\n');
    mkdirSync(join(made, 'skills'));
    writeFileSync(join(made, 'skills', 'a.md'), 'skill\n');
    createRepository(made);
    return made;
  };
})();

/** Where a row is arranged. */
export interface World {
  /** Of Hermes; the profile is `profiles/dev` below it. */
  readonly root: string;
  /** First in PATH. */
  readonly bin: string;
}

/** Puts a git in front of the real one; `script` ends by running `real "$@"`. */
function gitInFront(bin: string, script: string): void {
  const real = execFileSync('which', ['git'], { encoding: 'utf8' }).trim();
  writeFileSync(join(bin, 'git'), `#!/bin/sh\nreal() { exec ${real} "$@"; }\n${script}\n`);
  chmodSync(join(bin, 'git'), 0o755);
}

function attempt(repository: TestRepository, ...args: string[]): void {
  try {
    repository.git(...args);
  } catch {
    // It stops at the conflict, which is the point.
  }
}

function conflictingBranches(repository: TestRepository): void {
  repository.git('checkout', '--quiet', '-b', 'other');
  repository.write('notes.md', 'theirs\n');
  repository.git('commit', '--quiet', '--all', '--message', 'theirs');
  repository.git('checkout', '--quiet', 'main');
  repository.write('notes.md', 'ours\n');
  repository.git('commit', '--quiet', '--all', '--message', 'ours');
  repository.write('notes.md', 'ours again\n');
  repository.git('commit', '--quiet', '--all', '--message', 'again');
}

export interface GitState {
  /** As the table in docs/ratchet.md has it. */
  readonly state: string;
  /** Makes the state out of a clean repository in the profile's home, or out of nothing. */
  readonly arrange: (repository: TestRepository, world: World) => void;
  readonly from?: 'clean' | 'nothing';
  readonly commit: 'committed' | 'skipped' | 'failed';
  /** Of the missing commit, or of what is unusual about the one that was made. */
  readonly reason?: RegExp;
  /** The file and the whole of HEAD may differ from what was applied (a hook of the person's rewrites). */
  readonly hookRewrites?: boolean;
  /** What a hook of the person's adds to the commit. */
  readonly alsoCommits?: string;
  /** The repository that git reads there; null = none that could be looked at from outside. */
  readonly seen?: 'home' | 'root' | null;
  readonly env?: () => NodeJS.ProcessEnv;
}

const uncommitted =
  (commit: 'skipped' | 'failed') =>
  (state: string, reason: RegExp, arrange: GitState['arrange'], more: Partial<GitState> = {}): GitState => ({
    state,
    reason,
    arrange,
    commit,
    ...more,
  });
const skipped = uncommitted('skipped');
const failed = uncommitted('failed');
const committed = (state: string, arrange: GitState['arrange'], more: Partial<GitState> = {}): GitState => ({
  state,
  arrange,
  commit: 'committed',
  ...more,
});

const COMMITTED: readonly GitState[] = [
  committed('clean', () => undefined),
  committed('other files staged', (r) => {
    r.write('notes.md', 'staged\n');
    r.git('add', 'notes.md');
    r.write('new.md', 'new\n');
    r.git('add', 'new.md');
  }),
  committed('other files staged, then changed again', (r) => {
    r.write('notes.md', 'staged\n');
    r.git('add', 'notes.md');
    r.write('notes.md', 'staged, then changed\n');
  }),
  committed('other files dirty, deleted or untracked', (r) => {
    r.write('notes.md', 'dirty\n');
    rmSync(join(r.root, 'config.yaml'));
    r.write('untracked.md', 'untracked\n');
  }),
  committed('other files marked assume-unchanged, skip-worktree or intent-to-add', (r) => {
    r.git('update-index', '--assume-unchanged', 'notes.md');
    r.git('update-index', '--skip-worktree', 'config.yaml');
    r.write('later.md', 'later\n');
    r.git('add', '--intent-to-add', 'later.md');
  }),
  committed('detached HEAD', (r) => void r.git('checkout', '--quiet', '--detach')),
  committed('shallow clone', (r) => {
    r.write('notes.md', 'two\n');
    r.git('commit', '--quiet', '--all', '--message', 'two');
    const clone = temporaryDirectory();
    r.git('clone', '--quiet', '--depth', '1', `file://${r.root}`, clone);
    rmSync(join(r.root, '.git'), { recursive: true });
    cpSync(join(clone, '.git'), join(r.root, '.git'), { recursive: true });
    r.git('config', 'user.name', 'Test Person');
    r.git('config', 'user.email', 'person@example.org');
  }),
  committed(
    'linked work tree',
    (r) => {
      const main = temporaryDirectory();
      cpSync(template(), main, { recursive: true });
      rmSync(r.root, { recursive: true });
      repositoryAt(main).git('worktree', 'add', '--quiet', '-b', 'profile', r.root);
    },
    { from: 'nothing' },
  ),
  committed(
    'submodule',
    (r, { root }) => {
      rmSync(r.root, { recursive: true });
      const outer = createRepository(root, { commit: false });
      outer.git('-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', template(), 'profiles/dev');
      r.git('config', 'user.name', 'Test Person');
      r.git('config', 'user.email', 'person@example.org');
    },
    { from: 'nothing' },
  ),
  committed(
    'work tree above the profile',
    (_, { root }) => {
      const above = createRepository(root, { commit: false });
      above.write('.gitignore', '*.db*\nplugin-data/\n');
      above.git('add', '--all');
      above.git('commit', '--quiet', '--message', 'first');
    },
    { from: 'nothing', seen: 'root' },
  ),
  committed(
    'inside a sparse checkout',
    (r) => void r.git('sparse-checkout', 'set', '--no-cone', '/SOUL.md', '/skills/'),
  ),
  committed('line ends that git normalises (autocrlf)', (r) => {
    r.git('config', 'core.autocrlf', 'true');
    r.write('SOUL.md', DEFAULT_SOUL.replaceAll('\n', '\r\n'));
  }),
  committed('a filter of .gitattributes', (r) => {
    r.git('config', 'filter.shout.clean', 'tr a-z A-Z');
    r.git('config', 'filter.shout.smudge', 'tr A-Z a-z');
    r.write('.gitattributes', 'SOUL.md filter=shout\n');
    r.git('add', '--renormalize', '.gitattributes', 'SOUL.md');
    r.git('commit', '--quiet', '--all', '--message', 'filter');
  }),
  committed('hooks that agree', (r) => {
    for (const name of ['pre-commit', 'commit-msg', 'post-commit']) r.hook(name, 'git rev-parse HEAD >/dev/null');
  }),
  committed('a hook that rewrites the message', (r) => r.hook('commit-msg', 'echo "chore: no trailers" > "$1"')),
  committed(
    'a hook that rewrites the target',
    (r) => r.hook('pre-commit', 'sed -i.bak s/Give/GIVE/ SOUL.md && rm SOUL.md.bak && git add SOUL.md'),
    { reason: /a hook changed the target/, hookRewrites: true },
  ),
  committed(
    'a hook that adds other files',
    (r) => {
      r.write('notes.md', 'dirty\n');
      r.hook('pre-commit', 'git add notes.md');
    },
    { reason: /a hook put other files into the commit: notes\.md/, alsoCommits: 'notes.md' },
  ),
  committed('a hook after the commit that fails', (r) => r.hook('post-commit', 'exit 1')),
  committed('GIT_* variables that point elsewhere', () => undefined, {
    env: () => {
      const elsewhere = createRepository(temporaryDirectory(), { commit: false });
      return {
        GIT_DIR: join(elsewhere.root, '.git'),
        GIT_WORK_TREE: elsewhere.root,
        GIT_INDEX_FILE: join(elsewhere.root, 'index'),
        GIT_CONFIG_COUNT: '1',
        GIT_CONFIG_KEY_0: 'commit.gpgsign',
        GIT_CONFIG_VALUE_0: 'true',
        EDITOR: 'false',
      };
    },
  }),
  committed('a lock that somebody holds for a moment', (r) => {
    writeFileSync(join(r.root, '.git', 'index.lock'), '');
    setTimeout(() => rmSync(join(r.root, '.git', 'index.lock')), 150);
  }),
];

const SKIPPED: readonly GitState[] = [
  skipped('target dirty', /uncommitted changes/, (r) => {
    r.git('commit', '--quiet', '--amend', '--message', 'first');
    r.write('SOUL.md', `${DEFAULT_SOUL}x\n`);
  }),
  skipped('target staged', /uncommitted changes/, (r) => {
    r.write('SOUL.md', `${DEFAULT_SOUL}x\n`);
    r.git('add', 'SOUL.md');
  }),
  skipped('target staged, then changed back', /uncommitted changes/, (r) => {
    r.write('SOUL.md', `${DEFAULT_SOUL}x\n`);
    r.git('add', 'SOUL.md');
    r.write('SOUL.md', DEFAULT_SOUL);
  }),
  ...(
    [
      ['merge', ['merge', 'other'], /a merge is in progress/],
      ['cherry-pick', ['cherry-pick', 'other'], /a cherry-pick is in progress/],
      ['rebase', ['rebase', 'other'], /a rebase/],
      ['revert', ['revert', '--no-edit', 'HEAD~1'], /a revert is in progress/],
    ] as const
  ).map(([name, args, reason]) =>
    skipped(`${name} in progress`, reason, (r) => {
      conflictingBranches(r);
      attempt(r, ...args);
    }),
  ),
  skipped('am in progress', /a rebase or an am is in progress/, (r) => {
    conflictingBranches(r);
    writeFileSync(join(r.root, '.git', 'patch'), `${r.git('format-patch', '-1', '--stdout', 'other')}\n`);
    attempt(r, 'am', join('.git', 'patch'));
  }),
  skipped('bisect in progress', /a bisect is in progress/, (r) => void r.git('bisect', 'start')),
  skipped('merge whose conflicts are resolved, not committed', /a merge is in progress/, (r) => {
    conflictingBranches(r);
    attempt(r, 'merge', 'other');
    r.write('notes.md', 'both\n');
    r.git('add', 'notes.md');
  }),
  skipped('conflict without a merge (a stash that did not fit)', /unresolved conflicts/, (r) => {
    r.write('notes.md', 'stashed\n');
    r.git('stash');
    r.write('notes.md', 'committed\n');
    r.git('commit', '--quiet', '--all', '--message', 'two');
    attempt(r, 'stash', 'pop');
  }),
  skipped('unborn branch', /no commit yet/, (r) => {
    r.git('checkout', '--quiet', '--orphan', 'fresh');
  }),
  skipped('bare repository', /bare|work tree/, (r) => void r.git('config', 'core.bare', 'true'), { seen: null }),
  skipped('target untracked', /not tracked/, (r) => {
    r.git('rm', '--quiet', '--cached', 'SOUL.md');
    r.git('commit', '--quiet', '--message', 'untracked');
  }),
  skipped('target ignored', /ignored/, (r) => {
    r.git('rm', '--quiet', '--cached', 'SOUL.md');
    r.write('.gitignore', 'SOUL.md\n');
    r.git('add', '.gitignore');
    r.git('commit', '--quiet', '--message', 'ignored');
  }),
  skipped('target intent-to-add', /uncommitted changes/, (r) => {
    r.git('rm', '--quiet', '--cached', 'SOUL.md');
    r.git('commit', '--quiet', '--message', 'untracked');
    r.git('add', '--intent-to-add', 'SOUL.md');
  }),
  skipped('target outside the sparse checkout, but there', /outside the sparse checkout/, (r) => {
    // After a copy git takes files for changed until it has looked, and leaves those where they are.
    r.git('update-index', '--refresh');
    r.git('sparse-checkout', 'set', '--no-cone', '/skills/');
    r.write('SOUL.md', DEFAULT_SOUL);
  }),
  skipped(
    'target marked skip-worktree',
    /outside the sparse checkout/,
    (r) => void r.git('update-index', '--skip-worktree', 'SOUL.md'),
  ),
  skipped(
    'target marked assume-unchanged',
    /assume that the target never changes/,
    (r) => void r.git('update-index', '--assume-unchanged', 'SOUL.md'),
  ),
  skipped('no user.name', /git has no user\.name/, (r) => void r.git('config', '--unset', 'user.name')),
  skipped('no user.email', /git has no user\.email/, (r) => void r.git('config', '--unset', 'user.email')),
  skipped('a filter that fails', /filter/, (r) => {
    r.git('config', 'filter.broken.clean', 'false');
    r.git('config', 'filter.broken.required', 'true');
    writeFileSync(join(r.root, '.git', 'info', 'attributes'), 'SOUL.md filter=broken\n');
  }),
  skipped(
    'damaged repository',
    /not in a git|nowhere/,
    (r) => {
      rmSync(join(r.root, '.git'), { recursive: true });
      r.write('.git', 'gitdir: nowhere\n');
    },
    { seen: null },
  ),
  skipped("somebody else's repository (safe.directory)", /dubious ownership/, (_, { bin }) =>
    gitInFront(bin, 'GIT_TEST_ASSUME_DIFFERENT_OWNER=1; export GIT_TEST_ASSUME_DIFFERENT_OWNER; real "$@"'),
  ),
  skipped('a git too old for what we ask', /absolute-git-dir/, (_, { bin }) =>
    gitInFront(
      bin,
      'case "$*" in *--absolute-git-dir*) echo "fatal: unknown option: --absolute-git-dir" >&2; exit 129;; esac; real "$@"',
    ),
  ),
  skipped('no repository', /not in a git work tree/, () => undefined, { from: 'nothing', seen: null }),
  skipped('no git', /git is not installed/, () => undefined, { env: () => ({ PATH: temporaryDirectory() }) }),
];

const asRoot = process.getuid?.() === 0;
const FAILED: readonly GitState[] = [
  failed('a hook that refuses', /no commits on Fridays/, (r) =>
    r.hook('pre-commit', 'echo "no commits on Fridays" >&2; exit 1'),
  ),
  failed('a hook that fails without a word', /exit code 1/, (r) => r.hook('commit-msg', 'exit 1')),
  failed('signing demanded without a key', /gpg|sign|error/, (r) => {
    r.git('config', 'commit.gpgsign', 'true');
    r.git('config', 'gpg.program', '/bin/false');
  }),
  failed('a lock that stays (index.lock)', /index\.lock/, (r) => writeFileSync(join(r.root, '.git', 'index.lock'), '')),
  ...(asRoot
    ? []
    : [
        failed('.git that is read-only', /Permission denied|permission/i, (r) => {
          for (const part of ['', 'objects']) chmodSync(join(r.root, '.git', part), 0o500);
        }),
      ]),
];

export const GIT_STATES: readonly GitState[] = [...COMMITTED, ...SKIPPED, ...FAILED];
