import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Arm } from '#src/domain/experiment.js';
import { asHostReads } from '#src/domain/promptText.js';
import type { Context } from '#src/services/context.js';
import { revertExperiment } from '#src/services/revert.js';
import { tick } from '#src/services/tick.js';
import { getExperiment, history, listExperiments } from '#src/store/experiments.js';
import { live } from '../../support/experiments.js';
import { completedSession, promptWith } from '../../support/observed.js';
import { HOLDOUT, insertScenarios, memoryRunner } from '../agent.js';
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
  withContext,
} from '../world.js';

const SESSIONS = 3;
const CONFIG = {
  gate: { min_power: 0 },
  background: { evaluate: true },
  live: { sessions: SESSIONS },
};

/** A live window that is full, with its sessions still in the spool. */
async function build(root: string): Promise<void> {
  writeFileSync(join(root, 'config.yaml'), JSON.stringify({ plugins: { karpathy_self_improve: CONFIG } }));
  await buildRoot(root, async (bench) => {
    insertScenarios(bench, { split: 'holdout', count: HOLDOUT });
    const { appliedAt } = getExperiment(bench.db, await live(bench, { autoRevert: true }));
    const prompt = promptWith(asHostReads(readTargetIn(root).toString('utf8')));
    for (let index = 0; index < SESSIONS; index++) {
      const startedAt = (appliedAt ?? 0) + 1 + index;
      completedSession({ ctx: bench.ctx, home: homeIn(root) }, { id: `s${index}`, prompt, startedAt });
    }
  });
}

const asHook = (ctx: Context): Context => ({
  ...ctx,
  surface: { ...ctx.surface, kind: 'tick', interactive: false },
  actor: 'ratchet',
});

/** A hook's wake-up: ingests, counts, and judges the full window by fresh trials, in which `better` does better. */
function ticking(name: string, better: Arm): Operation {
  const context = { makeRunner: memoryRunner(better) };
  const wake = async (ctx: Context): Promise<void> => {
    const { waiting } = await tick(asHook(ctx));
    assert.deepEqual(waiting, [], 'nothing waits for a person');
  };
  return {
    name,
    build,
    run: (root) => withContext(root, wake, { context }),
    check: async (root) => {
      rmSync(join(homeIn(root), '.git', 'index.lock'), { force: true });
      await withContext(
        root,
        async (ctx) => {
          await wake(ctx);
          checkInvariants(root, ctx.db);
          checkHistory(root);
          const [{ id } = { id: 0 }] = listExperiments(ctx.db);
          const { state } = checkAgreement(root, id, ctx.db);
          assert.equal(state, better === 'candidate' ? 'verified' : 'reverted', 'as the fresh trials say');
          checkOnce(ctx, { id, verified: state === 'verified' });
          assert.deepEqual((await tick(asHook(ctx))).judged, [], 'nothing is judged twice');
          if (state === 'verified') await revertExperiment(ctx, id, { reason: 'a test' });
          checkInvariants(root, ctx.db);
          assert.ok(readTargetIn(root).equals(PRIOR), 'the prior bytes are back');
        },
        { laterMs: LATER_MS, context },
      );
    },
  };
}

function checkOnce(ctx: Context, { id, verified }: { id: number; verified: boolean }): void {
  const number = (sql: string) => ctx.db.prepare(sql).pluck().get() as number;
  const closing = history(ctx.db, id).at(-1);
  assert.equal(closing?.actor, 'ratchet', 'decided by the ratchet');
  assert.equal(number("SELECT count(*) FROM spool_events WHERE hook = 'post_llm_call'"), SESSIONS, 'events once');
  assert.equal(number("SELECT count(*) FROM jobs WHERE kind = 'window' AND state = 'finished'"), 1, 'the job is done');
  assert.equal(number('SELECT count(*) FROM jobs'), 1, 'and was no other');
  assert.equal(number("SELECT count(*) FROM eval_runs WHERE state = 'finished'"), 1, 'one fresh comparison');
  assert.equal(number('SELECT count(*) FROM eval_runs'), 1, 'and no other');
  assert.equal(number('SELECT count(*) FROM baselines'), verified ? 1 : 0, 'one baseline for a verified text');
  assert.equal(number("SELECT count(*) FROM cost_ledger WHERE state = 'reserved'"), 0, 'no reservation is open');
}

export const tickOperations = [ticking('tick', 'candidate'), ticking('tick-revert', 'incumbent')];
