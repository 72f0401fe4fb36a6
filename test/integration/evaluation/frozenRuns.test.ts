import { existsSync, mkdirSync, readdirSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { frozenRuns } from '#src/evaluation/slotTemplate.js';
import { dropDeadFrozen } from '#src/services/frozenRuns.js';
import { planRun } from '#src/services/planRun.js';
import { immediate } from '#src/store/database.js';
import { endEvalRun } from '#src/store/evalRuns.js';
import { transition } from '#src/store/experiments.js';
import { snapshotsForPlan } from '#src/store/scenarios.js';
import { evaluation, type Evaluation } from './fixture.js';

async function plannedRun({ ctx, profileId }: Evaluation, experimentId: number | null): Promise<number> {
  const { id } = await planRun(ctx, {
    ...{ purpose: 'calibration', experimentId, arms: ['incumbent'], epochs: 1, looks: [], alpha: 0 },
    contents: { incumbent: Buffer.from('text'), candidate: null },
    ...{ scenarios: snapshotsForPlan(ctx.db, profileId), targetRelpath: 'SOUL.md', proposer: null },
  });
  return id;
}

it('removes what was frozen for runs that are over, and nothing that a run may go on with', async () => {
  const made = evaluation({ outcome: () => true });
  const { ctx, experimentId, clock } = made;
  const dir = frozenRuns(ctx.paths.slotsDir);
  const freeze = (id: number): void => void mkdirSync(join(dir, String(id), 'home'), { recursive: true });
  dropDeadFrozen(ctx); // nothing was frozen yet
  const [open, over, cancelled, ofEdit] = [
    await plannedRun(made, null),
    await plannedRun(made, null),
    await plannedRun(made, null),
    await plannedRun(made, experimentId),
  ];
  for (const id of [open, over, cancelled, ofEdit, 4711]) freeze(id);
  const at = ctx.clock.now();
  endEvalRun(ctx.db, open, { state: 'interrupted', at, failure: 'stopped' });
  endEvalRun(ctx.db, over, { state: 'finished', at });
  endEvalRun(ctx.db, cancelled, { state: 'cancelled', at, failure: 'another run took its place' });
  utimesSync(join(dir, '4711'), at / 1000, at / 1000);
  dropDeadFrozen(ctx);
  expect(readdirSync(dir).map(Number).sort()).toEqual([open, ofEdit, 4711].sort());
  immediate(ctx.db, () =>
    transition(ctx.db, { id: experimentId, from: 'proposed', to: 'rejected', actor: 'gate', reason: 'no', at }),
  );
  clock.advance(8 * 24 * 60 * 60 * 1000);
  dropDeadFrozen(ctx);
  expect(readdirSync(dir)).toEqual([String(open)]);
  expect(existsSync(join(dir, String(open), 'home'))).toBe(true);
});
