import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { commitTarget } from '#src/ratchet/gitCommit.js';
import { sha256 } from '#src/ratchet/digest.js';
import { applyExperiment } from '#src/services/apply.js';
import { revertExperiment } from '#src/services/revert.js';
import { listFileOperations } from '#src/store/fileOperations.js';
import { DEFAULT_SOUL, temporaryDirectory, testContext, type TestContext } from '../../support/context.js';
import { approved, NEW_SENTENCE } from '../../support/experiments.js';
import { repositoryAt, type TestRepository } from '../../support/gitRepository.js';
import { PROJECT_DIR } from '../../support/project.js';
import { GIT_STATES, template } from './gitStates.js';

const APPLIED = `${DEFAULT_SOUL}${NEW_SENTENCE}\n`;

let fixture: TestContext;
let bin: string;
beforeEach(() => {
  const HOME = temporaryDirectory();
  bin = join(HOME, 'bin');
  mkdirSync(bin);
  fixture = testContext({
    context: { env: { PATH: `${bin}:${process.env.PATH ?? ''}`, HOME, XDG_CONFIG_HOME: HOME } },
  });
});

/** Every file but the target, git's and ours, by its bytes. */
function otherFiles(root: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const path = relative(root, join(entry.parentPath, entry.name));
    if (!entry.isFile() || /(^|\/)(\.git\/|SOUL\.md$|plugin-data\/|[^/]*\.db)/.test(path)) continue;
    found[path] = sha256(readFileSync(join(root, path)));
  }
  return found;
}

/** What a person would miss if it changed. */
function look(repository: TestRepository | null, target: string) {
  if (repository === null) return null;
  const git = (...args: string[]) => {
    try {
      return repository.git(...args);
    } catch {
      return null;
    }
  };
  const entries = (git('-c', 'sparse.expectFilesOutsideOfPatterns=true', 'ls-files', '-s', '-v') ?? '').split('\n');
  return {
    head: git('rev-parse', '--verify', '--quiet', 'HEAD'),
    others: entries.filter((line) => !line.endsWith(`\t${target}`)),
    entry: entries.filter((line) => line.endsWith(`\t${target}`)),
    branch: git('symbolic-ref', '--quiet', 'HEAD'),
    stashes: git('stash', 'list'),
  };
}

describe.each(GIT_STATES)('git: $state', (row) => {
  it(`${row.commit}; the file operation stands, and nothing else is touched`, { timeout: 30_000 }, async () => {
    if (row.from !== 'nothing') cpSync(template(), fixture.home, { recursive: true });
    const inHome = repositoryAt(fixture.home);
    row.arrange(inHome, { root: fixture.root, bin });
    const before = readFileSync(fixture.target, 'utf8');
    const ctx = { ...fixture.ctx, env: { ...fixture.ctx.env, ...row.env?.() } };
    const repository = row.seen === null ? null : row.seen === 'root' ? repositoryAt(fixture.root) : inHome;
    const name = row.seen === 'root' ? 'profiles/dev/SOUL.md' : 'SOUL.md';
    const seen = look(repository, name);
    const files = otherFiles(fixture.root);

    const id = await approved(fixture);
    const applied = await applyExperiment(ctx, id);
    const [operation] = listFileOperations(fixture.db, id);
    const now = look(repository, name);

    expect(applied.state).toBe('live');
    if (row.hookRewrites !== true)
      expect(readFileSync(fixture.target, 'utf8')).toBe(before + APPLIED.slice(DEFAULT_SOUL.length));
    expect(operation).toMatchObject({ phase: 'done', gitPhase: row.commit, gitCommitSha: applied.applyCommitSha });
    if (row.reason === undefined) expect(applied.gitNote).toBeNull();
    else expect(applied.gitNote).toMatch(row.reason);
    expect(otherFiles(fixture.root)).toEqual(files);
    expect({ others: now?.others, branch: now?.branch, stashes: now?.stashes }).toEqual({
      others: seen?.others,
      branch: seen?.branch,
      stashes: seen?.stashes,
    });
    if (row.commit === 'committed')
      expectCommit(repository!, { name, base: seen!.head!, applied, also: row.alsoCommits });
    else expect({ head: now?.head, entry: now?.entry }).toEqual({ head: seen?.head, entry: seen?.entry });

    if (row.hookRewrites === true) return;
    const reverted = await revertExperiment(ctx, id, { reason: 'enough' });
    expect(readFileSync(fixture.target, 'utf8')).toBe(before);
    expect(otherFiles(fixture.root)).toEqual(files);
    expect(look(repository, name)?.others).toEqual(seen?.others);
    if (row.commit === 'committed') {
      expect(reverted.revertCommitSha).toBe(repository!.git('rev-parse', 'HEAD'));
      expect(repository!.git('diff', '--name-only', seen!.head!, 'HEAD')).toBe(row.alsoCommits ?? '');
      expect(look(repository, name)?.entry).toEqual(seen?.entry);
    } else {
      expect(reverted.revertCommitSha).toBeNull();
      expect(look(repository, name)).toEqual(seen);
    }
  });
});

