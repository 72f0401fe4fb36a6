/** How slowly the schedule thins out: the larger, the more even the shares of the first consultations. */
const SLOWNESS = 20;

/**
 * Share of alpha that the j-th consultation of a family may spend: alpha * c / ((j + c - 1)(j + c)). The shares
 * telescope: the first j of them sum to alpha * j / (j + c), so they never run out and never exceed alpha.
 * @param alpha of the whole family, in (0, 1)
 * @param j from 1
 */
export function consultationAlpha(alpha: number, j: number): number {
  return (alpha * SLOWNESS) / ((j + SLOWNESS - 1) * (j + SLOWNESS));
}

/** Deletions have an error of their own: this many consultations that don't end in a keep, each at this level. */
export const DELETION_CONSULTATIONS = 5;
export const DELETION_ALPHA = 0.02;

/** @returns null when the deletions of this family are used up */
export function deletionAlpha(j: number): number | null {
  return j <= DELETION_CONSULTATIONS ? DELETION_ALPHA : null;
}

/**
 * The number of the next consultation: above that of each that did not end in a keep, however it ended (a discard, an
 * undecided one, a crash, a cancel). A keep hands its share on: the chance of a *first* false keep is then still at
 * most the sum of the shares.
 */
export function nextConsultation(
  earlier: readonly { readonly kept: boolean; readonly consultation: number }[],
): number {
  return 1 + Math.max(0, ...earlier.filter(({ kept }) => !kept).map(({ consultation }) => consultation));
}
