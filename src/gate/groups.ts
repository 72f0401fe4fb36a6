import { studentTQuantile } from './studentT.js';
import type { Pair } from './types.js';

/** What a group's pairs come to. */
export interface GroupSummary {
  readonly group: string;
  /** Candidate passes minus incumbent passes. */
  readonly difference: number;
  readonly pairs: number;
}

/** One summary per group, in order of first appearance. */
export function summariseGroups(pairs: readonly Pair[]): readonly GroupSummary[] {
  const groups = new Map<string, { difference: number; pairs: number }>();
  for (const pair of pairs) {
    const summary = groups.get(pair.group) ?? { difference: 0, pairs: 0 };
    summary.difference += pair.candidate - pair.incumbent;
    summary.pairs += 1;
    groups.set(pair.group, summary);
  }
  return [...groups].map(([group, summary]) => ({ group, ...summary }));
}

export interface EffectEstimate {
  /** Mean over groups of their mean difference, in [-1, 1]. */
  readonly mean: number;
  /** Mean over its standard error between groups; +-Infinity when all groups agree exactly, 0 when all are 0. */
  readonly z: number;
  /** 90 % interval: mean +- t(n-1) * sqrt(max(within, between)); null for fewer than two groups. */
  readonly interval: readonly [number, number] | null;
}

/** @returns null without pairs */
export function estimateEffect(pairs: readonly Pair[]): EffectEstimate | null {
  const groups = summariseGroups(pairs);
  if (groups.length === 0) return null;
  const means = groups.map((g) => g.difference / g.pairs);
  const n = means.length;
  const mean = means.reduce((sum, m) => sum + m, 0) / n;
  if (n < 2) return { mean, z: mean === 0 ? 0 : Math.sign(mean) * Infinity, interval: null };
  const between = means.reduce((sum, m) => sum + (m - mean) ** 2, 0) / (n - 1) / n;
  const z = between > 0 ? mean / Math.sqrt(between) : mean === 0 ? 0 : Math.sign(mean) * Infinity;
  const margin = studentTQuantile(0.95, n - 1) * Math.sqrt(Math.max(between, varianceWithin(pairs, groups)));
  return { mean, z, interval: [Math.max(-1, mean - margin), Math.min(1, mean + margin)] };
}

/**
 * Variance of the mean over groups that comes from repeating the same scenarios: binomial per scenario and arm,
 * carried up to the group's mean. A scenario with a single epoch says nothing about it and adds nothing.
 */
function varianceWithin(pairs: readonly Pair[], groups: readonly GroupSummary[]): number {
  const scenarios = new Map<number, { group: string; incumbent: number; candidate: number; epochs: number }>();
  for (const pair of pairs) {
    const s = scenarios.get(pair.scenario) ?? { group: pair.group, incumbent: 0, candidate: 0, epochs: 0 };
    s.incumbent += pair.incumbent;
    s.candidate += pair.candidate;
    s.epochs += 1;
    scenarios.set(pair.scenario, s);
  }
  const pairsOf = new Map(groups.map((g) => [g.group, g.pairs]));
  let variance = 0;
  for (const s of scenarios.values()) {
    if (s.epochs < 2) continue;
    const x = s.incumbent / s.epochs;
    const y = s.candidate / s.epochs;
    const ofMean = (x * (1 - x) + y * (1 - y)) / (s.epochs - 1);
    variance += ofMean * (s.epochs / (pairsOf.get(s.group) ?? s.epochs)) ** 2;
  }
  return variance / groups.length ** 2;
}
