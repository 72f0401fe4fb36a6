import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { applyExperiment } from '#src/services/apply.js';
import { reconcileOperations } from '#src/services/reconcile.js';
import { revertExperiment } from '#src/services/revert.js';
import { getExperiment } from '#src/store/experiments.js';
import { listFileOperations } from '#src/store/fileOperations.js';
import { DEFAULT_SOUL, temporaryDirectory, testContext, type TestContext } from '../../support/context.js';
import { approved, live, NEW_SENTENCE } from '../../support/experiments.js';
import { createRepository, repositoryAt, type TestRepository } from '../../support/gitRepository.js';

const APPLIED = `${DEFAULT_SOUL}${NEW_SENTENCE}\n`;

let fixture: TestContext;
beforeEach(() => {
  // The machine's own git configuration must not decide what these tests see.
  const HOME = temporaryDirectory();
  fixture = testContext({ context: { env: { PATH: process.env.PATH, HOME, XDG_CONFIG_HOME: HOME } } });
});

const soul = () => readFileSync(fixture.target, 'utf8');

function homeRepository(): TestRepository {
  writeFileSync(join(fixture.home, 'config.yaml'), 'model: {}\n');
  writeFileSync(join(fixture.home, 'notes.md'), 'one\n');
  return createRepository(fixture.home);
}

/** Applies and says what git made of it; the file operation stands whatever that is. */
async function applyAndLook(id?: number) {
  const row = await applyExperiment(fixture.ctx, id ?? (await approved(fixture)));
  expect(row.state).toBe('live');
  expect(soul()).toBe(APPLIED);
  return { row, operation: listFileOperations(fixture.db, row.id).at(-1)! };
}

describe('a profile in a clean work tree', () => {
  it('gets one commit with exactly the target, trailers and the recorded shas', async () => {
    const repository = homeRepository();
    const base = repository.git('rev-parse', 'HEAD');
    const blob = repository.git('rev-parse', 'HEAD:SOUL.md');
    const { row } = await applyAndLook();
    const head = repository.git('rev-parse', 'HEAD');
    expect(row).toMatchObject({
      profileGitRoot: fixture.home,
      baseCommitSha: base,
      baseBlobSha: blob,
      applyCommitSha: head,
      dirtyBeforeApply: false,
      gitNote: null,
    });
    expect(repository.git('rev-parse', 'HEAD^')).toBe(base);
    expect(repository.git('show', '--name-only', '--format=', 'HEAD')).toBe('SOUL.md');
    expect(repository.git('show', 'HEAD:SOUL.md')).toBe(APPLIED.trimEnd());
    expect(repository.git('log', '-1', '--format=%(trailers:only)')).toBe(
      `Karpathy-Experiment: ${row.id}\nKarpathy-Operation: apply\nKarpathy-Profile: dev`,
    );
    expect(repository.git('status', '--porcelain')).toBe('');
  });

  it('gets a second commit at the revert, whose blob is the first one', async () => {
    const repository = homeRepository();
    const blob = repository.git('rev-parse', 'HEAD:SOUL.md');
    const { row } = await applyAndLook();
    const reverted = await revertExperiment(fixture.ctx, row.id, { reason: 'too long' });
    expect(reverted.revertCommitSha).toBe(repository.git('rev-parse', 'HEAD'));
    expect(reverted.applyCommitSha).toBe(row.applyCommitSha);
    expect(repository.git('rev-parse', 'HEAD:SOUL.md')).toBe(blob);
    expect(repository.git('log', '-1', '--format=%(trailers:key=Karpathy-Operation,valueonly)')).toBe('revert');
  });
});

