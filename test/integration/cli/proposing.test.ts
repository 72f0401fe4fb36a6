import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, test } from 'vitest';
import { findInFlight, getExperiment, history } from '#src/store/experiments.js';
import { listJobs } from '#src/store/jobs.js';
import type { LanguageModel } from '#src/ports.js';
import { DEFAULT_SOUL, testContext, type TestContext } from '../../support/context.js';
import { live } from '../../support/experiments.js';
import { cli } from './harness.js';

const IDENTITY = { provider: 'openai-compatible', base_url: 'http://127.0.0.1:9/v1', model: 'proposer' };

/** A proposer that answers with what the test gives it. */
function answering(complete: (signal: AbortSignal | undefined) => Promise<string> | string): () => LanguageModel {
  return () => ({
    configured: IDENTITY,
    complete: async ({ signal }) => ({
      text: await complete(signal),
      identity: IDENTITY,
      usage: { inputTokens: 100, outputTokens: 20, totalTokens: 120 },
      costUsd: null,
    }),
  });
}

const EDIT = JSON.stringify({
  operation: 'rewrite',
  sentence: 2,
  text: 'Answer in one sentence.',
  rationale: 'shorter',
});

let fixture: TestContext;
beforeEach(() => {
  fixture = withModel(() => EDIT);
});

function withModel(complete: (signal: AbortSignal | undefined) => Promise<string> | string): TestContext {
  const models = { proposer: { base_url: 'http://127.0.0.1:9/v1', model: 'proposer' } };
  return testContext({ config: { models }, context: { makeModel: answering(complete) } });
}

const soul = () => readFileSync(fixture.target, 'utf8');
const inFlight = () => findInFlight(fixture.db, fixture.profileId);

describe('a person proposes', () => {
  test.each([
    [['--rewrite', '2', 'Answer in one sentence.'], 'rewrite', 'Answer briefly.', 'Answer in one sentence.'],
    [['--insert-after', '2', 'Be kind.'], 'insert', null, 'Be kind.'],
    [['--delete', '2'], 'delete', 'Answer briefly.', null],
    [['--rewrite', '2', '--text', '-5 degrees is cold.'], 'rewrite', 'Answer briefly.', '-5 degrees is cold.'],
    [['--rewrite', '2', '-5 degrees is cold.'], 'rewrite', 'Answer briefly.', '-5 degrees is cold.'],
    [['--rewrite=2', '-5 degrees is cold.'], 'rewrite', 'Answer briefly.', '-5 degrees is cold.'],
  ])('%j', async (edit, operation, before, after) => {
    const run = await cli(fixture, ['--json', 'propose', ...edit, '--no-evaluate', '--rationale', 'because']);
    expect(run.stderr).toBe('');
    expect(run.json()).toMatchObject({ experiment: { edit: { operation, before, after }, proposer: 'human' } });
    expect(inFlight()).toMatchObject({ rationale: 'because', state: 'proposed' });
    expect(soul()).toBe(DEFAULT_SOUL);
  });

  it('by a whole file with one sentence changed', async () => {
    writeFileSync(join(fixture.root, 'new.md'), DEFAULT_SOUL.replace('briefly', 'kindly'));
    const run = await cli(fixture, ['propose', '--from', 'new.md', '--no-evaluate'], { cwd: fixture.root });
    expect(run.code).toBe(0);
    expect(inFlight()?.sentenceAfter).toBe('Answer kindly.');
  });

  test.each([
    ['no change', ['--rewrite', '2', 'Answer briefly.']],
    ['two sentences', ['--rewrite', '2', 'Answer briefly. Be kind.']],
    ['a sentence that is not there', ['--rewrite', '99', 'Answer.']],
  ])('%s is refused before anything is written', async (_, edit) => {
    const run = await cli(fixture, ['--json', 'propose', ...edit, '--no-evaluate']);
    expect([run.code, run.error().code, inFlight()]).toEqual([2, 'bad_edit', null]);
  });
});

