import { describe, expect, it } from 'vitest';
import { contrast, disagreement, twoSidedP } from './calibration.js';
import { randomFrom, type Random } from './random.js';
import type { Pair } from './types.js';

type Chance = (scenario: number) => { first: number; second: number };

/** Pairs of `groups` lone scenarios; `candidate` is the second run. */
function drawn(random: Random, size: { groups: number; epochs: number }, chance: Chance): Pair[] {
  const bit = (p: number): 0 | 1 => (random() < p ? 1 : 0);
  return Array.from({ length: size.groups }, (_, scenario) => {
    const { first, second } = chance(scenario);
    return Array.from({ length: size.epochs }, (_, epoch): Pair => {
      const group = `g${scenario}`;
      return { scenario, group, epoch: epoch + 1, incumbent: bit(first), candidate: bit(second) };
    });
  }).flat();
}

const even =
  (p: (scenario: number) => number): Chance =>
  (scenario) => ({ first: p(scenario), second: p(scenario) });

describe('the two-sided p', () => {
  it('is twice the smaller side, and never above 1', () => {
    expect(twoSidedP([1, 1, 1, 1, 1, 1])).toBe(2 / 64);
    expect(twoSidedP([-1, -1, -1, -1, -1, -1])).toBe(2 / 64);
    expect(twoSidedP([1, -1])).toBe(1);
    expect(twoSidedP([])).toBe(1);
  });

  it.each([
    ['flaky', () => 0.5],
    ['deterministic', (scenario: number) => scenario % 2],
    ['mixed', (scenario: number) => [0, 1, 0.5, 0.9][scenario % 4] as number],
  ])('rejects in at most 5 % of runs of %s scenarios in which both sides are the same', (name, p) => {
    const random = randomFrom(`calibration/${name}`);
    const draws = 1000;
    let rejected = 0;
    for (let i = 0; i < draws; i += 1) {
      if ((contrast(drawn(random, { groups: 30, epochs: 3 }, even(p)))?.p ?? 1) <= 0.05) rejected += 1;
    }
    expect(rejected / draws).toBeLessThanOrEqual(0.05 + 3.5 * Math.sqrt((0.05 * 0.95) / draws));
  });
});

describe('the effect that could have been seen', () => {
  /** Power at exactly the effect that `contrast` names, the difference being the same in every scenario. */
  const power = (
    name: string,
    size: { groups: number; epochs: number },
    at: number,
  ): { power: number; named: number } => {
    const random = randomFrom(`power/${name}`);
    const named: number[] = [];
    for (let i = 0; i < 60; i += 1)
      named.push(
        contrast(
          drawn(
            random,
            size,
            even(() => at),
          ),
        )?.detectable ?? 1,
      );
    const effect = named.reduce((sum, d) => sum + d, 0) / named.length;
    let found = 0;
    const draws = 500;
    for (let i = 0; i < draws; i += 1) {
      const pairs = drawn(random, size, () => ({ first: at, second: at < 0.5 ? at + effect : at - effect }));
      if ((contrast(pairs)?.p ?? 1) <= 0.05) found += 1;
    }
    return { power: found / draws, named: effect };
  };

  it.each([
    ['flaky, 60 x 3', { groups: 60, epochs: 3 }, 0.5],
    ['flaky, 20 x 6', { groups: 20, epochs: 6 }, 0.6],
    ['nearly certain, 60 x 3', { groups: 60, epochs: 3 }, 0.9],
  ])('%s: is found in at least about 80 %% of runs', (name, size, at) => {
    const seen = power(name, size, at);
    expect(seen.power).toBeGreaterThan(0.72);
    expect(seen.power).toBeLessThan(0.95);
  });

  it('is not 0 for scenarios that all came out alike', () => {
    const seen = power('certain', { groups: 60, epochs: 3 }, 1);
    expect(seen.named).toBeGreaterThan(0.03);
    expect(seen.power).toBeGreaterThan(0.6);
  });

  it('is none at all for fewer than six groups', () => {
    const few = (groups: number) =>
      contrast(
        drawn(
          randomFrom('few'),
          { groups, epochs: 3 },
          even(() => 0.5),
        ),
      );
    expect(few(5)?.detectable).toBeNull();
    expect(few(6)?.detectable).toBeGreaterThan(0);
    expect(contrast([])).toBeNull();
  });
});

describe('the spread of a text that changes nothing on average', () => {
  const mean = (name: string, chance: (random: Random) => Chance): number => {
    const random = randomFrom(name);
    const spreads = Array.from(
      { length: 200 },
      () => contrast(drawn(random, { groups: 60, epochs: 3 }, chance(random)))?.spread ?? NaN,
    );
    return spreads.reduce((sum, s) => sum + s, 0) / spreads.length;
  };

  it('is small where only chance is at work, and about what the text really moves', () => {
    expect(mean('no spread', () => even(() => 0.5))).toBeLessThan(0.13);
    const moved = mean('spread', (random) => () => {
      const by = random() < 0.5 ? 0.3 : -0.3;
      return { first: 0.5, second: 0.5 + by };
    });
    expect(moved).toBeGreaterThan(0.25);
    expect(moved).toBeLessThan(0.35);
  });
});

describe('disagreement between runs of the same text', () => {
  it.each([
    [6, 6, 0],
    [6, 0, 0],
    [2, 1, 1],
    [6, 3, 0.6],
    [4, 1, 0.5],
  ])('of %i runs with %i passes is %f', (runs, passes, expected) => {
    expect(disagreement({ runs, passes })).toBeCloseTo(expected, 12);
  });

  it('is not known for a single run', () => {
    expect(disagreement({ runs: 1, passes: 1 })).toBeNull();
  });
});