describe("a person's unfinished work", () => {
  it('staged, dirty and untracked files beside the target stay as they are', async () => {
    const repository = homeRepository();
    repository.write('notes.md', 'staged\n');
    repository.git('add', 'notes.md');
    repository.write('notes.md', 'staged, then changed\n');
    repository.write('new.md', 'new and staged\n');
    repository.git('add', 'new.md');
    repository.write('untracked.md', 'untracked\n');
    const [index, status] = [repository.index('SOUL.md'), repository.git('status', '--porcelain')];
    const { row } = await applyAndLook();
    expect(row.applyCommitSha).toBe(repository.git('rev-parse', 'HEAD'));
    expect(repository.git('show', '--name-only', '--format=', 'HEAD')).toBe('SOUL.md');
    expect(repository.index('SOUL.md')).toEqual(index);
    expect(repository.git('status', '--porcelain')).toBe(status);
    // The person's next commit must not undo ours.
    repository.git('commit', '--quiet', '--message', 'mine');
    expect(repository.git('show', 'HEAD:SOUL.md')).toBe(APPLIED.trimEnd());
  });

  it.each([
    ['changed but not staged', (r: TestRepository) => r.write('SOUL.md', `${DEFAULT_SOUL}x\n`)],
    [
      'staged',
      (r: TestRepository) => {
        r.write('SOUL.md', `${DEFAULT_SOUL}x\n`);
        r.git('add', 'SOUL.md');
      },
    ],
    [
      'staged, then changed back in the file',
      (r: TestRepository) => {
        r.write('SOUL.md', `${DEFAULT_SOUL}x\n`);
        r.git('add', 'SOUL.md');
        r.write('SOUL.md', DEFAULT_SOUL);
      },
    ],
  ])('in the target itself (%s) is not committed by us', async (_, disturb) => {
    const repository = homeRepository();
    disturb(repository);
    const [head, index] = [repository.git('rev-parse', 'HEAD'), repository.index()];
    const row = await applyExperiment(fixture.ctx, await approved(fixture));
    expect(row).toMatchObject({ state: 'live', dirtyBeforeApply: true, applyCommitSha: null });
    expect(row.gitNote).toContain('uncommitted changes');
    expect(repository.git('rev-parse', 'HEAD')).toBe(head);
    expect(repository.index()).toEqual(index);
  });

  function conflictingBranches(repository: TestRepository): void {
    repository.git('checkout', '--quiet', '-b', 'other');
    repository.write('notes.md', 'theirs\n');
    repository.git('commit', '--quiet', '--all', '--message', 'theirs');
    repository.git('checkout', '--quiet', 'main');
    repository.write('notes.md', 'ours\n');
    repository.git('commit', '--quiet', '--all', '--message', 'ours');
  }
  const attempt = (repository: TestRepository, ...args: string[]) => {
    try {
      repository.git(...args);
    } catch {
      // It stops at the conflict, which is the point.
    }
  };

  it.each([
    ['merge', ['merge', 'other'], /a merge is in progress/],
    ['cherry-pick', ['cherry-pick', 'other'], /a cherry-pick is in progress/],
    ['rebase', ['rebase', 'other'], /a rebase/],
    ['revert', ['revert', '--no-edit', 'HEAD~1'], /a revert is in progress/],
  ])('in the middle of a %s is left alone: no commit, with the reason', async (name, args, reason) => {
    const repository = homeRepository();
    conflictingBranches(repository);
    if (name === 'revert') {
      repository.write('notes.md', 'ours again\n');
      repository.git('commit', '--quiet', '--all', '--message', 'again');
    }
    attempt(repository, ...args);
    const [head, index] = [repository.git('rev-parse', 'HEAD'), repository.index()];
    const { row, operation } = await applyAndLook();
    expect(row.applyCommitSha).toBeNull();
    expect(row.gitNote).toMatch(reason);
    expect(operation.gitPhase).toBe('skipped');
    expect(repository.git('rev-parse', 'HEAD')).toBe(head);
    expect(repository.index()).toEqual(index);
  });

  it('in the middle of a bisect is left alone', async () => {
    const repository = homeRepository();
    repository.git('bisect', 'start');
    expect((await applyAndLook()).row.gitNote).toContain('a bisect is in progress');
  });

  it('in a conflict without a merge (a stash that did not fit) is left alone', async () => {
    const repository = homeRepository();
    repository.write('notes.md', 'stashed\n');
    repository.git('stash');
    repository.write('notes.md', 'committed\n');
    repository.git('commit', '--quiet', '--all', '--message', 'two');
    attempt(repository, 'stash', 'pop');
    expect((await applyAndLook()).row.gitNote).toContain('unresolved conflicts');
  });
});

