import { describe, expect, it } from 'vitest';
import { studentTCdf, studentTQuantile } from './studentT.js';

describe("Student's t", () => {
  // NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2: upper critical values.
  const LEVELS = [0.9, 0.95, 0.975, 0.99, 0.995, 0.999];
  it.each([
    [1, [3.078, 6.314, 12.706, 31.821, 63.657, 318.313]],
    [2, [1.886, 2.92, 4.303, 6.965, 9.925, 22.327]],
    [5, [1.476, 2.015, 2.571, 3.365, 4.032, 5.893]],
    [10, [1.372, 1.812, 2.228, 2.764, 3.169, 4.144]],
    [19, [1.328, 1.729, 2.093, 2.539, 2.861, 3.579]],
    [30, [1.31, 1.697, 2.042, 2.457, 2.75, 3.385]],
    [60, [1.296, 1.671, 2.0, 2.39, 2.66, 3.232]],
    [100, [1.29, 1.66, 1.984, 2.364, 2.626, 3.174]],
  ])('with %i degrees of freedom is as printed', (df, printed) => {
    for (const [i, t] of printed.entries()) {
      const level = LEVELS[i] as number;
      // The table's first row was computed with fewer digits: 318.309 to three decimals.
      const digits = t > 100 ? 1 : 3;
      expect(Math.abs(studentTQuantile(level, df) - t)).toBeLessThan(0.6 * 10 ** -digits);
      expect(studentTCdf(studentTQuantile(level, df), df)).toBeCloseTo(level, 9);
    }
  });

  it('is symmetric, and is the Cauchy distribution for one degree of freedom', () => {
    expect(studentTCdf(0, 7)).toBeCloseTo(0.5, 12);
    expect(studentTCdf(1, 1)).toBeCloseTo(0.75, 12);
    expect(studentTCdf(-1, 1)).toBeCloseTo(0.25, 12);
  });
});
