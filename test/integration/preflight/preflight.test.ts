import { describe, expect, it } from 'vitest';
import type { WrittenConfig } from '#src/config.js';
import { evaluateExperiment } from '#src/services/evaluate.js';
import { preflight, shortPreflight } from '#src/services/preflight.js';
import { runTrainBaseline } from '#src/services/trainBaseline.js';
import { listEvalRuns } from '#src/store/evalRuns.js';
import { cli } from '../cli/harness.js';
import { evaluation, isArm, type Evaluation, type EvaluationOptions } from '../evaluation/fixture.js';

/** A suite under the rules that hold for a person: nothing is eased for the test. */
function suite(options: Omit<EvaluationOptions, 'outcome'> & Partial<Pick<EvaluationOptions, 'outcome'>>): Evaluation {
  const strict: WrittenConfig = { ...options.config, gate: { min_power: 0.5, ...options.config?.gate } };
  return evaluation({ outcome: isArm('candidate'), ...options, config: strict });
}

describe('the power of a suite', () => {
  it('is enough with 30 groups, and what an edit costs lies between dropped early and run to the end', async () => {
    const { ctx } = suite({ holdout: 30, train: 10 });
    const view = await preflight(ctx);
    expect(view.power).toMatchObject({
      holdoutGroups: 30,
      screenGroups: 10,
      epochs: 6,
      wantedPoints: 20,
      refusal: null,
    });
    expect(view.power.power).toBeGreaterThan(0.8);
    expect(view.power.smallestPoints).toBeGreaterThan(12);
    expect(view.power.smallestPoints).toBeLessThanOrEqual(20);
    const { idle, wanted, worst, trainBaseline } = view.cost;
    expect(worst.trials).toBe(2 * (10 * 3 + 30 * 6));
    expect(idle.trials).toBeLessThan(wanted.trials);
    expect(wanted.trials).toBeLessThan(worst.trials);
    expect(trainBaseline.trials).toBe(10);
    expect(await preflight(ctx)).toEqual(view);
  });

  it('of 14 groups is too little: it is refused with the groups and the epochs that are enough', async () => {
    const test = suite({ holdout: 14 });
    const { power } = await preflight(test.ctx);
    expect(power.refusal?.message).toMatch(
      /14 holdout groups, each run 6 times: an edit that gains 20 points .* \d+ %/,
    );
    const added = Number(/at least (\d+) holdout/.exec(power.refusal?.hint ?? '')?.[1]);
    const epochs = Number(/gate.epochs to (\d+)/.exec(power.refusal?.hint ?? '')?.[1]);
    await expect(evaluateExperiment(test.ctx, test.experimentId)).rejects.toMatchObject({ code: 'underpowered' });
    expect(test.ran).toHaveLength(0);
    expect((await preflight(suite({ holdout: 14 + added }).ctx)).power.refusal).toBeNull();
    const longer = suite({ holdout: 14, config: { gate: { epochs } } });
    expect((await preflight(longer.ctx)).power.refusal).toBeNull();
  });

  it('of twelve groups is always too little at the default alpha, with whatever epochs and effects', async () => {
    const gate = { epochs: 20, wanted_effect: 60 };
    expect((await preflight(suite({ holdout: 12, config: { gate } }).ctx)).power.refusal?.message).toMatch(
      /always too few/,
    );
    expect((await preflight(suite({ holdout: 13, config: { gate } }).ctx)).power.refusal).toBeNull();
    const loose = suite({ holdout: 12, config: { gate: { ...gate, alpha: 0.2 } } });
    expect((await preflight(loose.ctx)).power.refusal).toBeNull();
  });

  it('follows the incumbent on record, in runs that have ended', async () => {
    const test = suite({ holdout: 30, outcome: () => true });
    const before = await preflight(test.ctx);
    await evaluateExperiment(test.ctx, test.experimentId);
    const after = await preflight(test.ctx);
    expect(after.power.measuredScenarios).toBe(30);
    expect(after.power.power).not.toBe(before.power.power);
    expect(after.cost.basis).toMatch(/the means of this profile's last \d+ trials/);
  });

  it('does not look at a run that is still going on', async () => {
    let asked = 0;
    const test = suite({ holdout: 30, outcome: () => true });
    const watching = {
      ...test.ctx,
      makeRunner: () => ({
        name: 'watching',
        run: async () => {
          asked += 1;
          const { power } = await preflight(test.ctx, { experimentId: test.experimentId });
          expect(power.measuredScenarios).toBe(0);
          throw new Error('enough');
        },
        close: async () => undefined,
      }),
    };
    await expect(evaluateExperiment(watching, test.experimentId)).rejects.toThrow('enough');
    expect(asked).toBeGreaterThan(0);
    expect(await shortPreflight(test.ctx, { experimentId: test.experimentId })).toBeNull();
  });
});

describe('--underpowered', () => {
  it('runs it, and what would be a keep is undecided', async () => {
    const test = suite({ holdout: 14 });
    const verdict = await evaluateExperiment(test.ctx, test.experimentId, { underpowered: true });
    expect(verdict).toMatchObject({ verdict: 'undecided', groups: 14 });
    expect(verdict.reason).toMatch(/underpowered, .*at most/);
  });

  it('changes nothing for a suite that has power', async () => {
    const test = suite({ holdout: 30 });
    expect((await evaluateExperiment(test.ctx, test.experimentId, { underpowered: true })).verdict).toBe('keep');
  });
});

describe('levers', () => {
  it('toolsets for the suite are in the plan, not over those of a scenario, and named as a difference', async () => {
    const test = suite({ holdout: 30, train: 1, config: { runner: { toolsets: ['todo'] } } });
    test.db
      .prepare(`UPDATE scenarios SET spec = json_set(spec, '$.toolsets', json('["file"]')) WHERE name = 'train-1'`)
      .run();
    await runTrainBaseline(test.ctx, null);
    await evaluateExperiment(test.ctx, test.experimentId);
    const used = new Set(test.ran.map(({ scenario }) => `${scenario.split} ${scenario.spec.toolsets?.join() ?? ''}`));
    expect([...used].sort()).toEqual(['holdout todo', 'train file']);
    const view = await preflight(test.ctx);
    expect(view.differences.join('\n')).toContain('todo');
    expect(view.levers.find(({ name }) => name === 'toolsets')).toMatchObject({ state: 'on', basis: 'estimated' });
  });

  it('a setting adds no toolset where a person confirmed tools by name', async () => {
    const test = suite({ train: 1, holdout: 30, config: { runner: { toolsets: ['terminal'] } } });
    test.db
      .prepare(
        `UPDATE scenarios SET spec = json_set(spec, '$.tools', 'real'), real_tools_confirmed_by = 'person' WHERE name = 'train-1'`,
      )
      .run();
    await runTrainBaseline(test.ctx, null);
    expect(test.ran.map(({ scenario, realToolsets }) => [scenario.spec.toolsets, realToolsets])).toEqual([
      [undefined, []],
    ]);
  });

  it('scenarios with the same toolsets follow one another; which arm is first stays a coin', async () => {
    const test = suite({ holdout: 30, train: 0, config: { runner: { concurrency: 1 } } });
    test.db
      .prepare(`UPDATE scenarios SET spec = json_set(spec, '$.toolsets', json('["file"]')) WHERE id % 2 = 0`)
      .run();
    await evaluateExperiment(test.ctx, test.experimentId);
    const first = test.ran.slice(0, 60);
    const changes = first.filter(
      (trial, i) => i > 0 && trial.scenario.spec.toolsets?.[0] !== first[i - 1]?.scenario.spec.toolsets?.[0],
    );
    expect(changes).toHaveLength(1);
    const arms = new Set(first.filter((_, i) => i % 2 === 0).map(({ arm }) => arm));
    expect([...arms].sort()).toEqual(['candidate', 'incumbent']);
  });

  it('the saving of fewer tools is measured once both were run; the cache is what the provider reported', async () => {
    const test = suite({
      train: 6,
      holdout: 30,
      outcome: ({ scenario }) => {
        const inputTokens = scenario.spec.toolsets === undefined ? 10_000 : 4_000;
        return { ...answer, inputTokens, cachedInputTokens: inputTokens / 2, totalTokens: inputTokens + 100 };
      },
    });
    test.db
      .prepare(
        `UPDATE scenarios SET spec = json_set(spec, '$.toolsets', json('["todo"]')) WHERE id % 2 = 0 AND split = 'train'`,
      )
      .run();
    await runTrainBaseline(test.ctx, null);
    const { levers, cost } = await preflight(test.ctx);
    const [tools, cache, stop, baseline] = levers;
    expect(tools).toMatchObject({ name: 'toolsets', state: 'on', basis: 'measured' });
    expect(tools?.saves?.tokens).toBe(Math.round((6_000 * cost.worst.calls * 3) / 36));
    expect(cache).toMatchObject({ name: 'cache', basis: 'measured' });
    expect(cache?.say).toContain('50 %');
    expect(stop?.saves?.tokens).toBe(cost.worst.tokens - cost.idle.tokens);
    expect(baseline?.saves?.tokens).toBe(6 * 7_100);
    expect(cost.trainBaseline.trials).toBe(0);
  });
});

describe('the command', () => {
  it('shows it as text and as JSON, and ends with 3 when a test would be refused', async () => {
    const enough = suite({ holdout: 30 });
    const run = await cli(enough, ['preflight', '--effect', '25']);
    expect(run.code).toBe(0);
    expect(run.stdout).toMatch(/gains 25 points is kept with a chance of \d+ %/);
    expect(run.stdout).toMatch(/an edit that does nothing +\d+/);
    expect(run.stdout).toContain('This suite can be asked.');
    const refused = await cli(enough, ['--json', 'preflight', '--effect', '3']);
    expect(refused.code).toBe(3);
    expect(refused.json()).toMatchObject({
      power: { wantedPoints: 3, refusal: { hint: expect.stringContaining('--underpowered') as string } },
    });
    expect((await cli(enough, ['--json', 'preflight', '--effect', '101'])).code).toBe(2);
    expect((await cli(enough, ['--json', 'preflight', '99'])).error()).toMatchObject({ code: 'unknown_experiment' });
    expect((await cli(suite({ holdout: 0 }), ['--json', 'preflight'])).error().code).toBe('bad_scenario');
  });

  it('of a deletion is about one that costs nothing, which is decided once', async () => {
    const run = await cli(suite({ holdout: 14 }), ['preflight', '--deletion']);
    expect(run.code).toBe(3);
    expect(run.stdout).toMatch(/a deletion that costs nothing is kept with a chance of \d+ %/);
    expect(run.stdout).not.toContain('an edit that does nothing');
    expect(run.stdout).toContain('early stop: saves nothing here');
  });

  it('hints in a JSON error name the command as it is typed here', async () => {
    const test = suite({ holdout: 0 });
    const { hint } = (await cli(test, ['--json', 'preflight'], { helpName: 'hermes karpathy' })).error();
    expect(hint).toContain('`hermes -p dev karpathy scenario add');
    expect((await cli(test, ['--json', 'preflight'], { helpName: 'karpathy' })).error().hint).toContain(
      '`karpathy --profile dev scenario add',
    );
  });

  it('evaluate shows it in short before it runs', async () => {
    const test = suite({ holdout: 30 });
    const run = await cli(test, ['evaluate']);
    expect(run.code).toBe(0);
    expect(run.stderr).toMatch(/power +an edit that gains 20 points is kept/);
    expect(run.stderr).toMatch(/at most 360 trials, about/);
    expect(listEvalRuns(test.db, { profileId: test.profileId, states: ['finished'] })).toHaveLength(1);
  });
});

const answer = {
  kind: 'completed',
  response: 'no',
  toolCalls: [],
  questionsAsked: 0,
  files: new Map(),
  sessionId: 's',
  model: 'agent-model',
  apiCalls: 1,
  outputTokens: 100,
  costUsd: null,
  costSource: null,
  limitReached: null,
  durationMs: 1000,
} as const;
