import { estimateEffect } from './effect.js';
import { signFlipP } from './signFlip.js';
import { studentTQuantile } from './studentT.js';
import { groupDifferences, tallyPairs } from './tally.js';
import type { Pair } from './types.js';

/** The level of the tests of a calibration, two-sided, and the power of the effect they could have seen. */
export const CALIBRATION_LEVEL = 0.05;
export const CALIBRATION_POWER = 0.8;

/** Second minus first of pairs whose two sides should not differ. */
export interface Contrast {
  /** Two-sided exact sign-flip p. */
  readonly p: number;
  /** Mean over groups, in [-1, 1]. */
  readonly effect: number;
  /** 90 % interval; null for fewer than two groups. */
  readonly interval: readonly [number, number] | null;
  readonly groups: number;
  /** The effect that such a test finds with 80 % power at 5 %; null when so few groups can find none. */
  readonly detectable: number | null;
  /** Standard deviation between groups of the true difference, beyond what repeating the same text shows. */
  readonly spread: number;
}

/** Twice the smaller of the two one-sided p, at most 1: whoever looks at both sides pays for both. */
export function twoSidedP(differences: readonly number[]): number {
  return Math.min(1, 2 * Math.min(signFlipP(differences), signFlipP(differences.map((d) => -d))));
}

/**
 * Compares the two sides of complete pairs; `candidate` is the side that may be better. Which side is which must have
 * been drawn by chance, or be a label without meaning. @returns null without pairs
 */
export function contrast(pairs: readonly Pair[]): Contrast | null {
  const tally = tallyPairs(pairs);
  const estimate = estimateEffect(tally);
  if (estimate === null) return null;
  const { mean, interval, between, within } = estimate;
  return {
    p: twoSidedP(groupDifferences(tally)),
    effect: mean,
    interval,
    groups: tally.groups,
    detectable: detectable({ groups: tally.groups, pairs: pairs.length, variance: Math.max(between, within) }),
    spread: Math.sqrt(Math.max(0, between - within) * tally.groups),
  };
}

/**
 * Smallest true mean difference d that is found with at least 80 % power: d = (t(.975) + t(.8)) standard errors, where
 * the variance is the one seen without any difference plus d(1 - d) over the number of pairs. That much a difference
 * adds at most, where scenarios are nearly certain; and without it a sample that came out all alike would promise to
 * see anything.
 */
function detectable(seen: { groups: number; pairs: number; variance: number }): number | null {
  // Two-sided, n groups that all agree give 2 * 2^-n.
  if (2 ** (1 - seen.groups) > CALIBRATION_LEVEL) return null;
  const df = seen.groups - 1;
  const errors = studentTQuantile(1 - CALIBRATION_LEVEL / 2, df) + studentTQuantile(CALIBRATION_POWER, df);
  const added = errors ** 2 / seen.pairs;
  // The positive root of d^2 = errors^2 (variance + d(1 - d)/pairs).
  const root = Math.sqrt(added ** 2 + 4 * (1 + added) * errors ** 2 * seen.variance);
  return Math.min(1, (added + root) / (2 * (1 + added)));
}

/** How often two runs of the same thing disagree, in [0, 1]: 0 = always the same, 0.5 = a coin. Null for fewer than two runs. */
export function disagreement({ runs, passes }: { runs: number; passes: number }): number | null {
  return runs < 2 ? null : (2 * passes * (runs - passes)) / (runs * (runs - 1));
}
