import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Context } from '#src/services/context.js';
import { enqueue, work } from '#src/services/work.js';
import { getExperiment, listExperiments } from '#src/store/experiments.js';
import { listScenarioResults } from '#src/store/scenarioResults.js';
import { proposed } from '../../support/experiments.js';
import { HOLDOUT, insertScenarios, memoryRunner, TRIAL_TOKENS } from '../agent.js';
import type { Operation } from '../operation.js';
import { buildRoot, checkAgreement, checkInvariants, LATER_MS, withContext } from '../world.js';

const makeRunner = memoryRunner('candidate');

/** A profile with a job that evaluates an edit. */
export async function buildEvaluation(root: string): Promise<void> {
  await buildRoot(root, (bench) => {
    insertScenarios(bench, { split: 'holdout', count: HOLDOUT });
    enqueue(bench.ctx, { kind: 'evaluate', experimentId: proposed(bench) });
  });
  // A small suite keeps a run short; its power is not what is tested here.
  writeFileSync(join(root, 'config.yaml'), 'plugins: {karpathy_self_improve: {gate: {min_power: 0}}}\n');
}

/** What the killed process does: takes the job and brings it to its end. */
export function runJobs(root: string, makeRunner: Context['makeRunner']): Promise<void> {
  return withContext(
    root,
    async (ctx) => {
      const { ran } = await work(ctx);
      for (const { error } of ran) assert.equal(error, null);
    },
    { context: { makeRunner } },
  );
}

/** A job with its lease, its trials, verdict and error budget. The next executor goes on from the finished trials. */
export const evaluateOperation: Operation = {
  name: 'evaluate',
  build: buildEvaluation,
  run: (root) => runJobs(root, makeRunner),
  check: (root) => checkEvaluated(root, makeRunner),
};

/** Goes on with the job, and finds what a run that nobody killed leaves. */
export function checkEvaluated(root: string, makeRunner: Context['makeRunner']): Promise<void> {
  return withContext(
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
        assert.equal(passes, arm === 'candidate' ? epochs : 0, 'as it does when nobody kills it');
      }
      const trials = number("SELECT count(*) FROM trials WHERE outcome <> 'infra'");
      assert.ok((row.tokens ?? 0) >= TRIAL_TOKENS * trials, 'what was spent is booked');
      assert.deepEqual(await work(ctx), { ran: [], busyWith: null }, 'nothing is left to do');
    },
    { laterMs: LATER_MS, context: { makeRunner } },
  );
}
