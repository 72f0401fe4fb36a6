import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { applyExperiment } from '#src/services/apply.js';
import { approve } from '#src/services/approve.js';
import type { Context } from '#src/services/context.js';
import { prepare } from '#src/services/prepare.js';
import { resolveConflict } from '#src/services/resolve.js';
import { revertExperiment } from '#src/services/revert.js';
import { getExperiment, listExperiments } from '#src/store/experiments.js';
import { listSnapshots } from '#src/store/snapshots.js';
import { approved, judged, live } from '../../support/experiments.js';
import type { Operation } from '../operation.js';
import {
  buildRoot,
  checkAgreement,
  checkHistory,
  checkInvariants,
  homeIn,
  LATER_MS,
  PRIOR,
  readTargetIn,
  targetIn,
  withContext,
} from '../world.js';

const REASON = { reason: 'a test' };
const theirs = Buffer.from('A person wrote this.\n');

function onlyExperiment(ctx: Context): number {
  const [row] = listExperiments(ctx.db);
  assert.ok(row !== undefined, 'the experiment is there');
  return row.id;
}

/** As a later command: recover, look, and look again after bringing the edit to its end, which is the prior bytes. */
async function recover(root: string, finish: (ctx: Context, id: number) => Promise<void>): Promise<void> {
  // A git that was killed with its starter leaves its lock, which is a person's to remove; file and state stand without.
  rmSync(join(homeIn(root), '.git', 'index.lock'), { force: true });
  await withContext(
    root,
    async (ctx) => {
      const id = onlyExperiment(ctx);
      await prepare(ctx);
      checkInvariants(root, ctx.db);
      await finish(ctx, id);
      checkInvariants(root, ctx.db);
      checkHistory(root);
      assert.equal(getExperiment(ctx.db, id).state, 'reverted');
      assert.ok(readTargetIn(root).equals(PRIOR), 'the prior bytes are back');
    },
    { laterMs: LATER_MS },
  );
}

async function applyAndRevert(root: string, ctx: Context, id: number): Promise<void> {
  const { state } = checkAgreement(root, id, ctx.db);
  if (state === 'approved') await applyExperiment(ctx, id);
  if (checkAgreement(root, id, ctx.db).state === 'live') await revertExperiment(ctx, id, REASON);
  checkAgreement(root, id, ctx.db);
}

export const approveOperation: Operation = {
  name: 'approve',
  build: (root) => buildRoot(root, async (bench) => void (await judged(bench))),
  run: (root) =>
    withContext(root, async (ctx) => {
      await prepare(ctx);
      await approve(ctx, onlyExperiment(ctx));
    }),
  check: (root) =>
    recover(root, async (ctx, id) => {
      if (checkAgreement(root, id, ctx.db).state === 'proposed') await approve(ctx, id);
      await applyAndRevert(root, ctx, id);
    }),
};

function applying(name: string, options: { readonly git: boolean }): Operation {
  return {
    name,
    build: (root) => buildRoot(root, async (bench) => void (await approved(bench)), options),
    run: (root) =>
      withContext(root, async (ctx) => {
        await prepare(ctx);
        await applyExperiment(ctx, onlyExperiment(ctx));
      }),
    check: (root) => recover(root, (ctx, id) => applyAndRevert(root, ctx, id)),
  };
}

function reverting(name: string, options: { readonly git: boolean }): Operation {
  return {
    name,
    build: (root) => buildRoot(root, async (bench) => void (await live(bench)), options),
    run: (root) =>
      withContext(root, async (ctx) => {
        await prepare(ctx);
        await revertExperiment(ctx, onlyExperiment(ctx), REASON);
      }),
    check: (root) => recover(root, (ctx, id) => applyAndRevert(root, ctx, id)),
  };
}

export const applyOperations = [applying('apply', { git: true }), applying('apply-no-git', { git: false })];
export const revertOperations = [reverting('revert', { git: true }), reverting('revert-no-git', { git: false })];

/** `resolve --restore` over a person's edit: their bytes must be in the file or in a snapshot at every moment. */
export const resolveOperation: Operation = {
  name: 'resolve',
  build: (root) =>
    buildRoot(root, async (bench) => {
      await live(bench);
      writeFileSync(targetIn(root), theirs);
    }),
  run: (root) =>
    withContext(root, async (ctx) => {
      await prepare(ctx);
      await resolveConflict(ctx, onlyExperiment(ctx), { restore: true });
    }),
  check: (root) =>
    recover(root, async (ctx, id) => {
      const { state } = getExperiment(ctx.db, id);
      assert.ok(state === 'live' || state === 'reverted', `not ${state}`);
      if (state === 'live') {
        assert.ok(readTargetIn(root).equals(theirs), "the person's bytes are untouched");
        await resolveConflict(ctx, id, { restore: true });
      }
      const kept = listSnapshots(ctx.db, id).filter((snapshot) => snapshot.kind === 'person');
      assert.ok(
        kept.some((snapshot) => snapshot.content.equals(theirs)),
        "the person's bytes are kept",
      );
    }),
};
