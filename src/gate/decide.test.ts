import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide } from './decide.js';
import { randomFrom } from './random.js';
import { defaultLooks, fewestGroups, pairOrder } from './plan.js';
import type { GateData, GatePlan, Pair } from './types.js';

const NO_INFRA = { incumbent: 0, candidate: 0, started: 100 };

function planOf(groups: number, epochs: number, alpha = 0.05): GatePlan {
  return {
    alpha,
    epochs,
    scenarios: Array.from({ length: groups }, (_, i) => ({ scenario: i + 1, group: `g${i + 1}` })),
    looks: [{ epochs, share: 1, futilityZ: 0.5 }],
  };
}

/** One pair per scenario and epoch, from each scenario's [incumbent, candidate] outcomes. */
function dataOf(outcomes: readonly (readonly [0 | 1, 0 | 1])[], epochs = 1): GateData {
  const pairs = outcomes.flatMap(([incumbent, candidate], i): Pair[] =>
    Array.from({ length: epochs }, (_, e) => ({
      scenario: i + 1,
      group: `g${i + 1}`,
      epoch: e + 1,
      incumbent,
      candidate,
    })),
  );
  return { pairs, infra: NO_INFRA };
}

const better = (n: number): (readonly [0 | 1, 0 | 1])[] => Array.from({ length: n }, () => [0, 1] as const);
const same = (n: number): (readonly [0 | 1, 0 | 1])[] => Array.from({ length: n }, () => [1, 1] as const);
const worse = (n: number): (readonly [0 | 1, 0 | 1])[] => Array.from({ length: n }, () => [1, 0] as const);

describe('the decision', () => {
  it('keeps an edit that is better in 5 of 5 groups at alpha 0.05: p is 1/32', () => {
    expect(decide(dataOf(better(5)), planOf(5, 1), 1)).toMatchObject({
      verdict: 'keep',
      p: 1 / 32,
      effect: 1,
      groups: 5,
      coverage: 1,
    });
  });

  it('leaves 6 better, 1 worse undecided at alpha 0.05: p is 8/128', () => {
    expect(decide(dataOf([...better(6), ...worse(1)]), planOf(7, 1), 1)).toMatchObject({
      verdict: 'undecided',
      p: 8 / 128,
    });
  });

  it('discards an edit without any difference, and a harmful one', () => {
    expect(decide(dataOf(same(8)), planOf(8, 1), 1)).toMatchObject({ verdict: 'discard', effect: 0 });
    expect(decide(dataOf(worse(8)), planOf(8, 1), 1)).toMatchObject({ verdict: 'discard', effect: -1 });
  });

  it('counts a group once, however many scenarios it has', () => {
    const scenarios = Array.from({ length: 12 }, (_, i) => ({ scenario: i + 1, group: `g${i % 3}` }));
    const pairs = scenarios.map((s): Pair => ({ ...s, epoch: 1, incumbent: 0, candidate: 1 }));
    const verdict = decide({ pairs, infra: NO_INFRA }, { ...planOf(1, 1), scenarios }, 1);
    expect(verdict).toMatchObject({ verdict: 'undecided', groups: 3 });
  });

  it('goes on after an early look that decides nothing, and pays for it at the last one', () => {
    const looks = defaultLooks(3, 20);
    const plan = { ...planOf(8, 3), looks };
    const data = dataOf([...better(6), ...same(2)], 3);
    // p = 2^-6 = 0.0156: above .05 * .05 and .10 * .05, below .85 * .05.
    expect(decide(data, plan, 1)).toBeNull();
    expect(decide(data, plan, 2)).toBeNull();
    expect(decide(data, plan, 3)).toMatchObject({ verdict: 'keep', p: 2 ** -6, look: 3 });
  });

  it('stops early when the candidate is behind', () => {
    const plan = { ...planOf(8, 3), looks: defaultLooks(3, 20) };
    expect(decide(dataOf([...worse(2), ...same(6)]), plan, 1)).toMatchObject({ verdict: 'discard', look: 1 });
  });

  it('spends exactly alpha over its looks', () => {
    for (const epochs of [1, 2, 3, 6, 10, 20]) {
      for (const groups of [20, 60]) {
        const looks = defaultLooks(epochs, groups);
        expect(looks.reduce((sum, look) => sum + look.share, 0)).toBeCloseTo(1, 12);
        expect(looks.at(-1)?.epochs).toBe(epochs);
      }
    }
  });
});

