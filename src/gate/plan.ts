import { createHash } from 'node:crypto';
import type { Look } from './types.js';

/** At the last look a difference below this many standard errors is called "no sign of a gain". */
const FINAL_FUTILITY_Z = 0.5;

/** When to look, by planned epochs and number of groups: [after epoch, share of alpha, futility z]. */
const THREE: readonly (readonly [number, number, number])[] = [
  [1, 0.05, 0],
  [2, 0.1, 0.5],
  [3, 0.85, FINAL_FUTILITY_Z],
];
const SIX: readonly (readonly [number, number, number])[] = [
  [1, 0.05, 0],
  [2, 0.1, 0.3],
  [4, 0.2, 0.6],
  [6, 0.65, FINAL_FUTILITY_Z],
];

/**
 * The looks of a plan. Their shares sum to 1, so that a look taken early is paid for by the later ones
 * (a Bonferroni split of alpha over the looks). Epoch counts without a table of their own get one look at the end.
 */
export function defaultLooks(epochs: number): readonly Look[] {
  const table = epochs === 3 ? THREE : epochs === 6 ? SIX : [[epochs, 1, FINAL_FUTILITY_Z] as const];
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
