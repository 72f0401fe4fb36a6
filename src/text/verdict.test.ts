import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { FreshView, VerdictEvidence } from '../services/verdictEvidence.js';
import type { VerdictView } from '../services/verdictView.js';
import { dotPlot } from './dotPlot.js';
import { freshParagraph } from './fresh.js';
import { makeLook, visible } from './look.js';
import { SELECTION_BIAS } from './selectionBias.js';
import { verdictParagraph, verdictText } from './verdict.js';

const terminal = (options: { width?: number; unicode?: boolean; color?: boolean } = {}) =>
  makeLook({ width: 80, color: false, form: 'terminal', command: 'k', ...options });

const KEEP: VerdictView = {
  verdict: 'keep',
  reason: "p 0.0004 is at most 0.0013, this look's share of alpha",
  p: 0.0004,
  alpha: 0.0024,
  effect: 0.23,
  interval: [0.11, 0.35],
  groups: 24,
  epochs: 4,
  coverage: 1,
  stage: 'holdout',
  margin: null,
  look: 3,
  evalRunId: 1,
};
const EVIDENCE: VerdictEvidence = {
  differences: [1, 0.5, 0.5, 0.25, 0.25, 0.25, 0, 0, 0, 0, -0.25],
  allowedP: 0.0013,
  looks: 4,
  groupsForProof: 20,
  cost: { trials: 340, tokens: 5_200_000, usd: 1.2 },
};

