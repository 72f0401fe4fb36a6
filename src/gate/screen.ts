import { createHash } from 'node:crypto';
import { estimateEffect } from './effect.js';
import { MANY_GROUPS } from './plan.js';
import type { Tally } from './types.js';

/** Fewer train groups than this can't tell a good edit from a bad one: the holdout decides alone. */
export const FEWEST_SCREEN_GROUPS = 8;

/** One step of the screen on train groups, on all epochs run by then. */
export interface ScreenStep {
  /** 0.5 is half of the groups in the first epoch. */
  readonly epochs: number;
  /** Dropped when the mean difference is below this many standard errors. */
  readonly dropBelow: number;
  /** Straight to the holdout from here on. */
  readonly passFrom: number;
}

const MANY: readonly ScreenStep[] = [
  { epochs: 0.5, dropBelow: -0.5, passFrom: 2.5 },
  { epochs: 1, dropBelow: 0.25, passFrom: 2 },
  { epochs: 2, dropBelow: 1, passFrom: 1 },
];
const FEW: readonly ScreenStep[] = [
  { epochs: 1, dropBelow: -0.5, passFrom: 2.5 },
  { epochs: 2, dropBelow: 0, passFrom: 2 },
  { epochs: 3, dropBelow: 0.75, passFrom: 0.75 },
];

/** @returns the steps for this many train groups that the proposer did not see; none when they are too few */
export function screenSteps(groups: number): readonly ScreenStep[] {
  if (groups < FEWEST_SCREEN_GROUPS) return [];
  return groups >= MANY_GROUPS ? MANY : FEW;
}

/** Half of the groups, for a step of half an epoch: drawn by the plan's seed, the same after a resume. */
export function halfOfGroups(groups: readonly string[], seed: string): string[] {
  const drawn = (group: string): string => createHash('sha256').update(`${seed}\u0000${group}`, 'utf8').digest('hex');
  const ordered = groups.map((group) => [drawn(group), group] as const).sort(([a], [b]) => (a < b ? -1 : 1));
  return ordered.slice(0, Math.floor(groups.length / 2)).map(([, group]) => group);
}

/**
 * Saves the holdout from edits that show no promise. It looks at train data only, so it spends no alpha, and it may
 * be as eager as pays off; it can keep nothing.
 * @returns `on`: run the next step
 */
export function decideScreen(tally: Tally, step: ScreenStep): 'drop' | 'pass' | 'on' {
  const z = estimateEffect(tally)?.z ?? NaN;
  if (z >= step.passFrom) return 'pass';
  return z >= step.dropBelow ? 'on' : 'drop';
}

/** A deletion need not help: one sample, dropped only when it costs the margin on the train groups. */
export function decideDeletionScreen(tally: Tally, margin: number): 'drop' | 'pass' {
  const mean = estimateEffect(tally)?.mean ?? NaN;
  return mean > -margin ? 'pass' : 'drop';
}
