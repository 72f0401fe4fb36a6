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
      [{ name: 'failed turns', before: sessions(2, 28), after: sessions(12, 18) }],
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
    expect(judgeGuardrails([{ name: 'tokens', before, after }], 's')[0]).toMatchObject({ alarm: false, p: 0.0001 });
    const few = judgeGuardrails([{ name: 'errors', before: sessions(0, 3), after: sessions(1, 2) }], 's')[0];
    expect(few?.alarm).toBe(false);
    expect(few?.p).toBeCloseTo(0.5, 1);
  });

  it("pay for one another: Holm's correction, in the order given", () => {
    const one = { before: sessions(2, 28), after: sessions(9, 21) };
    const alone = judgeGuardrails([{ name: 'a', ...one }], 's')[0];
    expect(alone?.alarm).toBe(true);
    const quiet = { before: sessions(3, 27), after: sessions(3, 27) };
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
    expect(judgeGuardrails([{ name: 'a', before: [], after: [1, 1] }], 's')).toEqual([
      { name: 'a', rise: null, p: null, adjustedP: null, alarm: false },
    ]);
    expect(judgeGuardrails([{ name: 'a', before: [0, NaN], after: [1] }], 's')[0]).toMatchObject({ p: null });
  });

  it('come out the same with the same seed', () => {
    const data = [{ name: 'a', before: sessions(2, 10), after: sessions(5, 10) }];
    expect(judgeGuardrails(data, 'x')).toEqual(judgeGuardrails(data, 'x'));
  });

  it('rarely raise a false alarm: over four of them at most 5 % of windows (100 windows, 3 errors of slack)', () => {
    const random = randomFrom('null sessions');
    const draw = (n: number): number[] => Array.from({ length: n }, () => (random() < 0.2 ? 1 : 0));
    let alarms = 0;
    for (let i = 0; i < 100; i += 1) {
      const data = ['a', 'b', 'c', 'd'].map((name) => ({ name, before: draw(20), after: draw(20) }));
      if (judgeGuardrails(data, String(i)).some(({ alarm }) => alarm)) alarms += 1;
    }
    expect(alarms / 100).toBeLessThanOrEqual(0.05 + 3 * Math.sqrt((0.05 * 0.95) / 100));
  });
});