describe('the picture', () => {
  it('has a dot for each group, sorted and without names, over a mean and its interval', () => {
    expect(dotPlot(terminal(), { differences: EVIDENCE.differences, mean: 0.23, interval: [0.11, 0.35] })).toBe(
      `                                  ●
                                  ●       ●
                                  ●       ●      ●
                           ●      ●       ●      ●              ●
    ┴──────────────┴──────────────┴──────────────┴──────────────┴
  -100            -50             0             +50           +100
                                     ├───◆───┤
    each dot: one group; ◆ mean; ├┤ 90 % interval`,
    );
  });

  it('is plain ASCII where the terminal draws no more, and narrower where it has to be', () => {
    const text = dotPlot(terminal({ unicode: false, width: 40 }), { differences: [1, 0, -1], mean: 0, interval: null });
    expect(text).toBe(
      `    o             o             o
    +------+------+------+------+
  -100    -50     0     +50   +100
                  *
    each dot: one group; * mean`,
    );
    // eslint-disable-next-line no-control-regex -- ASCII is the point
    expect(text).toMatch(/^[\x00-\x7f]*$/);
  });

  it('lets a dot stand for several groups when there are many', () => {
    const differences = [...Array<number>(150).fill(0), ...Array<number>(45).fill(0.5), ...Array<number>(5).fill(-1)];
    const lines = dotPlot(terminal(), { differences, mean: 0.09, interval: [0.05, 0.13] }).split('\n');
    expect(lines).toHaveLength(8 + 4);
    expect(lines.at(-1)).toContain('each dot: 19 groups, ○ fewer');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it('is left out of a chat', () => {
    const chat = makeLook({ color: false, form: 'plain', command: '/karpathy' });
    expect(dotPlot(chat, { differences: [1], mean: 1, interval: null })).toBe('');
    expect(verdictText(chat, KEEP, EVIDENCE)).toBe(verdictParagraph(KEEP, EVIDENCE));
    expect(verdictParagraph(KEEP, EVIDENCE).length).toBeLessThan(1000);
  });
});

describe('a verdict in words', () => {
  it('says of a keep what was compared, how sure, what it cost and what would change it', () => {
    expect(verdictParagraph(KEEP, EVIDENCE)).toBe(
      'The text with and without the change ran on 24 hidden scenario groups, 4 times each. With it 23 of 100 more passed. ' +
        'A change that does nothing would look this good with a chance of 0.04 %; the limit was 0.13 %. ' +
        'The gain reads too high, since it is what got the change chosen; the fresh trials of the live window are the record. ' +
        'Testing it took 340 trials, 5,200,000 tokens, $1.20. ' +
        'What would still change the answer: fresh trials after the apply that show harm, or twice no gain.',
    );
  });

  it('labels the gain at selection as too high, with the benchmark’s figures', () => {
    const text = verdictText(terminal(), KEEP, EVIDENCE);
    expect(text.replaceAll(/\s+/g, ' ')).toContain(
      '+23 points at selection, too high by construction (in the benchmark a true +10 reads 2.4 too high, +15 1.4, +20 1.5)',
    );
    expect(text.replaceAll(/\n +/g, ' ')).toMatch(
      /^sure +p = 0\.0004, at most 0\.13 % allowed at look 3 of 4; 0\.24 % for the whole test/m,
    );
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
    const coloured = verdictText(terminal({ color: true }), KEEP, EVIDENCE);
    expect(coloured).not.toBe(text);
    expect(visible(coloured)).toBe(text);
  });

  it('says of a deletion what is proven, and no more', () => {
    const text = verdictParagraph(
      { ...KEEP, margin: 0.1, effect: 0, p: 0.004, alpha: 0.02 },
      { ...EVIDENCE, allowedP: null },
    );
    expect(text).toContain('With it as many trials passed as without.');
    expect(text).toContain('A text that loses 10 % would do this well with a chance of 0.4 %; the limit was 2 %.');
  });

  it('says of a discard where it stopped, and whether the holdout was asked', () => {
    const discard = {
      ...KEEP,
      verdict: 'discard',
      reason: 'the gain is within noise',
      effect: -0.04,
      look: 2,
    } as const;
    expect(verdictParagraph(discard, EVIDENCE)).toContain('With it 4 of 100 fewer passed. It is not worth keeping');
    expect(verdictParagraph(discard, EVIDENCE)).toContain('The test stopped at look 2 of 4, to spend no more.');
    expect(verdictParagraph({ ...discard, stage: 'train', look: 0 }, EVIDENCE)).toContain(
      'nothing of the error budget is spent',
    );
  });

  it('says of an undecided one how much more it would take', () => {
    const undecided = { ...KEEP, verdict: 'undecided', reason: 'p 0.02 is above 0.0016', p: 0.02, look: 4 } as const;
    expect(verdictParagraph(undecided, { ...EVIDENCE, groupsForProof: 61 })).toContain(
      'What would change the answer: about 61 scenario groups, if the difference stays as it is.',
    );
    expect(verdictParagraph({ ...undecided, p: null, reason: 'no complete pair of trials' }, EVIDENCE)).toContain(
      'what is missing, as said',
    );
  });
});

const FRESH: FreshView = {
  verdict: 'verified',
  reason: 'fresh trials do not contradict the decision',
  pHarm: 0.98,
  effect: 0.15,
  groups: 24,
  epochs: 2,
  interval: [0.03, 0.27],
  extended: false,
  newGroups: 6,
  differences: [0.5, 0],
  cost: { trials: 96, tokens: 1000, usd: null },
};

describe('the fresh trials', () => {
  it('are the record, with an interval of a fixed sample', () => {
    expect(freshParagraph(FRESH)).toBe(
      'After the apply both texts ran again on 24 hidden scenario groups, 6 of them new since the keep, 2 times each, on fresh trials. ' +
        'On record: +15 points (90 % interval +3 points to +27 points). ' +
        'A change that does no harm would look this bad with a chance of 98 %; at 2 % it is taken back. ' +
        'Result: verified, fresh trials do not contradict the decision. It took 96 trials, 1,000 tokens, unknown price.',
    );
  });

  it('have no interval after an extension, which hung on what they showed', () => {
    expect(freshParagraph({ ...FRESH, extended: true, interval: null })).toContain(
      'On record: +15 points (no interval',
    );
  });
});

it('the figures of the bias are those of docs/gate-numbers.md', () => {
  const doc = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'gate-numbers.md'), 'utf8');
  const table = doc.slice(doc.indexOf('How much too high'));
  const rows = [...table.matchAll(/^\| \+(\d+) \| \+([\d.]+) ± /gm)].map(([, effect, bias]) => ({
    true: Number(effect),
    tooHigh: Number(bias),
  }));
  expect(SELECTION_BIAS).toEqual(rows);
});
