import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import type * as fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { isKarpathyError, type KarpathyError } from '#src/errors.js';
import { applyExperiment } from '#src/services/apply.js';
import { backup } from '#src/services/backup.js';
import { prepare } from '#src/services/prepare.js';
import { resolveConflict } from '#src/services/resolve.js';
import { revertExperiment } from '#src/services/revert.js';
import { snapshotExport } from '#src/services/snapshotExport.js';
import { getExperiment } from '#src/store/experiments.js';
import { openFileOperations } from '#src/store/fileOperations.js';
import { listSnapshots } from '#src/store/snapshots.js';
import { testContext, type TestContext } from '../../support/context.js';
import { approved, live } from '../../support/experiments.js';
import { failAt, fault } from '../../support/faultyFs.js';

vi.mock('node:fs', async (original) => {
  const { faultyFs } = await import('../../support/faultyFs.js');
  return faultyFs(await original<typeof fs>());
});
afterEach(() => Object.assign(fault, { at: 0, calls: 0 }));

const THEIRS = 'A person wrote this.\n';
const NO_MORE = { reason: 'a test' };

interface Case {
  readonly build: (fixture: TestContext) => Promise<number>;
  readonly work: (fixture: TestContext, id: number) => unknown;
  /** Whether the work is done, by what is there. */
  readonly isDone: (fixture: TestContext, id: number) => boolean;
}

const inState = (state: string) => (fixture: TestContext, id: number) => getExperiment(fixture.db, id).state === state;
const copy = (fixture: TestContext) => join(fixture.root, 'copy');

const CASES: Readonly<Record<string, Case>> = {
  apply: {
    build: (fixture) => approved(fixture),
    work: (fixture, id) => applyExperiment(fixture.ctx, id),
    isDone: inState('live'),
  },
  revert: {
    build: (fixture) => live(fixture),
    work: (fixture, id) => revertExperiment(fixture.ctx, id, NO_MORE),
    isDone: inState('reverted'),
  },
  'resolve --restore': {
    build: async (fixture) => {
      const id = await live(fixture);
      writeFileSync(fixture.target, THEIRS);
      return id;
    },
    work: (fixture, id) => resolveConflict(fixture.ctx, id, { restore: true }),
    isDone: inState('reverted'),
  },
  'snapshot export': {
    build: (fixture) => live(fixture),
    work: (fixture, id) => snapshotExport(fixture.ctx, id, { toFile: copy(fixture) }),
    isDone: (fixture) => existsSync(copy(fixture)),
  },
  backup: {
    build: (fixture) => live(fixture),
    work: (fixture) => backup(fixture.ctx, { toFile: copy(fixture) }),
    isDone: (fixture) => existsSync(copy(fixture)),
  },
};

/** What must hold whether it failed or not: nothing half-written, nothing lost, state and file agree. */
function nothingLost(fixture: TestContext, id: number, theirs: Buffer): void {
  const left = [fixture.home, fixture.root, fixture.ctx.paths.snapshotsDir]
    .filter((directory) => existsSync(directory))
    .flatMap((directory) => readdirSync(directory).filter((name) => /karpathy-[0-9a-f]{12}$|partial/.test(name)));
  expect(left).toEqual([]);
  const { state, baseContent, candidateContent } = getExperiment(fixture.db, id);
  const file = readFileSync(fixture.target);
  const allowed = state === 'live' ? [candidateContent, theirs] : [baseContent];
  expect(
    allowed.some((bytes) => bytes?.equals(file)),
    `the file is what ${state} means`,
  ).toBe(true);
  if (file.equals(theirs) || theirs.toString() !== THEIRS) return;
  expect(listSnapshots(fixture.db, id).some((snapshot) => snapshot.content.equals(theirs))).toBe(true);
}

/** What it failed with, which must be an error that a person can be shown; null when it went through. */
async function failure(work: () => unknown): Promise<KarpathyError | null> {
  try {
    await work();
    return null;
  } catch (error) {
    if (isKarpathyError(error)) return error;
    throw error;
  }
}

describe.each(Object.entries(CASES))('%s, with a disk that fails', (_, { build, work, isDone }) => {
  it('at each of its writes: an error with path and way out, nothing lost, and it can be asked for again', async () => {
    const clean = testContext();
    const cleanId = await build(clean);
    fault.calls = 0;
    await work(clean, cleanId);
    const writes = fault.calls;
    expect(writes).toBeGreaterThanOrEqual(4);
    clean.close();

    let failed = 0;
    for (let at = 1; at <= writes; at++) {
      const fixture = testContext();
      const id = await build(fixture);
      const theirs = readFileSync(fixture.target);
      failAt(at);
      const error = await failure(() => work(fixture, id));
      fault.at = 0;
      nothingLost(fixture, id, theirs);
      if (error !== null) {
        failed += 1;
        expect(error).toMatchObject({ code: 'io', exitCode: 1 });
        expect(error.message).toContain(fixture.root);
        expect(error.message).not.toContain('\n');
        expect(error.hint).toBeDefined();
        expect(isDone(fixture, id)).toBe(false);
        await prepare(fixture.ctx);
        await work(fixture, id);
      }
      expect(isDone(fixture, id)).toBe(true);
      expect(openFileOperations(fixture.db)).toEqual([]);
      nothingLost(fixture, id, theirs);
      fixture.close();
    }
    expect(failed).toBeGreaterThanOrEqual(2);
  });
});