describe('the looks', () => {
  const shape = (epochs: number, groups: number): string =>
    defaultLooks(epochs, groups)
      .map((look) => `${look.epochs}: ${look.share} (${look.futilityZ})`)
      .join(', ');

  it.each([
    [3, 60, '1: 0.05 (0), 2: 0.1 (0.5), 3: 0.85 (0.5)'],
    [6, 20, '1: 0.05 (0), 2: 0.1 (0.3), 4: 0.2 (0.6), 6: 0.65 (0.5)'],
    [10, 40, '1: 0.05 (0), 2: 0.1 (0.3), 4: 0.15 (0.5), 7: 0.2 (0.7), 10: 0.5 (0.5)'],
    [10, 39, '2: 0.05 (0), 5: 0.1 (0.5), 10: 0.85 (0.5)'],
    [20, 20, '2: 0.05 (0), 6: 0.1 (0.3), 12: 0.15 (0.5), 20: 0.7 (0.5)'],
    [20, 60, '20: 1 (0.5)'],
    [4, 20, '4: 1 (0.5)'],
  ])('of %i epochs on %i groups are %s', (epochs, groups, expected) => {
    expect(shape(epochs, groups)).toBe(expected);
  });
});

describe('the size of a decision', () => {
  it('200 groups by 20 epochs are decided in under 200 ms', () => {
    const next = randomFrom('large');
    const bit = (): 0 | 1 => (next() < 0.5 ? 1 : 0);
    const plan = { ...planOf(200, 20), looks: defaultLooks(20, 200) };
    const pairs = plan.scenarios.flatMap(({ scenario, group }) =>
      Array.from({ length: 20 }, (_, e): Pair => ({
        scenario,
        group,
        epoch: e + 1,
        incumbent: bit(),
        candidate: bit(),
      })),
    );
    const started = performance.now();
    const verdict = decide({ pairs, infra: NO_INFRA }, plan, 1);
    expect(performance.now() - started).toBeLessThan(200);
    expect(verdict).toMatchObject({ groups: 200, epochs: 20 });
    expect(verdict?.p).toBeGreaterThan(0);
  });
});

describe('outside faults in one arm', () => {
  const looks = defaultLooks(3, 20);
  const lopsided = { incumbent: 0, candidate: 3, started: 30 };

  it('keep nothing before later epochs have evened them out', () => {
    const plan = { ...planOf(10, 3), looks };
    expect(decide({ ...dataOf(better(10)), infra: lopsided }, plan, 1)).toBeNull();
    expect(decide({ ...dataOf(better(10), 3), infra: lopsided }, plan, 3)?.verdict).toBe('undecided');
    expect(decide({ ...dataOf(better(10), 3), infra: { ...lopsided, started: 100 } }, plan, 3)?.verdict).toBe('keep');
  });

  it('are no sign of anything when there is one', () => {
    const once = { incumbent: 0, candidate: 1, started: 10 };
    expect(decide({ ...dataOf(better(10)), infra: once }, planOf(10, 1), 1)?.verdict).toBe('keep');
  });
});

