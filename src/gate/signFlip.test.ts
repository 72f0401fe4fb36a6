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

describe('the exact sign-flip p', () => {
  it("equals Fisher's count for Darwin's Zea mays: 863 of 32,768 arrangements", () => {
    const eighthsOfAnInch = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48];
    expect(signFlipP(eighthsOfAnInch) * 32768).toBeCloseTo(863, 8);
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
