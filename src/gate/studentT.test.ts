import { describe, expect, it } from 'vitest';
import { studentTCdf, studentTQuantile } from './studentT.js';

describe("Student's t", () => {
  // Published upper 5 % points (any printed t table).
  it.each([
    [1, 6.3138],
    [2, 2.92],
    [5, 2.015],
    [10, 1.8125],
    [19, 1.7291],
    [30, 1.6973],
    [120, 1.6577],
  ])('with %i degrees of freedom has its 95 %% point at %f', (df, t) => {
    expect(studentTQuantile(0.95, df)).toBeCloseTo(t, 3);
  });

  it('is symmetric, and is the Cauchy distribution for one degree of freedom', () => {
    expect(studentTCdf(0, 7)).toBeCloseTo(0.5, 12);
    expect(studentTCdf(1, 1)).toBeCloseTo(0.75, 12);
    expect(studentTCdf(-1, 1)).toBeCloseTo(0.25, 12);
  });
});
