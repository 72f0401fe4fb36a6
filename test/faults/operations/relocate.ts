import assert from 'node:assert/strict';
import { readdirSync, renameSync } from 'node:fs';
import { markerKey } from '#src/hermes/paths.js';
import type { Context } from '#src/services/context.js';
import { relocate } from '#src/services/relocate.js';
import { revertExperiment } from '#src/services/revert.js';
import { listMoves } from '#src/store/profileMoves.js';
import { live } from '../../support/experiments.js';
import type { Operation } from '../operation.js';
import {
  buildRoot,
  checkAgreement,
  checkInvariants,
  homeIn,
  pathsIn,
  PRIOR,
  readTargetIn,
  withContext,
} from '../world.js';

const ID = 1;
const oldIn = (root: string): string => homeIn(root, 'old');

const tell = (ctx: Context, from: string) => relocate(ctx, { from, to: null, stillThere: false, edited: false });

/** A profile with a live edit was renamed; the process that is told so dies. */
export const relocateOperation: Operation = {
  name: 'relocate',
  async build(root) {
    await buildRoot(root, (bench) => live(bench));
    // The records say `old`, the files lie in `dev`, which is where every context of these tests opens.
    renameSync(homeIn(root), oldIn(root));
    await withContext(root, (ctx) => tell(ctx, homeIn(root)), { profile: 'old' });
    renameSync(oldIn(root), homeIn(root));
  },
  run: (root) => withContext(root, async (ctx) => void (await tell(ctx, oldIn(root)))),
  async check(root) {
    await withContext(root, async (ctx) => {
      await tell(ctx, oldIn(root));
      checkInvariants(root, ctx.db);
      checkAgreement(root, ID, ctx.db);
      assert.deepEqual(
        listMoves(ctx.db).map(({ from, to }) => [from, to]),
        [
          [homeIn(root), oldIn(root)],
          [oldIn(root), homeIn(root)],
        ],
        'moved once',
      );
      const { enabledMarkers, liveMarkers } = pathsIn(root);
      const markers = [enabledMarkers, liveMarkers].map((directory) => readdirSync(directory));
      assert.deepEqual(
        markers,
        [[markerKey(homeIn(root))], [markerKey(homeIn(root))]],
        'markers of the new place only',
      );
      await revertExperiment(ctx, ID, { reason: 'test' });
      assert.ok(readTargetIn(root).equals(PRIOR), 'the prior bytes');
    });
  },
};
