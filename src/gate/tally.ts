import type { Pair, Tally } from './types.js';

/** Counts complete pairs by scenario and numbers their groups, in order of first appearance. */
export function tallyPairs(pairs: readonly Pair[]): Tally {
  const groups = new Map<string, number>();
  const scenarios = new Map<
    number,
    { scenario: number; group: number; pairs: number; incumbent: number; candidate: number }
  >();
  for (const pair of pairs) {
    const group = groups.get(pair.group) ?? groups.size;
    groups.set(pair.group, group);
    const counts = scenarios.get(pair.scenario) ?? {
      scenario: pair.scenario,
      group,
      pairs: 0,
      incumbent: 0,
      candidate: 0,
    };
    counts.pairs += 1;
    counts.incumbent += pair.incumbent;
    counts.candidate += pair.candidate;
    scenarios.set(pair.scenario, counts);
  }
  return { groups: groups.size, scenarios: [...scenarios.values()] };
}

/** Candidate passes minus incumbent passes, per group. */
export function groupDifferences(tally: Tally): number[] {
  const differences = new Array<number>(tally.groups).fill(0);
  for (const s of tally.scenarios) differences[s.group] = (differences[s.group] as number) + s.candidate - s.incumbent;
  return differences;
}

/** Complete pairs, per group. */
export function groupPairs(tally: Tally): number[] {
  const pairs = new Array<number>(tally.groups).fill(0);
  for (const s of tally.scenarios) pairs[s.group] = (pairs[s.group] as number) + s.pairs;
  return pairs;
}
