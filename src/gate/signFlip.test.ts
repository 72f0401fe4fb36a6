import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomFrom, type Random } from './random.js';
import { signFlipP } from './signFlip.js';

/** Goes through all 2^n sign vectors, by the definition of the test. */
function enumerated(differences: readonly number[]): number {
  const observed = differences.reduce((a, b) => a + b, 0);
  let asLarge = 0;
  for (let signs = 0; signs < 2 ** differences.length; signs += 1) {
    const total = differences.reduce((sum, d, i) => sum + ((signs >> i) & 1 ? -d : d), 0);
    if (total >= observed) asLarge += 1;
  }
  return asLarge / 2 ** differences.length;
}

/** The same by subsets, each reached from the one before by one group (Gray code): fast enough for every case. */
function countedSubsets(differences: readonly number[]): number {
  const subsets = 2 ** differences.length;
  let sum = 0;
  let notAbove = 1;
  let inside = 0;
  for (let i = 1; i < subsets; i += 1) {
    const bit = 31 - Math.clz32(i & -i);
    inside ^= 1 << bit;
    sum += (inside >> bit) & 1 ? (differences[bit] as number) : -(differences[bit] as number);
    if (sum <= 0) notAbove += 1;
  }
  return notAbove / subsets;
}

/** Every choice of at most `most` of the values, repetition allowed, order aside. */
function* multisets(values: readonly number[], most: number, chosen: number[] = []): Generator<number[]> {
  yield chosen;
  if (chosen.length === most) return;
  for (const [i, value] of values.entries()) yield* multisets(values.slice(i), most, [...chosen, value]);
}

describe('the exact sign-flip p', () => {
  it("equals Fisher's count for Darwin's Zea mays: 863 of 32,768 arrangements", () => {
    // R. A. Fisher, The Design of Experiments, 1935, chapter III; C. Darwin's pairs of crossed and self-fertilised plants.
    const eighthsOfAnInch = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48];
    expect(signFlipP(eighthsOfAnInch) * 32768).toBeCloseTo(863, 8);
  });

  it("is the exact p of Wilcoxon's signed ranks, as printed", () => {
    // Upper tail of T+ for n ranks: M. Hollander and D. A. Wolfe, Nonparametric Statistical Methods, table A.4.
    const printed: [n: number, negative: number[], p: number][] = [
      [5, [], 0.031],
      [6, [], 0.016],
      [7, [2], 0.023],
      [8, [3], 0.02],
      [10, [8], 0.024],
      [12, [3, 10], 0.021],
      [15, [11, 14], 0.024],
    ];
    for (const [n, negative, p] of printed) {
      const ranks = Array.from({ length: n }, (_, i) => (negative.includes(i + 1) ? -(i + 1) : i + 1));
      expect(Math.round(1000 * signFlipP(ranks)) / 1000, `n = ${n}`).toBe(p);
    }
  });

  it("is 2 of 1024 for Student's sleep data: nine patients gained, one neither", () => {
    // Student (W. S. Gosset), "The probable error of a mean", Biometrika 6, 1908; hours, in tenths.
    expect(signFlipP([12, 24, 13, 13, 0, 10, 18, 8, 46, 14])).toBe(2 / 1024);
  });

  it('is 2^-n when every one of n groups is better', () => {
    expect(signFlipP([1, 1, 1, 1, 1])).toBe(1 / 32);
    expect(signFlipP([3, 1, 2])).toBe(1 / 8);
  });

  it('is 1 without groups, for nothing but ties, and for nothing but losses', () => {
    expect(signFlipP([])).toBe(1);
    expect(signFlipP([0, 0, 0])).toBe(1);
    expect(signFlipP([-1, -2])).toBe(1);
  });

  it('equals enumeration in every case of up to 12 groups that differ by at most 3, in whatever order', () => {
    let cases = 0;
    let worst = 0;
    for (const differences of multisets([-3, -2, -1, 0, 1, 2, 3], 12)) {
      cases += 1;
      worst = Math.max(worst, Math.abs(signFlipP(differences) - countedSubsets(differences)));
    }
    // Multisets of 0 to 12 out of 7 values: C(19, 7).
    expect(cases).toBe(50_388);
    expect(worst).toBeLessThan(1e-12);
    const random = randomFrom('order');
    const some = [3, -1, 0, 2, -3, 1, 1, -2, 3, 3, -1, 2];
    for (let i = 0; i < 50; i += 1) {
      const shuffled = some.map((d) => ({ d, at: random() })).sort((x, y) => x.at - y.at);
      expect(signFlipP(shuffled.map(({ d }) => d))).toBe(signFlipP(some));
    }
  });

  it('equals enumeration for any integers of up to 12 groups', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -20, max: 20 }), { maxLength: 12 }), (differences) => {
        expect(signFlipP(differences)).toBeCloseTo(enumerated(differences), 12);
      }),
      { seed: 20260101, numRuns: 200 },
    );
  });

  it('never grows when a group gets better', () => {
    const groups = fc.array(fc.integer({ min: -6, max: 6 }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(groups, fc.nat(), fc.integer({ min: 1, max: 5 }), (differences, pick, gain) => {
        const better = differences.map((d, i) => (i === pick % differences.length ? d + gain : d));
        expect(signFlipP(better)).toBeLessThanOrEqual(signFlipP(differences) + 1e-12);
      }),
      { seed: 20260102, numRuns: 300 },
    );
  });

  it('refuses a difference that is not an integer', () => {
    expect(() => signFlipP([1, Number.NaN])).toThrow(RangeError);
    expect(() => signFlipP([0.5])).toThrow(RangeError);
  });
});

describe('under the null p is uniform or larger', () => {
  const shapes: [string, (random: Random) => number][] = [
    ['flaky', () => 0.5],
    ['deterministic', (random) => (random() < 0.5 ? 0 : 1)],
    ['mixed', (random) => [0, 1, random(), 0.95][Math.floor(random() * 4)] as number],
  ];
  const sizes: [number, number][] = [1, 2, 5, 60, 200].map((groups) => [groups, groups > 50 ? 1000 : 4000]);
  const cells = shapes.flatMap(([shape, chance]) => sizes.map(([groups, draws]) => ({ shape, chance, groups, draws })));

  it.each(cells)('$shape scenarios, $groups groups', ({ shape, chance, groups, draws }) => {
    const random = randomFrom(`${shape}/${groups}`);
    const ps = Array.from({ length: draws }, () => {
      const differences = Array.from({ length: groups }, () => {
        const pass = chance(random);
        let difference = 0;
        for (let epoch = 0; epoch < 3; epoch += 1) difference += Number(random() < pass) - Number(random() < pass);
        return difference;
      });
      return signFlipP(differences);
    });
    for (const level of [0.01, 0.05, 0.2, 0.5]) {
      const share = ps.filter((p) => p <= level).length / draws;
      expect(share).toBeLessThanOrEqual(level + 3.5 * Math.sqrt((level * (1 - level)) / draws));
    }
  });
});
