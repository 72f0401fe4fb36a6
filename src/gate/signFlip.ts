/**
 * One-sided exact sign-flip (paired randomisation) p: if the two arms were exchangeable within every group, the
 * chance of a total at least as large as the one seen. Flipping the groups of a subset F turns the total S into
 * S - 2 * sum(F), so p is the share of subsets whose sum is <= 0. (R. A. Fisher, The Design of Experiments, 1935,
 * chapter III.)
 *
 * Dynamic programming over the integer sums: O(n * sum |d|), no Monte Carlo, no seed.
 *
 * @param differences one integer per group: candidate passes minus incumbent passes over its complete pairs
 * @returns p in (0, 1]; 1 for no groups
 * @throws RangeError for anything but safe integers
 */
export function signFlipP(differences: readonly number[]): number {
  let negative = 0;
  let positive = 0;
  for (const d of differences) {
    if (!Number.isSafeInteger(d)) throw new RangeError(`a group's difference must be an integer, got ${d}`);
    if (d < 0) negative -= d;
    else positive += d;
  }
  // share[i] is the share of subsets of the groups so far whose sum is i - negative; low and high bound those seen.
  const share = new Float64Array(negative + positive + 1);
  share[negative] = 1;
  let low = negative;
  let high = negative;
  for (const d of differences) {
    // In place: each entry takes half of the one |d| away, which must not have been halved before.
    if (d > 0) {
      high += d;
      for (let i = high; i >= low; i -= 1)
        share[i] = ((share[i] as number) + (i - d < low ? 0 : (share[i - d] as number))) / 2;
    } else if (d < 0) {
      low += d;
      for (let i = low; i <= high; i += 1)
        share[i] = ((share[i] as number) + (i - d > high ? 0 : (share[i - d] as number))) / 2;
    }
    // A zero difference doubles the subsets without changing any sum.
  }
  let p = 0;
  for (let i = low; i <= negative; i += 1) p += share[i] as number;
  return Math.min(1, p);
}
