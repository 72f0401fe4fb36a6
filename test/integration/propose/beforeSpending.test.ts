import { afterAll, describe, expect, it } from 'vitest';
import { KarpathyError } from '#src/errors.js';
import { openAiCompatible } from '#src/llm/openAiCompatible.js';
import type { LanguageModel } from '#src/ports.js';
import { enqueue } from '#src/services/enqueue.js';
import { startProposal } from '#src/services/propose.js';
import { runJobNow } from '#src/services/work.js';
import { listExperiments } from '#src/store/experiments.js';
import type { TestContext } from '../../support/context.js';
import { addHoldout, echoingRunner, fakeProposer, insertAnswer, proposingContext } from '../../support/proposals.js';
import { addScenarios } from '../../support/suites.js';
import { fail, startModelServer, say } from '../../support/modelServer/index.js';

const MODEL = { by: 'model' } as const;
const ALONE = { evaluate: false };

function addTrain(test: TestContext, count: number): void {
  addScenarios(test, { names: Array.from({ length: count }, (_, index) => `train-${index + 1}`), split: 'train' });
}

function experiments(test: TestContext) {
  return listExperiments(test.db, { profileId: test.profileId });
}

function down(): LanguageModel & { readonly reached: () => number } {
  let reached = 0;
  return {
    ...fakeProposer([new Error('never asked')]),
    reached: () => reached,
    reach: async () => {
      reached += 1;
      throw new KarpathyError('model_failed', 'proposer at http://127.0.0.1:9/v1 cannot be reached.');
    },
  };
}

describe('a proposer that is down', () => {
  it('is noticed before the train trials are paid for, and nothing is written', async () => {
    let trials = 0;
    const proposer = down();
    const test = proposingContext({ proposer, runner: echoingRunner({ onRun: () => void (trials += 1) }) });
    addTrain(test, 2);
    await expect(startProposal(test.ctx, MODEL, ALONE)).rejects.toMatchObject({ code: 'model_failed' });
    expect([trials, proposer.reached(), experiments(test).length]).toEqual([0, 1, 0]);
  });

  it('is noticed by an autonomous run before each of its edits', async () => {
    const test = proposingContext({ proposer: down() });
    addTrain(test, 2);
    addHoldout(test);
    const jobId = enqueue(test.ctx, { kind: 'run', experimentId: null });
    await expect(runJobNow(test.ctx, jobId)).rejects.toMatchObject({ code: 'model_failed' });
    expect(experiments(test)).toEqual([]);
  });
});

describe('asking an endpoint whether it is there', () => {
  const servers: { close(): Promise<void> }[] = [];
  afterAll(async () => {
    for (const server of servers) await server.close();
  });
  const reach = async (base_url: string, key?: string): Promise<void> =>
    openAiCompatible(
      { base_url, model: 'm', ...(key === undefined ? {} : { api_key_env: 'KEY' }) },
      { env: { KEY: key } },
    ).reach?.();

  it('costs no completion; a refused key and a dead address are named, a server without a list is there', async () => {
    const server = await startModelServer({ models: { m: () => say('hi') }, apiKey: 'right' });
    servers.push(server);
    await reach(server.baseUrl, 'right');
    await expect(reach(server.baseUrl, 'wrong')).rejects.toMatchObject({
      code: 'model_failed',
      message: expect.stringContaining('401') as string,
    });
    await expect(reach('http://127.0.0.1:9/v1')).rejects.toMatchObject({
      message: expect.stringContaining('cannot be reached') as string,
    });
    await reach(`${server.baseUrl}/elsewhere`, 'right');
    expect(server.chats()).toEqual([]);
    const failing = await startModelServer({ models: { m: () => fail(500) } });
    servers.push(failing);
    await reach(failing.baseUrl);
  });
});

describe('a budget that ends before there is an edit', () => {
  it('is refused at once when it holds no train trial, and leaves the place free', async () => {
    const test = proposingContext({
      proposer: fakeProposer([insertAnswer('State the units.')]),
      config: { budget: { tokens: 10_000 } },
    });
    addTrain(test, 2);
    const error = await startProposal(test.ctx, MODEL, ALONE).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'budget', exitCode: 3 });
    expect((error as Error).message).toMatch(
      /10,000 tokens, and 2 train trials and one call of the proposer may need [\d,]+/,
    );
    expect(experiments(test)).toEqual([]);
  });

  it('that shrank before its job ran ends the experiment, which has nothing in it', async () => {
    const test = proposingContext({ proposer: fakeProposer([insertAnswer('State the units.')]) });
    addTrain(test, 2);
    const { jobId } = await startProposal(test.ctx, MODEL, ALONE);
    const { config } = test.ctx.config;
    const poor = {
      ...test.ctx,
      config: {
        ...test.ctx.config,
        sources: new Map([['budget.tokens', 'test']]),
        config: { ...config, budget: { usd: null, tokens: 10 } },
      },
    };
    await expect(runJobNow(poor, jobId ?? 0)).rejects.toMatchObject({ code: 'budget' });
    expect(experiments(test)).toMatchObject([{ state: 'rejected' }]);
  });
});
