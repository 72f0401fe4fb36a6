import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { evaluateExperiment } from '#src/services/evaluate.js';
import { evaluationCost } from '#src/services/evaluationCost.js';
import { runTrainBaseline } from '#src/services/trainBaseline.js';
import { trialCost } from '#src/services/trialCost.js';
import { getExperiment } from '#src/store/experiments.js';
import { cli } from '../cli/harness.js';
import { completed, evaluation, infra, isArm, type Evaluation, type Outcome } from '../evaluation/fixture.js';

/** Every trial takes two seconds of the clock; the tests run them one after the other. */
function timed(test: Evaluation): Evaluation['ctx'] {
  return {
    ...test.ctx,
    makeRunner: async (setup) => {
      const runner = await test.ctx.makeRunner(setup);
      return {
        ...runner,
        run: async (spec, signal) => {
          const result = await runner.run(spec, signal);
          test.clock.advance(2000);
          return result;
        },
      };
    },
  };
}

const one = { runner: { concurrency: 1 } };

describe('the estimate beside the cost', () => {
  it('is that of the trials that were run, with those that were planned', async () => {
    const test = evaluation({ outcome: isArm('candidate'), config: one });
    const ctx = timed(test);
    await runTrainBaseline(ctx, null);
    expect(evaluationCost(ctx, getExperiment(test.db, test.experimentId))).toBeNull();
    await evaluateExperiment(ctx, test.experimentId);
    const cost = evaluationCost(ctx, getExperiment(test.db, test.experimentId));
    // Decided after the first of six epochs; means of a thousand tokens and one second a trial.
    expect(cost).toMatchObject({ trials: 28, plannedTrials: 168, tokens: 28_000, estimatedTokens: 28_000 });
    expect(cost).toMatchObject({ seconds: 56, estimatedSeconds: 28 });
    expect(cost?.usd).toBeCloseTo(0.028);
    const shown = await cli(test, ['show', String(test.experimentId)]);
    expect(shown.stdout.replaceAll(/\s+/g, ' ')).toContain(
      '28 of at most 168 trials: 28,000 tokens (estimated 28,000), $0.03 ($0.03), 56 s (28 s)',
    );
    expect((await cli(test, ['--json', 'status'])).json()).toMatchObject({ experiment: { testing: { trials: 28 } } });
  });

  it('corrects the next one by the median of the last runs, and says so', async () => {
    const test = evaluation({ outcome: isArm('candidate'), config: one });
    const ctx = timed(test);
    await runTrainBaseline(ctx, null);
    expect(trialCost(ctx)).toMatchObject({ tokens: 1000, seconds: 1 });
    expect(trialCost(ctx).said).not.toContain('corrected');
    await evaluateExperiment(ctx, test.experimentId);
    // The clock says two seconds for each trial that itself knew of one.
    expect(trialCost(ctx)).toMatchObject({ tokens: 1000, seconds: 2, raw: { seconds: 1 } });
    expect(trialCost(ctx).said).toContain('corrected by time 2x from 1 earlier run');
  });

  it('counts what lost trials and the judge took on top of the means', async () => {
    let lost = 0;
    const outcome: Outcome = (spec) => {
      if (spec.attempt === 1 && spec.epoch === 1 && spec.scenario.id % 2 === 0) {
        lost += 1;
        return { ...infra('provider error: 500'), totalTokens: 1000 };
      }
      return spec.arm === 'candidate';
    };
    const test = evaluation({ outcome, config: one });
    await runTrainBaseline(test.ctx, null);
    await evaluateExperiment(test.ctx, test.experimentId);
    expect(lost).toBeGreaterThan(4);
    expect(evaluationCost(test.ctx, getExperiment(test.db, test.experimentId))?.trials).toBe(28 + lost - 1);
  });

  it('is not corrected by runs that were estimated without any history, nor beyond a factor of three', async () => {
    const test = evaluation({ outcome: () => completed('yes', { totalTokens: 100 }), train: 6, config: one });
    await runTrainBaseline(test.ctx, null);
    expect(trialCost(test.ctx).tokens).toBe(100);
    const grown = { ...test, ctx: timed(test) };
    test.db.prepare('UPDATE trials SET total_tokens = 5, duration_ms = 10').run();
    await evaluateExperiment(grown.ctx, test.experimentId);
    test.db.prepare('UPDATE trials SET total_tokens = 5, duration_ms = 10').run();
    expect(trialCost(test.ctx).tokens).toBe(15);
    expect(trialCost(test.ctx).said).toContain('tokens 3x');
  });

  it('of another model starts anew', async () => {
    const test = evaluation({ outcome: isArm('candidate'), config: one });
    await runTrainBaseline(test.ctx, null);
    test.db.prepare('UPDATE trials SET total_tokens = 7').run();
    expect(trialCost(test.ctx).basis).toBe('measured');
    writeFileSync(
      join(test.home, 'config.yaml'),
      'model: {provider: custom, default: other, base_url: http://127.0.0.1:9/v1}\n',
    );
    expect(trialCost(test.ctx).basis).toBe('assumed');
  });
});
