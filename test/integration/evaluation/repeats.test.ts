import { describe, expect, it } from 'vitest';
import { planCalibration, startCalibration } from '#src/services/calibration.js';
import { evaluateExperiment } from '#src/services/evaluate.js';
import { runJobNow } from '#src/services/work.js';
import { getExperiment } from '#src/store/experiments.js';
import { CANDIDATE, completed, evaluation, type EvaluationOptions } from './fixture.js';

/** Helps a little: eight of fourteen scenarios, so that no single epoch proves it. */
const slowly = (name: string, arm: string): boolean => arm === 'candidate' || Number(name.split('-')[1]) > 9;

/** Gives the same answer to the same question under the same text, every time. */
const same = (part: (key: string, time: number) => object, says = slowly): EvaluationOptions['outcome'] => {
  const times = new Map<string, number>();
  return ({ scenario: { name }, targetContent }) => {
    const arm = Buffer.from(targetContent).toString() === CANDIDATE ? 'candidate' : 'incumbent';
    const key = `${name}/${arm}`;
    const time = (times.get(key) ?? 0) + 1;
    times.set(key, time);
    return completed(`${says(name, arm) ? 'yes' : 'no'}, ${name}`, part(key, time));
  };
};

describe('a provider that caches', () => {
  it.each([
    ['its response ids', (key: string) => ({ responseIds: [key] }), 'the same response id twice'],
    ['its speed', (_: string, time: number) => ({ modelMs: time === 1 ? 3_000 : 5 }), 'answered at once'],
  ])('is found out by %s, and nothing is kept', async (_what, part, words) => {
    const test = evaluation({ holdout: 14, outcome: same(part) });
    const verdict = await evaluateExperiment(test.ctx, test.experimentId);
    expect(verdict).toMatchObject({ verdict: 'undecided', reason: expect.stringContaining(words) as string });
    expect(verdict.reason).toContain('cache');
    expect(getExperiment(test.db, test.experimentId)).toMatchObject({ state: 'proposed', verdict: 'undecided' });
    // Found at the second epoch, and no money is spent on a third.
    expect(Math.max(...test.ran.map(({ epoch }) => epoch))).toBe(2);
  });

  it('is found out at the first look when the incumbent’s answers come from an earlier run', async () => {
    const test = evaluation({
      holdout: 14,
      outcome: same(
        (key) => ({ responseIds: [key] }),
        (_, arm) => arm === 'candidate',
      ),
    });
    const job = await startCalibration(test.ctx, await planCalibration(test.ctx, { placebos: 0 }));
    await runJobNow(test.ctx, job);
    expect(await evaluateExperiment(test.ctx, test.experimentId)).toMatchObject({ verdict: 'undecided', look: 1 });
  });
});

describe('answers that are the same each time, nobody knows why', () => {
  const nothing = () => ({});

  it('are said in the verdict, which counts groups and not epochs', async () => {
    const perfect = (_: string, arm: string) => arm === 'candidate';
    const test = evaluation({
      holdout: 12,
      config: { budget: { tokens: 1e9 }, gate: { epochs: 6 } },
      outcome: same(nothing, perfect),
    });
    const verdict = await evaluateExperiment(test.ctx, test.experimentId);
    expect(verdict).toMatchObject({ verdict: 'keep', p: 2 ** -12, look: 3 });
    expect(verdict.reason).toContain('deterministic or cached');
  });

  it('keep no deletion: its test takes epochs for independent', async () => {
    const test = evaluation({ holdout: 24, train: 0, outcome: same(nothing, () => true) });
    test.db.prepare("UPDATE experiments SET operation = 'delete'").run();
    const verdict = await evaluateExperiment(test.ctx, test.experimentId);
    expect(verdict).toMatchObject({
      verdict: 'undecided',
      reason: expect.stringContaining('epochs are not evidence') as string,
    });
  });
});
