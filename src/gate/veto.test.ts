import { describe, expect, it } from 'vitest';
import type { Pair, Tally } from './types.js';
import { decideVeto, vetoFlags } from './veto.js';

function seen(...counts: [pairs: number, incumbent: number, candidate: number][]): Tally {
  const scenarios = counts.map(([pairs, incumbent, candidate], i) => ({
    scenario: i + 1,
    group: i,
    pairs,
    incumbent,
    candidate,
  }));
  return { groups: counts.length, scenarios };
}

function fresh(scenario: number, incumbent: string, candidate: string): Pair[] {
  return [...incumbent].map((passed, i) => ({
    scenario,
    group: `g${scenario}`,
    epoch: i + 1,
    incumbent: passed === '1' ? 1 : 0,
    candidate: candidate[i] === '1' ? 1 : 0,
  }));
}

describe('the veto', () => {
  it('flags scenarios in which the incumbent leads by two thirds of the epochs', () => {
    expect(vetoFlags(seen([6, 5, 1], [6, 5, 2], [3, 2, 0], [1, 1, 0], [1, 0, 1]))).toEqual([1, 3, 4]);
  });

  it('speaks only when five fresh pairs confirm it: 4 of 5 against 1 of 5', () => {
    expect(decideVeto(fresh(1, '11110', '00001'), [1])).toBe('veto');
    expect(decideVeto(fresh(1, '11100', '00000'), [1])).toBe('clear');
    expect(decideVeto(fresh(1, '11111', '00011'), [1])).toBe('clear');
    expect(decideVeto([...fresh(1, '11111', '11111'), ...fresh(2, '11111', '00000')], [1, 2])).toBe('veto');
  });

  it('clears an edit that raised no flag, and is unclear when a fresh pair is missing', () => {
    expect(decideVeto([], [])).toBe('clear');
    expect(decideVeto(fresh(1, '1111', '0000'), [1])).toBe('unclear');
    expect(decideVeto(fresh(2, '11111', '11111'), [1])).toBe('unclear');
    const broken = fresh(1, '11111', '00000').map((p) => ({ ...p, candidate: NaN as 0 }));
    expect(decideVeto(broken, [1])).toBe('unclear');
  });
});
