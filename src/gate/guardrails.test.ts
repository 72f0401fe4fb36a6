import { describe, expect, it } from 'vitest';
import { judgeGuardrails } from './guardrails.js';
import { randomFrom } from './random.js';

const sessions = (bad: number, good: number): number[] => [
  ...Array.from({ length: bad }, () => 1),
  ...Array.from({ length: good }, () => 0),
];

describe('guardrails', () => {
  it('alarm at a rise that is neither chance nor small', () => {
    const [verdict] = judgeGuardrails(
      [{ name: 'failed turns', unit: 'rate', before: sessions(2, 28), after: sessions(12, 18) }],
      's',
    );
    expect(verdict).toMatchObject({ name: 'failed turns', alarm: true });
    expect(verdict?.rise).toBeCloseTo(1 / 3, 12);
    // Hypergeometric: 14 bad of 60, at least 12 of them among the 30 after.
    expect(verdict?.p).toBeCloseTo(0.0021, 3);
  });

  it('keep quiet about a sure rise that is small, and about a large one that may be chance', () => {
    const after = Array.from({ length: 200 }, () => 0.53);
    const before = Array.from({ length: 200 }, () => 0.5);
    const sure = judgeGuardrails([{ name: 'tool errors', unit: 'rate', before, after }], 's')[0];
    expect(sure).toMatchObject({ alarm: false, p: 0.0001 });
    const chance = { before: sessions(0, 5), after: sessions(1, 4) };
    const few = judgeGuardrails([{ name: 'errors', unit: 'rate', ...chance }], 's')[0];
    expect(few?.alarm).toBe(false);
    expect(few?.p).toBeCloseTo(0.5, 1);
  });

  it('ask of an amount that it rises by half, whatever its unit', () => {
    const cents = (factor: number) => Array.from({ length: 40 }, (_, i) => factor * (0.001 + 0.00001 * i));
    const amount = (after: number[]) =>
      judgeGuardrails([{ name: 'cost', unit: 'amount', before: cents(1), after }], 's')[0];
    expect(amount(cents(1.6))).toMatchObject({ alarm: true });
    expect(amount(cents(1.4))).toMatchObject({ alarm: false, p: 0.0001 });
  });

  it('say nothing with fewer than five sessions on a side', () => {
    const four = { name: 'errors', unit: 'rate', before: sessions(0, 40), after: sessions(4, 0) } as const;
    expect(judgeGuardrails([four], 's')[0]).toMatchObject({ rise: 1, p: null, alarm: false, couldSee: null });
  });

  it('say what rise the sessions could have shown', () => {
    const couldSee = (before: number, after: number, tests = 1) => {
      const data = { name: 'failed', unit: 'rate', before: sessions(0, before), after: sessions(0, after) } as const;
      return judgeGuardrails([data, ...Array.from({ length: tests - 1 }, () => data)], 's')[0]?.couldSee;
    };
    // By hand: d² = c · p(1-p) with c = (1.645 + 0.842)² · 2/20 = 0.6183 and p = d/2, so d = (c/2) / (1 + c/4).
    expect(couldSee(20, 20)).toBeCloseTo(0.26774, 4);
    expect(couldSee(200, 20)).toBeLessThan(couldSee(20, 20) as number);
    expect(couldSee(20, 20, 5)).toBeGreaterThan(couldSee(20, 20) as number);
    expect(couldSee(5, 5, 5)).toBeNull();
  });

  it('see in fact, four times in five, the rise they say they could have seen', () => {
    const random = randomFrom('power');
    const draw = (n: number, p: number) => Array.from({ length: n }, () => (random() < p ? 1 : 0));
    const size = judgeGuardrails(
      [{ name: 'f', unit: 'rate', before: sessions(6, 54), after: sessions(3, 27) }],
      's',
    )[0];
    const draws = 60;
    let seen = 0;
    for (let i = 0; i < draws; i += 1) {
      const data = {
        name: 'f',
        unit: 'rate',
        before: draw(60, 0.1),
        after: draw(30, 0.1 + (size?.couldSee ?? 0)),
      } as const;
      if ((judgeGuardrails([data], `draw ${i}`)[0]?.p ?? 1) <= 0.05) seen += 1;
    }
    // Binomial with 60 draws at 0.8: SD 0.05.
    expect(seen / draws).toBeGreaterThan(0.65);
    expect(seen / draws).toBeLessThan(0.95);
  });

  it("pay for one another: Holm's correction, in the order given", () => {
    const one = { unit: 'rate' as const, before: sessions(2, 28), after: sessions(9, 21) };
    const alone = judgeGuardrails([{ name: 'a', ...one }], 's')[0];
    expect(alone?.alarm).toBe(true);
    const quiet = { unit: 'rate' as const, before: sessions(3, 27), after: sessions(3, 27) };
    const all = judgeGuardrails(
      [
        { name: 'q', ...quiet },
        { name: 'a', ...one },
        { name: 'r', ...quiet },
      ],
      's',
    );
    expect(all[1]?.p).toBe(alone?.p);
    expect(all[1]?.adjustedP).toBeCloseTo(3 * (alone?.p as number), 12);
    expect(all.map(({ alarm }) => alarm)).toEqual([false, false, false]);
  });

  it('say nothing without sessions or about what is not a number', () => {
    const nothing = { before: null, rise: null, p: null, adjustedP: null, alarm: false, couldSee: null };
    expect(judgeGuardrails([{ name: 'a', unit: 'rate', before: [], after: [1, 1] }], 's')).toEqual([
      { name: 'a', unit: 'rate', after: 1, ...nothing },
    ]);
    const odd = { name: 'a', unit: 'rate', before: [0, 0, 0, 0, NaN], after: sessions(5, 0) } as const;
    expect(judgeGuardrails([odd], 's')[0]).toMatchObject({ ...nothing, after: 1 });
  });

  it('come out the same with the same seed', () => {
    const data = [{ name: 'a', unit: 'rate' as const, before: sessions(2, 10), after: sessions(5, 10) }];
    expect(judgeGuardrails(data, 'x')).toEqual(judgeGuardrails(data, 'x'));
  });

  it('rarely raise a false alarm: over four of them at most 5 % of windows (100 windows, 3 errors of slack)', () => {
    const random = randomFrom('null sessions');
    const draw = (n: number): number[] => Array.from({ length: n }, () => (random() < 0.2 ? 1 : 0));
    let alarms = 0;
    for (let i = 0; i < 100; i += 1) {
      const data = ['a', 'b', 'c', 'd'].map((name) => ({
        name,
        unit: 'rate' as const,
        before: draw(20),
        after: draw(20),
      }));
      if (judgeGuardrails(data, String(i)).some(({ alarm }) => alarm)) alarms += 1;
    }
    expect(alarms / 100).toBeLessThanOrEqual(0.05 + 3 * Math.sqrt((0.05 * 0.95) / 100));
  });
});
