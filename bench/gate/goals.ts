/** What a figure of the benchmark has to reach; see docs/gate.md for what the numbers mean. */
export interface Goal {
  readonly label: string;
  readonly cell: string;
  readonly measure: string;
  readonly unit: 'percent' | 'trials' | 'points';
  readonly is: 'at least' | 'at most' | 'within';
  /** A share in [0, 1], a number of trials, or half a width in [0, 1]. */
  readonly value: number;
}

type Row = readonly [label: string, cell: string, measure: string, is: Goal['is'], value: number];

const SHARES: readonly Row[] = [
  ['60 × ≤ 6: +20 kept at candidate 1', 'run 60x6', '+20 at 1', 'at least', 0.98],
  ['60 × ≤ 6: +20 kept at candidate 20', 'run 60x6', '+20 at 20', 'at least', 0.98],
  ['60 × ≤ 6: +20 kept at candidate 100', 'run 60x6', '+20 at 100', 'at least', 0.98],
  ['60 × ≤ 6: +10 kept at α .001', '+10 60x6', 'kept', 'at least', 0.38],
  ['60 × 3: +20 kept at candidate 1', 'run 60x3', '+20 at 1', 'at least', 0.96],
  ['60 × 3: +20 kept at candidate 20', 'run 60x3', '+20 at 20', 'at least', 0.95],
  ['60 × 3: +20 kept at candidate 100', 'run 60x3', '+20 at 100', 'at least', 0.935],
  ['60 × ≤ 6: any false keep in 100 null edits', 'run 60x6', 'any false keep', 'at most', 0.025],
  ['60 × 3: any false keep in 100 null edits', 'run 60x3', 'any false keep', 'at most', 0.025],
  ['60 × ≤ 6: … when all 100 overfit the train set', 'overfit 60x6', 'any false keep', 'at most', 0.035],
  ['60 × 3: … when all 100 overfit the train set', 'overfit 60x3', 'any false keep', 'at most', 0.035],
  ['60 × ≤ 6: 99 overfit edits first, then +20', 'overfit 60x6', '+20 at 100', 'at least', 0.75],
  ['60 × 3: 99 overfit edits first, then +20', 'overfit 60x3', '+20 at 100', 'at least', 0.75],
  ['20 × ≤ 10 at α .0025: +20 kept', '+20 20x10', 'kept', 'at least', 0.9],
  ['20 × ≤ 20: +20 kept at candidate 1', '+20 20x20', 'kept', 'at least', 0.96],
  ['30 × ≤ 10: +20 kept at candidate 1', '+20 30x10', 'kept', 'at least', 0.98],
  ['60 × ≤ 6 at α .0016: +20 kept, unlike between scenarios (logit SD 1)', '+20 mixed 60x6', 'kept', 'at least', 0.97],
  ['live window, 60 × 1: reverted at true +20', 'window +20', 'reverted', 'at most', 0.005],
  ['live window, 60 × 1: reverted at true +10', 'window +10', 'reverted', 'at most', 0.025],
  ['live window, 60 × 1: reverted at true −10', 'window -10', 'reverted', 'at least', 0.9],
  ['deletion, margin 10, 60 × 6, α .02: harmless kept', 'deletion 0', 'kept', 'at least', 0.85],
  ['deletion, margin 10, 60 × 6, α .02: −10 kept', 'deletion -10', 'kept', 'at most', 0.025],
  ['deletion, margin 10, 60 × 6, α .02: −15 kept', 'deletion -15', 'kept', 'at most', 0.002],
];

const TRIALS: readonly Row[] = [
  ['60 × ≤ 6: mean trials of a null edit', 'run 60x6', 'trials of an edit', 'at most', 200],
  ['60 × ≤ 6: mean trials of a perfect edit', 'perfect 60x6', 'trials', 'at most', 200],
];

/** On record: after the keep and the live window, of edits that passed both. */
const POINTS: readonly Row[] = [
  ['effect on record against the truth, true +10', 'record +10', 'bias on record', 'within', 0.01],
  ['effect on record against the truth, true +15', 'record +15', 'bias on record', 'within', 0.01],
  ['effect on record against the truth, true +20', 'record +20', 'bias on record', 'within', 0.01],
];

function goals(rows: readonly Row[], unit: Goal['unit']): Goal[] {
  return rows.map(([label, cell, measure, is, value]) => ({ label, cell, measure, unit, is, value }));
}

export const GOALS: readonly Goal[] = [
  ...goals(SHARES, 'percent'),
  ...goals(TRIALS, 'trials'),
  ...goals(POINTS, 'points'),
];
