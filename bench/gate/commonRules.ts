import { estimateEffect } from '#src/gate/effect.js';
import type { Random } from '#src/gate/random.js';
import { signFlipP } from '#src/gate/signFlip.js';
import { groupDifferences } from '#src/gate/tally.js';
import type { Tally } from '#src/gate/types.js';

/** Whether a rule in common use keeps an edit, after all epochs, as the n-th candidate of its run (from 1). */
export type KeepRule = (tally: Tally, of: { candidate: number; random: Random }) => boolean;

const RESAMPLES = 1000;

export const COMMON_RULES: Readonly<Record<string, KeepRule>> = {
  '`score >= baseline`': (tally) => total(tally) >= 0,
  'strict `>`': (tally) => total(tally) > 0,
  '1 standard error, paired': (tally) => (estimateEffect(tally)?.z ?? 0) > 1,
  'paired bootstrap 90 %': (tally, { random }) => aboveZero(groupDifferences(tally), random),
  'α halved per candidate, exact test': (tally, { candidate }) =>
    signFlipP(groupDifferences(tally)) <= 0.05 / 2 ** candidate,
};

function total(tally: Tally): number {
  return groupDifferences(tally).reduce((sum, d) => sum + d, 0);
}

/** Whether the lower end of the 90 % percentile interval of the total is above 0. */
function aboveZero(differences: readonly number[], random: Random): boolean {
  const n = differences.length;
  let notAbove = 0;
  for (let i = 0; i < RESAMPLES; i += 1) {
    let sum = 0;
    for (let k = 0; k < n; k += 1) sum += differences[Math.floor(random() * n)] as number;
    if (sum <= 0) notAbove += 1;
    if (notAbove > 0.05 * RESAMPLES) return false;
  }
  return true;
}