describe('the decision fails closed', () => {
  const good = dataOf(better(10));
  const plan = planOf(10, 1);
  const cases: [string, GateData, GatePlan, string][] = [
    ['no data', { pairs: [], infra: NO_INFRA }, plan, 'no complete pair'],
    ['no holdout', { pairs: [], infra: NO_INFRA }, { ...plan, scenarios: [] }, 'no holdout scenarios'],
    [
      'NaN in an arm',
      { ...good, pairs: good.pairs.map((p, i) => (i === 3 ? { ...p, candidate: Number.NaN as 0 } : p)) },
      plan,
      'lacks an outcome',
    ],
    [
      'a missing arm',
      { ...good, pairs: good.pairs.map((p, i) => (i === 3 ? { ...p, incumbent: undefined as unknown as 0 } : p)) },
      plan,
      'lacks an outcome',
    ],
    ['a pair counted twice', { ...good, pairs: [...good.pairs, good.pairs[0] as Pair] }, plan, 'counted twice'],
    ['too few complete pairs', { ...good, pairs: good.pairs.slice(0, 8) }, plan, '80 %'],
    [
      'a scenario outside the plan',
      { ...good, pairs: [...good.pairs, { scenario: 99, group: 'g99', epoch: 1, incumbent: 0, candidate: 1 }] },
      plan,
      'not part of the plan',
    ],
    ['infra in one arm', { ...good, infra: { incumbent: 0, candidate: 6, started: 100 } }, plan, 'outside faults'],
    ['infra unknown', { ...good, infra: { incumbent: 0, candidate: Number.NaN, started: 100 } }, plan, 'not known'],
    ['four groups', dataOf(better(4)), planOf(4, 1), 'at least 5 are needed'],
    ['an alpha of 0', good, { ...plan, alpha: 0 }, 'alpha'],
    ['an alpha that is not a number', good, { ...plan, alpha: Number.NaN }, 'alpha'],
    ['looks that overspend', good, { ...plan, looks: [{ epochs: 1, share: 1.5, futilityZ: 0 }] }, 'not sound'],
  ];
  it.each(cases)('%s is undecided', (_, data, planned, reason) => {
    const verdict = decide(data, planned, 1);
    expect(verdict?.verdict).toBe('undecided');
    expect(verdict?.reason).toContain(reason);
  });

  it('never keeps garbage', () => {
    const junk = fc.record({
      scenario: fc.integer({ min: 0, max: 12 }),
      group: fc.constantFrom('g1', 'g2', 'x'),
      epoch: fc.oneof(fc.integer({ min: -1, max: 3 }), fc.constant(Number.NaN)),
      incumbent: fc.constantFrom(0, 1, 2, Number.NaN, undefined, null),
      candidate: fc.constantFrom(0, 1, 2, Number.NaN, undefined, null),
    });
    fc.assert(
      fc.property(fc.array(junk, { maxLength: 20 }), (pairs) => {
        expect(decide({ pairs: pairs as Pair[], infra: NO_INFRA }, plan, 1)?.verdict).not.toBe('keep');
      }),
      { seed: 20260103, numRuns: 500 },
    );
  });
});

describe('under the null', () => {
  it('an edit that does nothing is kept at most alpha of the time over all looks (4,000 draws, 3 errors of slack)', () => {
    const next = randomFrom('null edits');
    const alpha = 0.05;
    const plan = { ...planOf(20, 3, alpha), looks: defaultLooks(3, 20) };
    let kept = 0;
    const draws = 4000;
    for (let i = 0; i < draws; i += 1) {
      const chances = plan.scenarios.map(() => next());
      const pairs = plan.scenarios.flatMap(({ scenario, group }, s): Pair[] =>
        [1, 2, 3].map((epoch) => ({
          scenario,
          group,
          epoch,
          incumbent: next() < (chances[s] as number) ? 1 : 0,
          candidate: next() < (chances[s] as number) ? 1 : 0,
        })),
      );
      const verdict = [1, 2, 3].map((look) => decide({ pairs, infra: NO_INFRA }, plan, look)).find((v) => v !== null);
      if (verdict?.verdict === 'keep') kept += 1;
    }
    expect(kept / draws).toBeLessThanOrEqual(alpha + 3 * Math.sqrt((alpha * (1 - alpha)) / draws));
    expect(kept).toBeGreaterThan(0);
  });
});

describe('the order of a pair', () => {
  it('is a fair coin that depends on nothing but seed, scenario and epoch', () => {
    const first = Array.from({ length: 2000 }, (_, i) => pairOrder('seed', i, 1));
    const incumbents = first.filter((arm) => arm === 'incumbent').length;
    expect(Math.abs(incumbents - 1000)).toBeLessThan(3 * Math.sqrt(500));
    expect(Array.from({ length: 2000 }, (_, i) => pairOrder('seed', i, 1))).toEqual(first);
    expect(Array.from({ length: 2000 }, (_, i) => pairOrder('other', i, 1))).not.toEqual(first);
  });

  it('needs five groups for alpha 0.05 and nine for 0.0024', () => {
    expect(fewestGroups(0.05)).toBe(5);
    expect(fewestGroups(0.0024)).toBe(9);
    expect(fewestGroups(1 / 32)).toBe(5);
  });
});
