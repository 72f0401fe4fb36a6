import assert from 'node:assert/strict';
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LanguageModel } from '#src/ports.js';
import type { Context } from '#src/services/context.js';
import { startProposal } from '#src/services/propose.js';
import { work } from '#src/services/work.js';
import { getExperiment, listExperiments } from '#src/store/experiments.js';
import { NEW_SENTENCE } from '../../support/experiments.js';
import { insertScenarios, memoryRunner, TRIAL_TOKENS } from '../agent.js';
import type { Operation } from '../operation.js';
import { buildRoot, checkAgreement, checkInvariants, LATER_MS, withContext } from '../world.js';

const TRAIN = 3;
const CALL_TOKENS = 100;

const ledger = (root: string): string => join(root, 'calls.txt');

/** Keeps a ledger of its own: one line for each call it was paid for. */
function proposer(root: string): LanguageModel {
  const identity = { provider: 'openai-compatible', base_url: 'http://127.0.0.1:9/v1', model: 'proposer' };
  return {
    configured: identity,
    async complete() {
      appendFileSync(ledger(root), 'call\n');
      return {
        text: JSON.stringify({ operation: 'insert', sentence: 1, text: NEW_SENTENCE, rationale: 'a test' }),
        identity,
        usage: { inputTokens: CALL_TOKENS - 10, outputTokens: 10, totalTokens: CALL_TOKENS },
        costUsd: null,
      };
    },
  };
}

const within = (root: string): Partial<Context> => ({
  makeModel: () => proposer(root),
  makeRunner: memoryRunner('candidate'),
  checkPrompt: async () => ({ blocked: false, truncated: false, limitChars: 20_000, findings: [] }),
});

async function proposeOnce(ctx: Context): Promise<void> {
  if (listExperiments(ctx.db).length === 0) await startProposal(ctx, { by: 'model' }, { evaluate: false });
  const { ran } = await work(ctx);
  for (const { error } of ran) assert.equal(error, null, 'the job does not fail');
}

/** A model's proposal: the profile's place is taken, the train scenarios run, the proposer asked, its edit stored. */
export const proposeOperation: Operation = {
  name: 'propose',
  build: (root) => buildRoot(root, (bench) => insertScenarios(bench, { split: 'train', count: TRAIN })),
  run: (root) => withContext(root, proposeOnce, { context: within(root) }),
  check: (root) =>
    withContext(
      root,
      async (ctx) => {
        await proposeOnce(ctx);
        checkInvariants(root, ctx.db);
        const [{ id } = { id: 0 }, ...others] = listExperiments(ctx.db);
        assert.deepEqual(others, [], 'one experiment');
        checkAgreement(root, id, ctx.db);
        const row = getExperiment(ctx.db, id);
        assert.deepEqual([row.state, row.sentenceAfter], ['proposed', NEW_SENTENCE], 'with its edit');
        const number = (sql: string) => ctx.db.prepare(sql).pluck().get() as number;
        assert.equal(number("SELECT count(*) FROM jobs WHERE state = 'finished'"), 1, 'the job is done');
        assert.equal(number('SELECT count(*) FROM jobs'), 1, 'and was no other');
        assert.equal(number("SELECT count(*) FROM eval_runs WHERE state = 'finished'"), 1, 'the train scenarios ran');
        assert.equal(number('SELECT count(*) FROM eval_runs'), 1, 'in one run');
        assert.equal(number('SELECT count(*) FROM trials'), TRAIN, 'and what was finished was not run again');
        assert.equal(number("SELECT count(*) FROM cost_ledger WHERE state = 'reserved'"), 0, 'no reservation is open');
        const calls = readFileSync(ledger(root), 'utf8').split('\n').length - 1;
        assert.ok((row.tokens ?? 0) >= CALL_TOKENS * calls + TRIAL_TOKENS * TRAIN, 'what was spent is booked');
        assert.deepEqual(await work(ctx), { ran: [], busyWith: null }, 'nothing is left to do');
      },
      { laterMs: LATER_MS, context: within(root) },
    ),
};
