import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { makeScrubber } from '#src/domain/secrets.js';
import { applyExperiment } from '#src/services/apply.js';
import { reconcileOperations } from '#src/services/reconcile.js';
import { revertExperiment } from '#src/services/revert.js';
import { getExperiment } from '#src/store/experiments.js';
import { DEFAULT_SOUL, temporaryDirectory, testContext, type TestContext } from '../../support/context.js';
import { approved, live, NEW_SENTENCE } from '../../support/experiments.js';
import { createRepository, type TestRepository } from '../../support/gitRepository.js';

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
  return { row };
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
});

describe('where a commit is possible but unusual', () => {
  it('a file name that is a pattern for git is taken literally', async () => {
    const id = await approved(fixture);
    writeFileSync(join(fixture.home, '[S]OUL.md'), DEFAULT_SOUL);
    const repository = homeRepository();
    fixture.db.prepare('UPDATE experiments SET target_relpath = ?').run('[S]OUL.md');
    const row = await applyExperiment(fixture.ctx, id);
    expect(row.applyCommitSha).not.toBeNull();
    expect(repository.git('show', '--name-only', '--format=', 'HEAD')).toBe('[S]OUL.md');
  });
});

it('a hook that prints a key does not bring it into the records', async () => {
  const repository = homeRepository();
  const key = ['cnry', 'hook', '7f3Qa9Zk1Lm5'].join('-');
  repository.hook('pre-commit', `echo "refused with ${key}" >&2; exit 1`);
  const scrub = makeScrubber(() => [key]);
  const row = await applyExperiment({ ...fixture.ctx, scrub }, await approved(fixture));
  expect(row.gitNote).toBe('apply: refused with ***');
  expect(JSON.stringify(fixture.db.prepare('SELECT git_reason FROM file_operations').all())).not.toContain(key);
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
