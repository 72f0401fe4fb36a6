import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { consultationAlpha, deletionAlpha, nextConsultation } from './errorBudget.js';

type Made = (consultation: number) => { kept: boolean; consultation: number };

describe('the share of the j-th consultation', () => {
  it('is alpha * 20 / ((j + 19)(j + 20))', () => {
    expect(consultationAlpha(0.05, 1)).toBeCloseTo(1 / 420, 15);
    expect(consultationAlpha(0.05, 20)).toBeCloseTo(1 / 1560, 15);
    expect(consultationAlpha(0.05, 101)).toBeCloseTo(1 / 14520, 15);
  });

  it('adds up to alpha * j / (j + 20) over the first j, so never to more than alpha', () => {
    let sum = 0;
    for (let j = 1; j <= 10_000; j += 1) {
      sum += consultationAlpha(0.05, j);
      if (j === 20) expect(sum).toBeCloseTo(0.025, 12);
      if (j === 100) expect(sum).toBeCloseTo(0.05 * (100 / 120), 12);
    }
    expect(sum).toBeLessThan(0.05);
    expect(sum).toBeGreaterThan(0.0499);
  });

  it('goes on with the same number after a keep and with the next one after anything else', () => {
    expect(nextConsultation([])).toBe(1);
    const [kept, lost] = [true, false].map((kept) => (consultation: number) => ({ kept, consultation })) as [
      Made,
      Made,
    ];
    expect(nextConsultation([kept(1), kept(1)])).toBe(1);
    expect(nextConsultation([lost(1), kept(2), lost(2)])).toBe(3);
    // An interrupted one that ended in a keep after a later one was spent.
    expect(nextConsultation([kept(1), lost(2)])).toBe(3);
  });

  it('spends no more than alpha on edits that are not kept, in whatever order keeps come', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 200 }), (keeps) => {
        const earlier: { kept: boolean; consultation: number }[] = [];
        for (const kept of keeps) earlier.push({ kept, consultation: nextConsultation(earlier) });
        const lost = earlier.reduce(
          (sum, { kept, consultation }) => sum + (kept ? 0 : consultationAlpha(0.05, consultation)),
          0,
        );
        expect(lost).toBeLessThan(0.05);
      }),
      { seed: 20260105, numRuns: 100 },
    );
  });
});

it('deletions get five consultations of 0.02, and then none', () => {
  expect([1, 5].map(deletionAlpha)).toEqual([0.02, 0.02]);
  expect(deletionAlpha(6)).toBeNull();
});
