import { describe, expect, it } from 'vitest';
import { DELETION_ALPHA, consultationAlpha } from './errorBudget.js';
import { enoughFor, fewestUsefulGroups, simulateEdits, smallestEffect, type PowerQuestion } from './power.js';

const first = consultationAlpha(0.05, 1);

function suite(groups: number, seen = { passes: 0, fails: 0 }) {
  return Array.from({ length: groups }, (_, i) => ({ group: `g${i}`, ...seen }));
}

function question(groups: number, epochs: number, part: Partial<PowerQuestion> = {}): PowerQuestion {
  return { train: [], holdout: suite(groups), epochs, alpha: first, margin: null, seed: 'test', ...part };
}

describe('power of a suite', () => {
  it('agrees with the benchmark: 30 groups x 10 keep a +20 in over 95 of 100, and 60 x 6 as well', () => {
    expect(simulateEdits(question(30, 10, { train: suite(30) }), 0.2).kept).toBeGreaterThan(0.95);
    expect(simulateEdits(question(60, 6, { train: suite(60) }), 0.2).kept).toBeGreaterThan(0.96);
  });

  it('keeps an edit that does nothing at most as often as alpha allows, within the error of the simulation', () => {
    expect(simulateEdits(question(30, 10), 0).kept).toBeLessThanOrEqual(first + 3 * Math.sqrt(first / 1000));
  });

  it('gives the same figures for the same seed and others for another', () => {
    const twice = [1, 2].map(() => simulateEdits(question(20, 6), 0.2));
    expect(twice[0]).toEqual(twice[1]);
    expect(simulateEdits(question(20, 6, { seed: 'other' }), 0.2)).not.toEqual(twice[0]);
  });

  it('is lower for 20 scenarios in 10 groups than for 20 of their own', () => {
    const grouped = suite(20).map((scenario, i) => ({ ...scenario, group: `g${i % 10}` }));
    const apart = simulateEdits(question(20, 10), 0.2).kept;
    expect(simulateEdits(question(20, 10, { holdout: grouped }), 0.2).kept).toBeLessThan(apart - 0.1);
  });

  it('is lower where the incumbent was seen to pass nearly always: there is little left to gain', () => {
    const sure = question(30, 6, { holdout: suite(30, { passes: 12, fails: 0 }) });
    expect(smallestEffect(sure)).toBeNull();
    expect(simulateEdits(sure, 1).kept).toBeLessThan(0.5);
    expect(smallestEffect(question(30, 6, { holdout: suite(30, { passes: 2, fails: 10 }) }))).toBeLessThan(25);
  });

  it('finds a smaller effect with more groups and more epochs', () => {
    const sizes = [question(20, 6), question(40, 6), question(40, 10)].map(smallestEffect);
    expect(sizes).toEqual([...sizes].sort((a, b) => (b ?? 100) - (a ?? 100)));
    expect(new Set(sizes).size).toBe(3);
  });

  it('names groups and epochs that really are enough, and one group less that is not', () => {
    const asked = question(14, 6);
    const enough = enoughFor(asked, { points: 0.2, power: 0.5 });
    const power = (added: number, epochs = 6) =>
      simulateEdits(
        question(14, epochs, { holdout: [...suite(14), ...suite(added).map((s) => ({ ...s, group: `~${s.group}` }))] }),
        0.2,
      ).kept;
    expect(power(enough.groups ?? 0)).toBeGreaterThan(0.45);
    expect(power((enough.groups ?? 0) - 2)).toBeLessThan(0.5);
    expect(power(0, enough.epochs ?? 1)).toBeGreaterThanOrEqual(0.5);
    expect(enough.epochs).toBe(10);
  });

  it('says that nothing is enough for an effect of a point', () => {
    expect(enoughFor(question(14, 6), { points: 0.01, power: 0.5 })).toEqual({ groups: null, epochs: null });
  });

  it('of a deletion is the chance that one that costs nothing is kept', () => {
    const deletion = { margin: 0.1, alpha: DELETION_ALPHA };
    expect(simulateEdits(question(60, 6, deletion), 0).kept).toBeGreaterThan(0.8);
    expect(simulateEdits(question(60, 6, deletion), -0.1).kept).toBeLessThan(0.05);
    expect(fewestUsefulGroups({ ...deletion, epochs: 1, groups: 60 })).toBe(Infinity);
  });

  it('of no holdout at all is none', () => {
    expect(simulateEdits(question(0, 6), 0.2)).toMatchObject({ kept: 0, trials: 0 });
  });
});
