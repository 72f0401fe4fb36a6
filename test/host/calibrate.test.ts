import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hermesOk } from '#test/support/hermesHost.js';
import { openShop, type Shop } from './shop.js';

describe('calibrating in the real Hermes', () => {
  let shop: Shop;
  beforeAll(async () => {
    shop = await openShop({ setUp: true });
  });
  afterAll(() => shop.close());

  it('finds no difference between a text and itself, and that this model answers the same every time', async () => {
    const placebo = '3:You answer in a kind way.';
    const words = ['karpathy', 'calibrate', '--epochs', '2', '--placebo', placebo, '--yes', '--json'];
    const report = JSON.parse(await hermesOk(shop.root, words, { timeoutMs: 240_000 })) as Record<string, unknown>;
    expect(report).toMatchObject({
      ...{ scenarios: { train: 1, holdout: 7 }, epochs: 2, coverage: 1, infra: { incumbent: 0, candidate: 0 } },
      ...{ arm: { p: 1, effect: 0, groups: 8 }, order: { p: 1, effect: 0 } },
      repeats: { asked: 8, identical: 8, kind: 'identical' },
      placebos: [{ sentence: 3, by: 'human', contrast: { effect: 0, groups: 1 }, coverage: 1 }],
      evidence: { runner: { name: 'warm' } },
    });
    // Names of the holdout are nobody's business here.
    const flakiness = report.flakiness as { train: unknown[]; holdout: unknown[] };
    expect(flakiness.train).toEqual([{ name: 'apples', runs: 4, passes: 0, disagreement: 0 }]);
    expect(flakiness.holdout).toEqual(Array(7).fill({ runs: 4, passes: 0, disagreement: 0 }));
    // What a cache is told by comes from the real host: every trial has the time that the model took.
    const measured = shop.row<{ trials: number; timed: number }>(
      'SELECT count(*) AS trials, count(model_ms) AS timed FROM trials',
    );
    expect(measured).toEqual({ trials: 8 * 2 * 2 + 2 * 2, timed: 8 * 2 * 2 + 2 * 2 });
    const { consultations } = shop.row<{ consultations: number }>(
      'SELECT count(*) AS consultations FROM error_budget_ledger',
    ) ?? { consultations: -1 };
    expect(consultations).toBe(0);
  });
});
