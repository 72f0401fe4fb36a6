import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Arm } from '#src/domain/experiment.js';
import type { TrialResult, TrialSpec } from '#src/ports.js';
import type { Context } from '#src/services/context.js';
import { enqueue, work } from '#src/services/work.js';
import { getExperiment, listExperiments } from '#src/store/experiments.js';
import { listScenarioResults } from '#src/store/scenarioResults.js';
import { insertScenario } from '#src/store/scenarios.js';
import { proposed } from '../../support/experiments.js';
import type { Operation } from '../operation.js';
import { buildRoot, checkAgreement, checkInvariants, LATER_MS, withContext } from '../world.js';

const HOLDOUT = 14;

/** Decided by the arm alone, so that the verdict does not depend on what was interrupted. */
const passesAlways = (arm: Arm): boolean => arm === 'candidate';

function answer(spec: TrialSpec): TrialResult {
  const passes = passesAlways(spec.arm);
  return {
    kind: 'completed',
    // No two answers in the same words, as of a model that is asked each time.
    response: `${passes ? 'yes' : 'no'} ${randomUUID()}`,
    toolCalls: [],
    questionsAsked: 0,
    files: new Map(),
    sessionId: `${spec.scenario.id}-${spec.arm}`,
    model: 'agent-model',
    apiCalls: 1,
    inputTokens: 900,
    outputTokens: 100,
    totalTokens: 1000,
    costUsd: null,
    costSource: null,
    limitReached: null,
    durationMs: 10,
  };
}

const makeRunner: Context['makeRunner'] = () => ({
  name: 'memory',
  run: async (spec) => answer(spec),
  close: async () => undefined,
});

/** A job with its lease, its trials, verdict and error budget. The next executor goes on from the finished trials. */
export const evaluateOperation: Operation = {
  name: 'evaluate',
  build: async (root) => {
    await buildRoot(root, (bench) => {
      const { ctx, profileId } = bench;
      for (let index = 0; index < HOLDOUT; index++) {
        const name = `holdout-${index}`;
        insertScenario(ctx.db, {
          ...{ profileId, name, group: name, split: 'holdout', realToolsConfirmedBy: null, at: ctx.clock.now() },
          spec: { input: `Question ${index}?`, checks: [{ must_contain: 'yes' }] },
        });
      }
      enqueue(ctx, { kind: 'evaluate', experimentId: proposed(bench) });
    });
    // A small suite keeps a run short; its power is not what is tested here.
    writeFileSync(join(root, 'config.yaml'), 'plugins: {karpathy_self_improve: {gate: {min_power: 0}}}\n');
  },
  run: (root) =>
    withContext(
      root,
      async (ctx) => {
        const { ran } = await work(ctx);
        for (const { error } of ran) assert.equal(error, null);
      },
      { context: { makeRunner } },
    ),
  check: (root) =>
    withContext(
      root,
      async (ctx) => {
        const { ran } = await work(ctx);
        const broken = ran.filter((job) => job.error !== null);
        assert.deepEqual(broken, [], 'the job does not fail');
        checkInvariants(root, ctx.db);
        const [{ id } = { id: 0 }] = listExperiments(ctx.db);
        checkAgreement(root, id, ctx.db);
        const row = getExperiment(ctx.db, id);
        assert.deepEqual([row.state, row.verdict], ['proposed', 'keep'], 'the verdict of a run nobody killed');
        const number = (sql: string) => ctx.db.prepare(sql).pluck().get() as number;
        assert.equal(number("SELECT count(*) FROM jobs WHERE state = 'finished'"), 1, 'the job is done');
        assert.equal(number('SELECT count(*) FROM jobs'), 1, 'and was no other');
        assert.equal(number("SELECT count(*) FROM eval_runs WHERE state = 'finished'"), 1, 'one eval run');
        assert.equal(number('SELECT count(*) FROM eval_runs'), 1, 'and no other');
        assert.equal(number('SELECT count(*) FROM error_budget_ledger'), 1, 'the error budget is spent once');
        assert.equal(number('SELECT count(*) FROM holdout_consultations'), 1, 'the holdout is consulted once');
        assert.equal(number('SELECT count(*) FROM experiment_scenario_results'), 2 * HOLDOUT, 'results of both arms');
        assert.equal(number("SELECT count(*) FROM cost_ledger WHERE state = 'reserved'"), 0, 'no reservation is open');
        // A pair that broke off between its arms is run again as a whole, so a trial may be there twice, but counts once.
        const epochs = number('SELECT count(DISTINCT epoch) FROM trials');
        for (const { arm, passes, ...result } of listScenarioResults(ctx.db, id)) {
          assert.equal(result.epochs, epochs, 'each epoch counts once');
          assert.equal(passes, passesAlways(arm) ? epochs : 0, 'as it does when nobody kills it');
        }
        const trials = number("SELECT count(*) FROM trials WHERE outcome <> 'infra'");
        assert.ok((row.tokens ?? 0) >= 1000 * trials, 'what was spent is booked');
        assert.deepEqual(await work(ctx), { ran: [], busyWith: null }, 'nothing is left to do');
      },
      { laterMs: LATER_MS, context: { makeRunner } },
    ),
};
