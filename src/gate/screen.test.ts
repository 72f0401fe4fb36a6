import { describe, expect, it } from 'vitest';
import { decideDeletionScreen, decideScreen, screenSteps } from './screen.js';
import type { ScreenStep } from './screen.js';
import type { Tally } from './types.js';

/** One pair per group: so many better, so many worse, out of so many. */
function tally(groups: number, { better, worse }: { better: number; worse: number }): Tally {
  return {
    groups,
    scenarios: Array.from({ length: groups }, (_, i) => ({
      scenario: i,
      group: i,
      pairs: 1,
      incumbent: i >= better && i < better + worse ? 1 : 0,
      candidate: i < better ? 1 : 0,
    })),
  };
}

describe('the screen on train groups', () => {
  it('has three steps for many groups, three later ones for few, and none for under eight', () => {
    const shape = (groups: number) => screenSteps(groups).map((s) => [s.epochs, s.dropBelow, s.passFrom]);
    expect(shape(40)).toEqual([
      [0.5, -0.5, 2.5],
      [1, 0.25, 2],
      [2, 1, 1],
    ]);
    expect(shape(39)).toEqual([
      [1, -0.5, 2.5],
      [2, 0, 2],
      [3, 0.75, 0.75],
    ]);
    expect(shape(7)).toEqual([]);
  });

  const first = screenSteps(60)[0] as ScreenStep;
  it('lets a clear gain go straight on, drops a loss, and asks again in between', () => {
    // 9 better of 30: mean .3, standard error .085, z 3.5.
    expect(decideScreen(tally(30, { better: 9, worse: 0 }), first)).toBe('pass');
    expect(decideScreen(tally(30, { better: 2, worse: 6 }), first)).toBe('drop');
    expect(decideScreen(tally(30, { better: 3, worse: 3 }), first)).toBe('on');
  });

  it('decides at its last step, and drops what has no data', () => {
    const last = screenSteps(60).at(-1) as ScreenStep;
    expect(decideScreen(tally(60, { better: 2, worse: 2 }), last)).toBe('drop');
    expect(decideScreen(tally(60, { better: 8, worse: 2 }), last)).toBe('pass');
    expect(decideScreen({ groups: 0, scenarios: [] }, last)).toBe('drop');
  });

  it('drops a deletion only when it costs the margin', () => {
    expect(decideDeletionScreen(tally(20, { better: 0, worse: 1 }), 0.1)).toBe('pass');
    expect(decideDeletionScreen(tally(20, { better: 0, worse: 2 }), 0.1)).toBe('drop');
    expect(decideDeletionScreen({ groups: 0, scenarios: [] }, 0.1)).toBe('drop');
  });
});
