import { tallyPairs } from './tally.js';
import type { Pair, Tally } from './types.js';

/** Fresh pairs that a flagged scenario gets. */
export const VETO_PAIRS = 5;
/** A scenario is flagged when the incumbent leads by this share of the epochs so far. */
const FLAG_LEAD = 2 / 3;
const BROKEN = { incumbent: 4, candidate: 1 };

/** Scenarios that the candidate may have broken: only a reason to look again, never a verdict. */
export function vetoFlags(tally: Tally): number[] {
  return tally.scenarios
    .filter((s) => s.incumbent - s.candidate >= FLAG_LEAD * s.pairs - 1e-9)
    .map(({ scenario }) => scenario);
}

/**
 * Only the fresh pairs decide: a scenario is broken when the incumbent passes at least 4 of 5 and the candidate at
 * most 1 of 5. Fails closed: a flagged scenario without its five complete pairs is `unclear`.
 * @param fresh pairs run after the flags were raised, of the flagged scenarios
 */
export function decideVeto(fresh: readonly Pair[], flagged: readonly number[]): 'clear' | 'veto' | 'unclear' {
  return decideVetoTally(tallyPairs(fresh), flagged);
}

/** `decideVeto` on counts. */
export function decideVetoTally(tally: Tally, flagged: readonly number[]): 'clear' | 'veto' | 'unclear' {
  const counts = new Map(tally.scenarios.map((s) => [s.scenario, s]));
  let unclear = false;
  for (const scenario of flagged) {
    const seen = counts.get(scenario);
    if (seen?.pairs !== VETO_PAIRS || Number.isNaN(seen.incumbent + seen.candidate)) unclear = true;
    else if (seen.incumbent >= BROKEN.incumbent && seen.candidate <= BROKEN.candidate) return 'veto';
  }
  return unclear ? 'unclear' : 'clear';
}
