import { readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import type { KarpathyError } from '#src/errors.js';
import { replaceFile } from '#src/ratchet/atomicFile.js';
import { readTarget } from '#src/ratchet/target.js';
import { applyExperiment } from '#src/services/apply.js';
import { carryOut, recordIntent, type FileChange } from '#src/services/fileChange.js';
import { reconcileOperations } from '#src/services/reconcile.js';
import { reject } from '#src/services/reject.js';
import { resolveConflict } from '#src/services/resolve.js';
import { revertExperiment } from '#src/services/revert.js';
import { openDatabase } from '#src/store/database.js';
import { getExperiment, history } from '#src/store/experiments.js';
import { getFileOperation, listFileOperations, openFileOperations } from '#src/store/fileOperations.js';
import { DEFAULT_SOUL, testContext, type TestContext } from '../../support/context.js';
import { approved, live, NEW_SENTENCE } from '../../support/experiments.js';

const APPLIED = `${DEFAULT_SOUL}${NEW_SENTENCE}\n`;
const NO_GIT = { tree: null, reason: 'the profile is not in a git work tree' } as const;

let fixture: TestContext;
beforeEach(() => {
  fixture = testContext();
});

const soul = () => readFileSync(fixture.target, 'utf8');
const row = (id: number) => getExperiment(fixture.db, id);

function change(id: number, kind: 'apply' | 'revert'): FileChange {
  const experiment = row(id);
  const file = readTarget(experiment.targetProfileRoot, experiment.targetRelpath);
  return {
    experiment,
    kind,
    to: kind === 'apply' ? 'live' : 'reverted',
    path: file.path,
    mode: file.mode,
    prior: file.bytes,
    next: kind === 'apply' ? experiment.candidateContent! : experiment.baseContent!,
    actor: 'person@cli',
    reason: kind,
  };
}

/** What a process that dies right after committing its intent leaves. */
const dieAfterIntent = (id: number, kind: 'apply' | 'revert') => recordIntent(fixture.ctx, change(id, kind), NO_GIT);

/** What a process leaves that dies between the rename and the commit: SQLite rolls its transaction back. */
function dieAfterRename(id: number, kind: 'apply' | 'revert') {
  const operation = dieAfterIntent(id, kind);
  replaceFile(operation.path, operation.newContent, { mode: operation.mode });
  return operation;
}

describe('an apply that died', () => {
  it('after its intent is cancelled and can be asked for again', async () => {
    const id = await approved(fixture);
    const { id: operationId } = dieAfterIntent(id, 'apply');
    expect(await reconcileOperations(fixture.ctx)).toMatchObject([{ operationId, outcome: 'cancelled' }]);
    expect([row(id).state, soul()]).toEqual(['approved', DEFAULT_SOUL]);
    await applyExperiment(fixture.ctx, id);
    expect([row(id).state, soul()]).toEqual(['live', APPLIED]);
  });

  it('after the rename is finished, with its audit row and window', async () => {
    const id = await approved(fixture);
    dieAfterRename(id, 'apply');
    expect(await reconcileOperations(fixture.ctx)).toMatchObject([{ outcome: 'finished' }]);
    expect([row(id).state, soul()]).toEqual(['live', APPLIED]);
    expect(history(fixture.db, id).at(-1)).toMatchObject({
      fromState: 'approved',
      toState: 'live',
      actor: 'person@cli',
    });
  });

  it('while a temporary file was half written leaves none behind', async () => {
    const id = await approved(fixture);
    dieAfterIntent(id, 'apply');
    writeFileSync(join(fixture.home, '.SOUL.md.karpathy-00112233aabb'), DEFAULT_SOUL.slice(0, 5));
    await reconcileOperations(fixture.ctx);
    expect(readdirSync(fixture.home)).toEqual(['SOUL.md']);
  });

  it('and whose file a person edited since is a conflict: nothing is written', async () => {
    const id = await approved(fixture);
    dieAfterRename(id, 'apply');
    writeFileSync(fixture.target, 'Mine.\n');
    expect(await reconcileOperations(fixture.ctx)).toMatchObject([{ outcome: 'conflict' }]);
    expect(row(id)).toMatchObject({ state: 'approved', manualConflictDetected: true });
    expect(soul()).toBe('Mine.\n');
    await reject(fixture.ctx, id, { reason: 'written over' });
    expect(row(id).state).toBe('rejected');
  });

  it('and whose file is gone is a conflict: nothing is created', async () => {
    const id = await approved(fixture);
    dieAfterIntent(id, 'apply');
    rmSync(fixture.target);
    expect(await reconcileOperations(fixture.ctx)).toMatchObject([{ outcome: 'conflict' }]);
    expect(readdirSync(fixture.home)).toEqual([]);
  });
});

describe('a revert that died', () => {
  it('after its intent is rolled forward', async () => {
    const id = await live(fixture);
    dieAfterIntent(id, 'revert');
    expect(await reconcileOperations(fixture.ctx)).toMatchObject([{ outcome: 'rolled_forward' }]);
    expect([row(id).state, soul()]).toEqual(['reverted', DEFAULT_SOUL]);
    expect(listFileOperations(fixture.db, id).at(-1)).toMatchObject({
      phase: 'done',
      reconciledAt: fixture.clock.now(),
    });
  });

  it('after the rename is finished', async () => {
    const id = await live(fixture);
    dieAfterRename(id, 'revert');
    expect(await reconcileOperations(fixture.ctx)).toMatchObject([{ outcome: 'finished' }]);
    expect([row(id).state, soul()]).toEqual(['reverted', DEFAULT_SOUL]);
  });

  it('and whose file a person edited since is a conflict that resolve ends', async () => {
    const id = await live(fixture);
    dieAfterIntent(id, 'revert');
    writeFileSync(fixture.target, 'Mine.\n');
    expect(await reconcileOperations(fixture.ctx)).toMatchObject([{ outcome: 'conflict' }]);
    expect(row(id)).toMatchObject({ state: 'live', manualConflictDetected: true });
    await resolveConflict(fixture.ctx, id, { keepMine: true });
    expect([row(id).state, soul()]).toEqual(['reverted', 'Mine.\n']);
  });

  it('and whose target became a link to another file is a conflict, and the link stays', async () => {
    const id = await live(fixture);
    dieAfterIntent(id, 'revert');
    rmSync(fixture.target);
    writeFileSync(join(fixture.home, 'other.md'), APPLIED);
    symlinkSync('other.md', fixture.target);
    expect(await reconcileOperations(fixture.ctx)).toMatchObject([{ outcome: 'conflict' }]);
    expect(readFileSync(join(fixture.home, 'other.md'), 'utf8')).toBe(APPLIED);
  });
});

describe('a process that reconciles', () => {
  it('does nothing when nothing is open', async () => {
    await live(fixture);
    expect(await reconcileOperations(fixture.ctx)).toEqual([]);
  });

  it('ends an operation once, whoever comes second', async () => {
    const id = await approved(fixture);
    dieAfterRename(id, 'apply');
    const other = testContext({ root: fixture.root, initialised: true });
    const [first, second] = await Promise.all([reconcileOperations(fixture.ctx), reconcileOperations(other.ctx)]);
    expect([...first, ...second]).toHaveLength(1);
    expect(history(fixture.db, id).map((entry) => entry.toState)).toEqual(['proposed', 'approved', 'live']);
    other.close();
  });

  it('looks after the operations of every profile', async () => {
    const id = await approved(fixture);
    dieAfterRename(id, 'apply');
    const other = testContext({ root: fixture.root, profile: 'work', soul: 'Be kind.\n' });
    expect(await reconcileOperations(other.ctx)).toHaveLength(1);
    expect(row(id).state).toBe('live');
    other.close();
  });

  it('cannot be overtaken: an owner that comes late finds its intent ended and writes nothing', async () => {
    const id = await approved(fixture);
    const operation = dieAfterIntent(id, 'apply');
    await reconcileOperations(fixture.ctx);
    expect(carryOut(fixture.ctx, operation.id, { reconciled: false }).phase).toBe('cancelled');
    expect(soul()).toBe(DEFAULT_SOUL);
  });
});

describe('while an operation is open', () => {
  it('the experiment cannot be decided otherwise', async () => {
    const id = await approved(fixture);
    dieAfterIntent(id, 'apply');
    await expect(reject(fixture.ctx, id, { reason: 'no' })).rejects.toMatchObject({ code: 'busy' });
    await expect(applyExperiment(fixture.ctx, id)).rejects.toMatchObject({ code: 'busy' });
    expect(openFileOperations(fixture.db)).toHaveLength(1);
  });

  it('a second connection sees the intent before the file has changed', async () => {
    const id = await approved(fixture);
    dieAfterIntent(id, 'apply');
    const second = openDatabase(fixture.ctx.paths.dbPath);
    expect(openFileOperations(second)).toMatchObject([
      { experimentId: id, kind: 'apply', priorContent: Buffer.from(DEFAULT_SOUL), newContent: Buffer.from(APPLIED) },
    ]);
    second.close();
  });
});

describe('two processes that want the same', () => {
  it('apply it once; the loser is told why', async () => {
    const id = await approved(fixture);
    const other = testContext({ root: fixture.root });
    const results = await Promise.allSettled([applyExperiment(fixture.ctx, id), applyExperiment(other.ctx, id)]);
    const lost = results.filter((result) => result.status === 'rejected');
    expect(lost).toHaveLength(1);
    expect(['wrong_state', 'stale', 'busy', 'conflict']).toContain((lost[0]!.reason as KarpathyError).code);
    expect(soul()).toBe(APPLIED);
    expect(row(id)).toMatchObject({ state: 'live', manualConflictDetected: false });
    expect(history(fixture.db, id).map((entry) => entry.toState)).toEqual(['proposed', 'approved', 'live']);
    expect(openFileOperations(fixture.db)).toEqual([]);
    other.close();
  });

  it('revert it once; what the winner wrote is no conflict', async () => {
    const id = await live(fixture);
    const other = testContext({ root: fixture.root });
    const reason = { reason: 'x' };
    await Promise.allSettled([revertExperiment(fixture.ctx, id, reason), revertExperiment(other.ctx, id, reason)]);
    expect(soul()).toBe(DEFAULT_SOUL);
    expect(row(id)).toMatchObject({ state: 'reverted', manualConflictDetected: false });
    expect(history(fixture.db, id).filter((entry) => entry.toState === 'reverted')).toHaveLength(1);
    other.close();
  });
});

describe('an edit in the last moment', () => {
  it('between intent and write is seen under the lock; nothing is written', async () => {
    const id = await approved(fixture);
    const operation = dieAfterIntent(id, 'apply');
    writeFileSync(fixture.target, 'Mine.\n');
    expect(() => carryOut(fixture.ctx, operation.id, { reconciled: false })).toThrow(/changed by somebody else/);
    expect([row(id).state, soul()]).toEqual(['approved', 'Mine.\n']);
    expect(getFileOperation(fixture.db, operation.id).phase).toBe('intent');
  });

  it('is a swap of the target for a link of the same content, too', async () => {
    const id = await approved(fixture);
    const operation = dieAfterIntent(id, 'apply');
    rmSync(fixture.target);
    writeFileSync(join(fixture.home, 'other.md'), DEFAULT_SOUL);
    symlinkSync('other.md', fixture.target);
    expect(() => carryOut(fixture.ctx, operation.id, { reconciled: false })).toThrow();
    expect(readFileSync(join(fixture.home, 'other.md'), 'utf8')).toBe(DEFAULT_SOUL);
  });
});

describe('a write that fails', () => {
  it('leaves the experiment as it was, with nothing open', async () => {
    const id = await live(fixture);
    // Stands for a disk that is full when the transaction commits.
    fixture.db.exec(`CREATE TRIGGER full_disk BEFORE INSERT ON experiment_state_transitions
      BEGIN SELECT RAISE(ABORT, 'disk full'); END`);
    await expect(revertExperiment(fixture.ctx, id, { reason: 'x' })).rejects.toThrow('disk full');
    // The file had been replaced and the commit failed: the intent waits for a start that can write again.
    expect([row(id).state, soul()]).toEqual(['live', DEFAULT_SOUL]);
    expect(openFileOperations(fixture.db)).toHaveLength(1);
    fixture.db.exec('DROP TRIGGER full_disk');
    expect(await reconcileOperations(fixture.ctx)).toMatchObject([{ outcome: 'finished' }]);
    expect(row(id).state).toBe('reverted');
  });
});