describe('where a commit is possible but unusual', () => {
  it('a detached HEAD gets it there', async () => {
    const repository = homeRepository();
    repository.git('checkout', '--quiet', '--detach');
    const { row } = await applyAndLook();
    expect(row.applyCommitSha).toBe(repository.git('rev-parse', 'HEAD'));
    expect(repository.git('rev-parse', 'main')).toBe(row.baseCommitSha);
  });

  it('a work tree above the profile gets it under its own path', async () => {
    const repository = createRepository(fixture.root, { commit: false });
    repository.write('.gitignore', '*.db*\nplugin-data/\n');
    repository.git('add', '--all');
    repository.git('commit', '--quiet', '--message', 'first');
    const { row } = await applyAndLook();
    expect(row).toMatchObject({ profileGitRoot: fixture.root, applyCommitSha: repository.git('rev-parse', 'HEAD') });
    expect(repository.git('show', '--name-only', '--format=', 'HEAD')).toBe('profiles/dev/SOUL.md');
  });

  it('a linked work tree gets it on its own branch', async () => {
    const main = createRepository(temporaryDirectory(), { commit: false });
    main.write('SOUL.md', DEFAULT_SOUL);
    main.git('add', '--all');
    main.git('commit', '--quiet', '--message', 'first');
    rmSync(fixture.home, { recursive: true });
    main.git('worktree', 'add', '--quiet', '-b', 'profile', fixture.home);
    const { row } = await applyAndLook();
    expect(row.applyCommitSha).toBe(main.git('rev-parse', 'profile'));
    expect(main.git('rev-parse', 'main')).toBe(row.baseCommitSha);
  });

  it('a submodule gets it in its own repository', async () => {
    const origin = createRepository(temporaryDirectory(), { commit: false });
    origin.write('SOUL.md', DEFAULT_SOUL);
    origin.git('add', '--all');
    origin.git('commit', '--quiet', '--message', 'first');
    const outer = createRepository(fixture.root, { commit: false });
    rmSync(fixture.home, { recursive: true });
    outer.git('-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', origin.root, 'profiles/dev');
    const inner = repositoryAt(fixture.home);
    inner.git('config', 'user.name', 'Test Person');
    inner.git('config', 'user.email', 'person@example.org');
    const { row } = await applyAndLook();
    expect(row).toMatchObject({ profileGitRoot: fixture.home, applyCommitSha: inner.git('rev-parse', 'HEAD') });
  });

  it('a file name that is a pattern for git is taken literally', async () => {
    const id = await approved(fixture);
    writeFileSync(join(fixture.home, '[S]OUL.md'), DEFAULT_SOUL);
    const repository = homeRepository();
    fixture.db.prepare('UPDATE experiments SET target_relpath = ?').run('[S]OUL.md');
    const row = await applyExperiment(fixture.ctx, id);
    expect(row.applyCommitSha).not.toBeNull();
    expect(repository.git('show', '--name-only', '--format=', 'HEAD')).toBe('[S]OUL.md');
  });

  it('line ends that git normalises do not count as a change of a clean target', async () => {
    writeFileSync(fixture.target, DEFAULT_SOUL.replaceAll('\n', '\r\n'));
    const repository = createRepository(fixture.home, { commit: false });
    repository.git('config', 'core.autocrlf', 'true');
    repository.git('add', '--all');
    repository.git('commit', '--quiet', '--message', 'first');
    const row = await applyExperiment(fixture.ctx, await approved(fixture));
    expect(row).toMatchObject({ dirtyBeforeApply: false, applyCommitSha: repository.git('rev-parse', 'HEAD') });
  });
});

describe('where there is no commit', () => {
  const cases: [string, () => void, RegExp][] = [
    ['no repository', () => undefined, /not in a git work tree/],
    ['an untracked target', () => void createRepository(fixture.home, { commit: false }), /not tracked/],
    [
      'an ignored target',
      () => createRepository(fixture.home, { commit: false }).write('.gitignore', 'SOUL.md\n'),
      /ignored/,
    ],
    [
      'a target that is staged but was never committed',
      () => void createRepository(fixture.home, { commit: false }).git('add', 'SOUL.md'),
      /no commit yet/,
    ],
    [
      'no user.name',
      () => {
        const repository = homeRepository();
        repository.git('config', '--unset', 'user.name');
      },
      /no user\.name/,
    ],
    [
      'a target outside the sparse checkout',
      () => void homeRepository().git('update-index', '--skip-worktree', 'SOUL.md'),
      /sparse/,
    ],
    [
      'a target that git is told to take for unchanged',
      () => void homeRepository().git('update-index', '--assume-unchanged', 'SOUL.md'),
      /assume/,
    ],
    [
      'a bare repository around the profile',
      () => {
        const bare = createRepository(fixture.root, { commit: false });
        bare.git('config', 'core.bare', 'true');
      },
      /bare|work tree/,
    ],
    [
      'a damaged repository',
      () => writeFileSync(join(fixture.home, '.git'), 'gitdir: nowhere\n'),
      /not in a git|nowhere/,
    ],
  ];

  it.each(cases)('%s: the file is written, and the reason is recorded', async (_, arrange, reason) => {
    arrange();
    const { row, operation } = await applyAndLook();
    expect(row.applyCommitSha).toBeNull();
    expect(row.gitNote).toMatch(reason);
    expect(operation).toMatchObject({ phase: 'done', gitPhase: 'skipped', gitCommitSha: null });
  });

  it('no git at all: the file is written, and the reason is recorded', async () => {
    homeRepository();
    const env = { ...fixture.ctx.env, PATH: temporaryDirectory() };
    const row = await applyExperiment({ ...fixture.ctx, env }, await approved(fixture));
    expect([row.state, row.gitNote]).toEqual(['live', 'apply: git is not installed']);
    expect(soul()).toBe(APPLIED);
  });
});

