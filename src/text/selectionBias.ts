/**
 * How many points too high the effect of a kept edit reads at selection, by its true effect in points: the table of
 * docs/gate-numbers.md (60 groups, up to 6 epochs, first candidate). A test compares the two.
 */
export const SELECTION_BIAS: readonly { readonly true: number; readonly tooHigh: number }[] = [
  { true: 10, tooHigh: 2.4 },
  { true: 15, tooHigh: 1.4 },
  { true: 20, tooHigh: 1.5 },
];

/** `a true +10 reads 2.4 too high, +15 1.4, +20 1.5`. */
export function selectionBiasText(): string {
  return SELECTION_BIAS.map((row, index) =>
    index === 0 ? `a true +${row.true} reads ${row.tooHigh} too high` : `+${row.true} ${row.tooHigh}`,
  ).join(', ');
}
