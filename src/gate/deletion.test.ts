import { describe, expect, it } from 'vitest';
import { decideDeletion, nonInferiorityP } from './deletion.js';
import type { DeletionPlan, GateData, Pair, Tally } from './types.js';

const NO_INFRA = { incumbent: 0, candidate: 0, started: 100 };

function planOf(groups: number, epochs: number, alpha = 0.02): DeletionPlan {
  const scenarios = Array.from({ length: groups }, (_, i) => ({ scenario: i, group: `g${i}` }));
  return { alpha, epochs, margin: 0.1, scenarios };
}

/** Every pair as given, but that the candidate fails in the first `lost` ones. */
function dataOf(plan: DeletionPlan, lost: number): GateData {
  const pairs = plan.scenarios.flatMap((s) =>
    Array.from({ length: plan.epochs }, (_, e): Pair => ({ ...s, epoch: e + 1, incumbent: 1, candidate: 1 })),
  );
  return { pairs: pairs.map((p, i) => (i < lost ? { ...p, candidate: 0 } : p)), infra: NO_INFRA };
}

describe('a deletion', () => {
  it('is kept when nothing is lost: t = .1 / sqrt(.09 / 360) = 6.32 with 59 degrees of freedom', () => {
    const verdict = decideDeletion(dataOf(planOf(60, 6), 0), planOf(60, 6));
    expect(verdict).toMatchObject({ verdict: 'keep', effect: 0, groups: 60, epochs: 6 });
    expect(verdict.p).toBeCloseTo(1.86e-8, 10);
  });

  it('is discarded when it costs the margin, and undecided in between', () => {
    const plan = planOf(60, 6);
    expect(decideDeletion(dataOf(plan, 36), plan)).toMatchObject({ verdict: 'discard', p: 0.5 });
    expect(decideDeletion(dataOf(plan, 30), plan)).toMatchObject({ verdict: 'undecided' });
  });

  it('takes the largest of the three variances', () => {
    const tally: Tally = {
      groups: 3,
      scenarios: [3, 6, 6].map((candidate, i) => ({ scenario: i, group: i, pairs: 6, incumbent: 6, candidate })),
    };
    // Differences -.5, 0, 0: between 1/36, within .25/5/9 = 1/180, least .09/18; t = (-1/6 + .1) / (1/6) = -.4 at 2.
    expect(nonInferiorityP(tally, { margin: 0.1, epochs: 6 })).toBeCloseTo(0.6361, 4);
  });

  it('is tested at half of alpha with fewer than six epochs, and not at all with one', () => {
    const short = planOf(20, 5);
    const whole = planOf(20, 6);
    const p = decideDeletion(dataOf(short, 0), short).p as number;
    expect(decideDeletion(dataOf(short, 0), { ...short, alpha: p * 1.5 }).verdict).toBe('undecided');
    expect(decideDeletion(dataOf(short, 0), { ...short, alpha: p * 2.01 }).verdict).toBe('keep');
    const atSix = decideDeletion(dataOf(whole, 0), whole).p as number;
    expect(decideDeletion(dataOf(whole, 0), { ...whole, alpha: atSix * 1.01 }).verdict).toBe('keep');
    expect(decideDeletion(dataOf(planOf(60, 1), 0), planOf(60, 1)).verdict).toBe('undecided');
  });

  it.each<[string, (data: GateData, plan: DeletionPlan) => [GateData, DeletionPlan]]>([
    ['no data', (data, plan) => [{ ...data, pairs: [] }, plan]],
    [
      'no holdout',
      (data, plan) => [
        { ...data, pairs: [] },
        { ...plan, scenarios: [] },
      ],
    ],
    ['a margin that is not a number', (data, plan) => [data, { ...plan, margin: NaN }]],
    ['an alpha of 1', (data, plan) => [data, { ...plan, alpha: 1 }]],
    ['too few pairs', (data, plan) => [{ ...data, pairs: data.pairs.slice(0, 100) }, plan]],
    ['infra in one arm', (data, plan) => [{ ...data, infra: { incumbent: 0, candidate: 9, started: 100 } }, plan]],
    ['NaN', (data, plan) => [{ ...data, pairs: data.pairs.map((p) => ({ ...p, candidate: NaN as 0 })) }, plan]],
    ['one group', (_, plan) => [dataOf(planOf(1, 6), 0), { ...plan, scenarios: plan.scenarios.slice(0, 1) }]],
  ])('%s is undecided', (_, spoil) => {
    const plan = planOf(20, 6);
    const [data, spoilt] = spoil(dataOf(plan, 0), plan);
    expect(decideDeletion(data, spoilt).verdict).toBe('undecided');
  });
});
