import { describe, expect, it } from 'vitest';
import { decideLiveWindow, windowEpochs } from './liveWindow.js';
import { randomFrom } from './random.js';
import { liveWindow } from './simulatedEdit.js';
import { drawScenarios, shifted } from './simulatedSuite.js';
import type { Pair } from './types.js';

function pairs(outcomes: string): Pair[] {
  // '+' better, '-' worse, '=' same; one group each.
  return [...outcomes].map((o, i) => ({
    scenario: i + 1,
    group: `g${i + 1}`,
    epoch: 1,
    incumbent: o === '-' ? 1 : 0,
    candidate: o === '+' ? 1 : 0,
  }));
}

const judge = (outcomes: string, extension: 0 | 1 = 0) =>
  decideLiveWindow({ pairs: pairs(outcomes), plannedPairs: outcomes.length, extension, above: 0 });

describe('the size of a fresh run', () => {
  it.each([
    [0, 5],
    [7, 5],
    [20, 5],
    [21, 5],
    [25, 4],
    [34, 3],
    [49, 3],
    [50, 2],
    [60, 2],
    [400, 2],
  ])('of %i groups is %i epochs', (groups, epochs) => expect(windowEpochs(groups)).toBe(epochs));

  it('takes a true +10 back less often on 20 groups than two epochs would', () => {
    const reverted = (epochs: number) =>
      Array.from({ length: 400 }, (_, draw) => {
        const random = randomFrom(`window/${draw}`);
        const incumbent = drawScenarios(20, random);
        const suite = { incumbent, candidate: shifted(incumbent, 0.1) };
        return liveWindow(suite, { epochs, random }).verdict === 'revert';
      }).filter(Boolean).length;
    expect(reverted(windowEpochs(20))).toBeLessThan(reverted(2) / 2);
  });
});

describe('the rule of the live window', () => {
  it('verifies what fresh trials do not contradict', () => {
    expect(judge('++==-=')).toMatchObject({ verdict: 'verified' });
  });

  it('reverts at once when fresh trials show harm: 6 of 6 worse is p = 1/64', () => {
    expect(judge('------')).toMatchObject({ verdict: 'revert', pHarm: 1 / 64, effect: -1 });
  });

  it('does not call 5 of 5 worse harm: 1/32 is above 0.02', () => {
    expect(judge('-----')).toMatchObject({ verdict: 'extend', pHarm: 1 / 32 });
  });

  it('asks once more after no gain, and reverts after none twice', () => {
    expect(judge('+-==')).toMatchObject({ verdict: 'extend' });
    expect(judge('+-==+-==', 1)).toMatchObject({ verdict: 'revert' });
    expect(judge('+-==++==', 1)).toMatchObject({ verdict: 'verified' });
  });

  it('lets a deletion lose a little: up to its margin, unless that is harm beyond doubt', () => {
    const deletion = (outcomes: string, extension: 0 | 1 = 0) =>
      decideLiveWindow({ pairs: pairs(outcomes), plannedPairs: outcomes.length, extension, above: -0.1 });
    expect(deletion('-' + '='.repeat(19))).toMatchObject({ verdict: 'verified', effect: -0.05 });
    expect(deletion('--' + '='.repeat(18))).toMatchObject({ verdict: 'extend', effect: -0.1 });
    expect(deletion('--' + '='.repeat(18), 1)).toMatchObject({ verdict: 'revert' });
    expect(deletion('------' + '='.repeat(94))).toMatchObject({ verdict: 'revert', pHarm: 1 / 64 });
  });

  it('is undecided without pairs, with too few of them, or with a malformed one', () => {
    expect(decideLiveWindow({ pairs: [], plannedPairs: 10, extension: 0, above: 0 }).verdict).toBe('undecided');
    expect(decideLiveWindow({ pairs: pairs('++++'), plannedPairs: 10, extension: 0, above: 0 }).verdict).toBe(
      'undecided',
    );
    const broken = pairs('+++++').map((p) => ({ ...p, candidate: Number.NaN as 0 }));
    expect(decideLiveWindow({ pairs: broken, plannedPairs: 5, extension: 0, above: 0 }).verdict).toBe('undecided');
  });
});
