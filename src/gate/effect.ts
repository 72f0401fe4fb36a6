import { groupDifferences, groupPairs } from './tally.js';
import { studentTQuantile } from './studentT.js';
import type { Tally } from './types.js';

export interface EffectEstimate {
  /** Mean over groups of their mean difference, in [-1, 1]. */
  readonly mean: number;
  /** Mean over its standard error between groups; +-Infinity when all groups agree exactly, 0 when all are 0. */
  readonly z: number;
  /** Variance of the mean as the spread between groups shows it; 0 for fewer than two groups. */
  readonly between: number;
  /** Variance of the mean as repeating the same scenarios shows it. */
  readonly within: number;
  /** 90 % interval: mean +- t(n-1) * sqrt(max(within, between)); null for fewer than two groups. */
  readonly interval: readonly [number, number] | null;
}

/** @returns null without pairs */
export function estimateEffect(tally: Tally): EffectEstimate | null {
  const n = tally.groups;
  if (n === 0) return null;
  const pairs = groupPairs(tally);
  const means = groupDifferences(tally).map((difference, group) => difference / (pairs[group] as number));
  const mean = means.reduce((sum, m) => sum + m, 0) / n;
  const within = varianceWithin(tally, pairs);
  const certain = mean === 0 ? 0 : Math.sign(mean) * Infinity;
  if (n < 2) return { mean, z: certain, between: 0, within, interval: null };
  const between = means.reduce((sum, m) => sum + (m - mean) ** 2, 0) / (n - 1) / n;
  const z = between > 0 ? mean / Math.sqrt(between) : certain;
  const margin = studentTQuantile(0.95, n - 1) * Math.sqrt(Math.max(between, within));
  return { mean, z, between, within, interval: [Math.max(-1, mean - margin), Math.min(1, mean + margin)] };
}

/**
 * Binomial per scenario and arm, carried up to the group's mean. A scenario with a single epoch says nothing about
 * it and adds nothing.
 */
function varianceWithin(tally: Tally, pairs: readonly number[]): number {
  let variance = 0;
  for (const s of tally.scenarios) {
    if (s.pairs < 2) continue;
    const x = s.incumbent / s.pairs;
    const y = s.candidate / s.pairs;
    const ofMean = (x * (1 - x) + y * (1 - y)) / (s.pairs - 1);
    variance += ofMean * (s.pairs / (pairs[s.group] as number)) ** 2;
  }
  return variance / tally.groups ** 2;
}