function expectCommit(
  repository: TestRepository,
  at: { name: string; base: string; applied: Awaited<ReturnType<typeof applyExperiment>>; also: string | undefined },
): void {
  const head = repository.git('rev-parse', 'HEAD');
  expect(at.applied).toMatchObject({
    applyCommitSha: head,
    baseCommitSha: at.base,
    baseBlobSha: repository.git('rev-parse', `HEAD^:${at.name}`),
    profileGitRoot: repository.root,
    dirtyBeforeApply: false,
  });
  expect(repository.git('rev-parse', 'HEAD^')).toBe(at.base);
  expect(repository.git('diff-tree', '-r', '--no-commit-id', '--name-only', 'HEAD').split('\n')).toEqual([
    at.name,
    ...(at.also === undefined ? [] : [at.also]),
  ]);
  expect(repository.git('rev-parse', `:${at.name}`)).toBe(repository.git('rev-parse', `HEAD:${at.name}`));
}

it('docs/ratchet.md names every state', () => {
  const docs = readFileSync(join(PROJECT_DIR, 'docs/ratchet.md'), 'utf8').replaceAll('`', '');
  const rows = GIT_STATES.filter(
    (row) =>
      !docs.includes(
        `| ${row.state} | ${row.commit === 'committed' ? 'yes' : row.commit === 'skipped' ? 'no' : 'failed'}`,
      ),
  );
  expect(rows.map((row) => row.state)).toEqual([]);
});

describe('a git that hangs', () => {
  const request = (repository: TestRepository) => ({
    path: join(repository.root, 'SOUL.md'),
    root: repository.root,
    priorBlob: repository.git('rev-parse', 'HEAD:SOUL.md'),
    experimentId: 1,
    operation: 'apply' as const,
    profile: 'dev',
  });
  const hanging = (hook: string) => {
    cpSync(template(), fixture.home, { recursive: true });
    const repository = repositoryAt(fixture.home);
    repository.hook(hook, 'sleep 20 </dev/null >/dev/null 2>&1');
    const asked = request(repository);
    writeFileSync(fixture.target, APPLIED);
    return { repository, asked };
  };

  it('before the commit is ended: failed, and no lock is left', async () => {
    const { repository, asked } = hanging('pre-commit');
    const head = repository.git('rev-parse', 'HEAD');
    const result = await commitTarget(asked, fixture.ctx.env, { silenceMs: 400 });
    expect(result).toMatchObject({ phase: 'failed', reason: 'git said nothing for 0.4 s and was ended' });
    expect(repository.git('rev-parse', 'HEAD')).toBe(head);
    expect(existsSync(join(fixture.home, '.git', 'index.lock'))).toBe(false);
  });

  it('after the commit is ended: the commit is recorded, and why it is unusual', async () => {
    const { repository, asked } = hanging('post-commit');
    const result = await commitTarget(asked, fixture.ctx.env, { silenceMs: 400 });
    expect(result).toMatchObject({ phase: 'committed', commitSha: repository.git('rev-parse', 'HEAD') });
    expect(result.reason).toContain('git said nothing');
  });
});
