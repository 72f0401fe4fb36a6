import { createHash } from 'node:crypto';
import type { Look } from './types.js';

/** At the last look a difference below this many standard errors is called "no sign of a gain". */
const FINAL_FUTILITY_Z = 0.5;
/** From here on a suite is large: it can afford to look earlier and more often. */
export const MANY_GROUPS = 40;

/** [after epoch, share of alpha, futility z] */
type LookRow = readonly [number, number, number];

const THREE: readonly LookRow[] = [
  [1, 0.05, 0],
  [2, 0.1, 0.5],
  [3, 0.85, FINAL_FUTILITY_Z],
];
const SIX: readonly LookRow[] = [
  [1, 0.05, 0],
  [2, 0.1, 0.3],
  [4, 0.2, 0.6],
  [6, 0.65, FINAL_FUTILITY_Z],
];
const TEN_MANY: readonly LookRow[] = [
  [1, 0.05, 0],
  [2, 0.1, 0.3],
  [4, 0.15, 0.5],
  [7, 0.2, 0.7],
  [10, 0.5, FINAL_FUTILITY_Z],
];
const TEN_FEW: readonly LookRow[] = [
  [2, 0.05, 0],
  [5, 0.1, 0.5],
  [10, 0.85, FINAL_FUTILITY_Z],
];
const TWENTY_FEW: readonly LookRow[] = [
  [2, 0.05, 0],
  [6, 0.1, 0.3],
  [12, 0.15, 0.5],
  [20, 0.7, FINAL_FUTILITY_Z],
];

function tableFor(epochs: number, groups: number): readonly LookRow[] | null {
  if (epochs === 3) return THREE;
  if (epochs === 6) return SIX;
  if (epochs === 10) return groups >= MANY_GROUPS ? TEN_MANY : TEN_FEW;
  if (epochs === 20 && groups < MANY_GROUPS) return TWENTY_FEW;
  return null;
}

/**
 * The looks of a plan. Their shares sum to 1, so that a look taken early is paid for by the later ones
 * (a Bonferroni split of alpha over the looks). What has no table of its own gets one look at the end.
 * @param groups independent holdout groups
 */
export function defaultLooks(epochs: number, groups: number): readonly Look[] {
  const table = tableFor(epochs, groups) ?? [[epochs, 1, FINAL_FUTILITY_Z] as const];
  return table.map(([after, share, futilityZ]) => ({ epochs: after, share, futilityZ }));
}

/** Which arm of a pair runs first: a fair coin from the plan's seed, the same on every machine and after a resume. */
export function pairOrder(seed: string, scenario: number, epoch: number): 'incumbent' | 'candidate' {
  const digest = createHash('sha256').update(`${seed}\u0000${scenario}\u0000${epoch}`, 'utf8').digest();
  return ((digest[0] ?? 0) & 1) === 0 ? 'incumbent' : 'candidate';
}

/** Fewest groups with which a keep is possible at all: every group better gives p = 2^-n. */
export function fewestGroups(alpha: number): number {
  return Math.ceil(-Math.log2(alpha) - 1e-9);
}
