import { describe, expect, it } from 'vitest';
import { judgeRepeats, type Answer } from './repeats.js';

/** Ten scenarios, asked three times each under two texts; `say` gives what an answer was, by the number of the try. */
function answers(say: (at: { scenario: number; under: string; time: number }) => Partial<Answer>): Answer[] {
  return [0, 1, 2].flatMap((time) =>
    ['old', 'new'].flatMap((under) =>
      Array.from({ length: 10 }, (_, scenario) => ({
        scenario,
        under,
        digest: `${scenario}`,
        ids: [],
        modelMs: 900 + 10 * time,
        ...say({ scenario, under, time }),
      })),
    ),
  );
}

describe('whether asking again was evidence', () => {
  it('was, when answers differ', () => {
    const varied = answers(({ scenario, time }) => ({ digest: `${scenario}-${scenario < 3 ? time : 0}` }));
    expect(judgeRepeats(varied)).toEqual({ kind: 'varied', asked: 20, identical: 14, sign: null });
  });

  it('is not known before anything was asked twice', () => {
    expect(judgeRepeats(answers(() => ({})).slice(0, 20))).toMatchObject({ kind: 'unknown', asked: 0 });
    expect(judgeRepeats([])).toMatchObject({ kind: 'unknown' });
  });

  it('was not, when every answer was the same; nothing shows a cache', () => {
    expect(judgeRepeats(answers(() => ({})))).toEqual({ kind: 'identical', asked: 20, identical: 20, sign: null });
  });

  it('does not count two texts as the same question', () => {
    expect(judgeRepeats(answers(({ under, scenario }) => ({ digest: `${under}-${scenario}` })))).toMatchObject({
      kind: 'identical',
    });
  });
});

describe('a cache', () => {
  it('is shown by one id that comes back with the same answer', () => {
    const one = answers(({ scenario, under, time }) => ({
      digest: `${scenario}-${time % 2}`,
      ids: [scenario === 4 && under === 'old' && time !== 1 ? 'gen-4' : `gen-${scenario}-${under}-${time}`],
    }));
    expect(judgeRepeats(one)).toMatchObject({ kind: 'cached', sign: 'ids' });
  });

  it('is not shown by a provider that gives all its answers the same id', () => {
    expect(judgeRepeats(answers(() => ({ ids: ['chatcmpl-0'] })))).toMatchObject({ kind: 'identical' });
    const varied = answers(({ scenario, time }) => ({ digest: `${scenario}-${time}`, ids: ['chatcmpl-0'] }));
    expect(judgeRepeats(varied)).toMatchObject({ kind: 'varied' });
  });

  it('is shown by repeats that come at once', () => {
    const slowFirst = answers(({ time }) => ({ modelMs: time === 0 ? 900 : 20 }));
    expect(judgeRepeats(slowFirst)).toMatchObject({ kind: 'cached', sign: 'latency' });
  });

  it('is not shown by a prompt that became warm, nor by clocks too coarse, nor where times are missing', () => {
    expect(judgeRepeats(answers(({ time }) => ({ modelMs: time === 0 ? 900 : 300 })))).toMatchObject({ sign: null });
    expect(judgeRepeats(answers(({ time }) => ({ modelMs: time === 0 ? 40 : 1 })))).toMatchObject({ sign: null });
    expect(
      judgeRepeats(answers(({ time }) => ({ modelMs: time === 1 ? null : 900 - 890 * Math.sign(time) }))),
    ).toMatchObject({ sign: null });
  });

  it('is not shown by quick answers that differ', () => {
    const quick = answers(({ scenario, time }) => ({ digest: `${scenario}-${time}`, modelMs: time === 0 ? 900 : 20 }));
    expect(judgeRepeats(quick)).toMatchObject({ kind: 'varied', sign: null });
  });
});