describe('hooks', () => {
  it('run: one that fails leaves the file and the index as they are, and is quoted', async () => {
    const repository = homeRepository();
    repository.hook('pre-commit', 'echo "no commits on Fridays" >&2; exit 1');
    const [head, index] = [repository.git('rev-parse', 'HEAD'), repository.index()];
    const { row, operation } = await applyAndLook();
    expect(operation).toMatchObject({ phase: 'done', gitPhase: 'failed' });
    expect(row.gitNote).toContain('no commits on Fridays');
    expect(repository.git('rev-parse', 'HEAD')).toBe(head);
    expect(repository.index()).toEqual(index);
    expect(existsSync(join(fixture.home, '.git', 'index.lock'))).toBe(false);
  });

  it('that fail without a word are failures too', async () => {
    homeRepository().hook('pre-commit', 'exit 1');
    expect((await applyAndLook()).operation.gitPhase).toBe('failed');
  });

  it('that need nothing special succeed', async () => {
    const repository = homeRepository();
    repository.hook('pre-commit', 'git log --format=%H -1 >/dev/null && touch "$(git rev-parse --git-dir)/hook-ran"');
    expect((await applyAndLook()).row.applyCommitSha).toBe(repository.git('rev-parse', 'HEAD'));
    expect(existsSync(join(fixture.home, '.git', 'hook-ran'))).toBe(true);
  });

  it('a signature that cannot be made is a failure that is said', async () => {
    const repository = homeRepository();
    repository.git('config', 'commit.gpgsign', 'true');
    repository.git('config', 'gpg.program', '/bin/false');
    expect((await applyAndLook()).operation.gitPhase).toBe('failed');
  });
});

describe('a leaked environment', () => {
  it('does not redirect our commits', async () => {
    const repository = homeRepository();
    const elsewhere = createRepository(temporaryDirectory(), { commit: false });
    const leaked = {
      GIT_DIR: join(elsewhere.root, '.git'),
      GIT_WORK_TREE: elsewhere.root,
      GIT_INDEX_FILE: join(elsewhere.root, 'index'),
      EDITOR: 'false',
    };
    const row = await applyExperiment(
      { ...fixture.ctx, env: { ...fixture.ctx.env, ...leaked } },
      await approved(fixture),
    );
    expect(row.applyCommitSha).toBe(repository.git('rev-parse', 'HEAD'));
    expect(() => elsewhere.git('rev-parse', 'HEAD')).toThrow();
  });
});

describe('a process that died around the commit', () => {
  const forgetCommit = (id: number) => {
    fixture.db.prepare("UPDATE file_operations SET git_phase = 'pending', git_commit_sha = NULL").run();
    fixture.db.prepare('UPDATE experiments SET apply_commit_sha = NULL WHERE id = ?').run(id);
  };

  it('after it, before recording it: the commit is found again, not made twice', async () => {
    const repository = homeRepository();
    const { row } = await applyAndLook();
    const head = repository.git('rev-parse', 'HEAD');
    forgetCommit(row.id);
    fixture.clock.advance(10 * 60_000);
    expect(await reconcileOperations(fixture.ctx)).toMatchObject([{ outcome: 'committed' }]);
    expect(getExperiment(fixture.db, row.id).applyCommitSha).toBe(head);
    expect(repository.git('rev-list', '--count', 'HEAD')).toBe('2');
  });

  it('before it: the commit is made at a later start', async () => {
    const repository = homeRepository();
    const { row } = await applyAndLook();
    repository.git('update-ref', 'HEAD', row.baseCommitSha!);
    repository.git('update-index', '--cacheinfo', `100644,${row.baseBlobSha},SOUL.md`);
    forgetCommit(row.id);
    // Its owner may still be at it.
    expect(await reconcileOperations(fixture.ctx)).toEqual([]);
    fixture.clock.advance(10 * 60_000);
    await reconcileOperations(fixture.ctx);
    expect(getExperiment(fixture.db, row.id).applyCommitSha).toBe(repository.git('rev-parse', 'HEAD'));
    expect(repository.git('show', '--name-only', '--format=', 'HEAD')).toBe('SOUL.md');
  });
});

describe('a target behind a link inside the profile', () => {
  it('is committed under its real path', async () => {
    mkdirSync(join(fixture.home, 'text'));
    writeFileSync(join(fixture.home, 'text', 'soul.md'), DEFAULT_SOUL);
    rmSync(fixture.target);
    symlinkSync(join('text', 'soul.md'), fixture.target);
    const repository = homeRepository();
    const id = await live(fixture);
    expect(getExperiment(fixture.db, id).applyCommitSha).toBe(repository.git('rev-parse', 'HEAD'));
    expect(repository.git('show', '--name-only', '--format=', 'HEAD')).toBe('text/soul.md');
    await revertExperiment(fixture.ctx, id, { reason: 'x' });
    expect(readFileSync(join(fixture.home, 'text', 'soul.md'), 'utf8')).toBe(DEFAULT_SOUL);
  });
});