describe('the model proposes', () => {
  it('is drafted in the foreground, and not tested when so asked', async () => {
    const run = await cli(fixture, ['--json', 'propose', '--no-evaluate']);
    expect(run.stderr).toBe('');
    expect(run.json()).toMatchObject({
      profile: 'dev',
      experiment: { phase: 'not evaluated', edit: { after: 'Answer in one sentence.' } },
    });
    expect((await cli(fixture, ['status'])).stdout).toMatch(/cost +120 of 1,000,000 tokens, price unknown/);
  });

  it('an answer of no use ends rejected by the system, with exit code 2', async () => {
    fixture = withModel(() => 'I would rather not.');
    const run = await cli(fixture, ['--json', 'propose', '--no-evaluate']);
    expect([run.code, run.error().code]).toEqual([2, 'bad_edit']);
    expect(inFlight()).toBeNull();
    expect(history(fixture.db, 1).at(-1)).toMatchObject({ toState: 'rejected', actor: 'system' });
  });

  it('--show-prompt shows what would be sent, and sends nothing', async () => {
    fixture = withModel(() => {
      throw new Error('a model was called');
    });
    const run = await cli(fixture, ['propose', '--show-prompt']);
    expect([run.code, inFlight()]).toEqual([0, null]);
    expect(run.stdout).toContain('Answer briefly.');
    expect(run.stdout).toContain('[system]');
  });

  it('without a holdout is refused before a token is spent, unless it is not to be tested', async () => {
    const run = await cli(fixture, ['--json', 'propose']);
    expect([run.code, inFlight()]).toEqual([2, null]);
    expect(run.error().message).toContain('no holdout scenarios');
  });
});

describe('Ctrl-C', () => {
  it('leaves a state that work goes on with, and says so: 130', async () => {
    const controller = new AbortController();
    let calls = 0;
    fixture = withModel((signal) => {
      calls += 1;
      if (calls > 1) return EDIT;
      controller.abort();
      throw signal?.reason;
    });
    const run = await cli(fixture, ['propose', '--no-evaluate'], { signal: controller.signal });
    expect(run.code).toBe(130);
    expect(run.stderr).toMatch(
      /error: Interrupted; .*goes on from there\.\n→ `hermes -p dev karpathy work` resumes it\.\n$/,
    );
    expect(listJobs(fixture.db, { profileId: fixture.profileId }).map((job) => job.state)).toEqual(['queued']);
    const resumed = await cli(fixture, ['work']);
    expect([resumed.code, inFlight()?.sentenceAfter]).toEqual([0, 'Answer in one sentence.']);
    expect(resumed.stdout).toContain('✓ job 1 (propose) finished');
  });
});

describe('work', () => {
  it('says when there is nothing to do', async () => {
    expect((await cli(fixture, ['work'])).stdout).toContain('There was nothing to do.');
  });

  it('with a job that failed has exit code 1 and names the reason', async () => {
    fixture = withModel(() => 'no');
    await cli(fixture, ['propose', '--no-evaluate'], { signal: AbortSignal.abort() });
    const run = await cli(fixture, ['work']);
    expect(run.code).toBe(1);
    expect(run.stdout).toMatch(/✗ job 1 \(propose\) failed: /);
  });
});

it('verify gives a window that ended with too few sessions the same time once more', async () => {
  const id = await live(fixture);
  fixture.clock.advance(15 * 86_400_000);
  const run = await cli(fixture, ['--json', 'verify', String(id)]);
  expect(run.stderr).toBe('');
  expect(run.json()).toMatchObject({ experiment: { phase: 'counting sessions', window: { extensions: 1 } } });
  expect(getExperiment(fixture.db, id).state).toBe('live');
});

it('tick and collect answer with what they did', async () => {
  expect((await cli(fixture, ['--json', 'tick'])).json()).toMatchObject({ profile: 'dev', summary: { windows: [] } });
  const collected = await cli(fixture, ['--json', 'collect']);
  expect(collected.code).toBe(0);
  expect(collected.json<{ snapshots: unknown[] }>().snapshots).toHaveLength(1);
  expect((await cli(fixture, ['metrics'])).stdout).toContain('0 of 0');
});
