import { estimateEffect } from './effect.js';
import { signFlipP } from './signFlip.js';
import { MIN_COVERAGE } from './soundness.js';
import { groupDifferences, tallyPairs } from './tally.js';
import type { Pair, Tally, WindowVerdict } from './types.js';

/** Harm at this one-sided p takes the edit back at once. */
export const HARM_ALPHA = 0.02;

/** Pairs of a fresh run: as many tell a gain from a loss about equally well, whatever the number of groups. */
const FRESH_PAIRS = 100;
const [FEWEST_EPOCHS, MOST_EPOCHS] = [2, 5];

/**
 * How often each scenario is run under either text for a fresh comparison of so many groups: 100 pairs in all, but at
 * least two and at most five of a group (60 × 2, 20 × 5). What groups differ among themselves, more epochs don't mend.
 */
export function windowEpochs(groups: number): number {
  return Math.min(MOST_EPOCHS, Math.max(FEWEST_EPOCHS, Math.ceil(FRESH_PAIRS / groups)));
}

export interface WindowRule {
  /** 0 for the first run, 1 when the pairs include the one extension. */
  readonly extension: 0 | 1;
  /** The mean difference must be above this: 0, or minus the margin for a deletion. */
  readonly above: number;
}

export interface WindowData extends WindowRule {
  /** Fresh pairs of the applied text (candidate) against the prior snapshot (incumbent); pooled after an extension. */
  readonly pairs: readonly Pair[];
  readonly plannedPairs: number;
}

/**
 * The rule of the live window: it can only take an edit away, so it spends no alpha. Harm shown -> revert; no gain
 * twice -> revert; no gain once -> one extension; otherwise verified, which means "not contradicted by fresh data".
 */
export function decideLiveWindow(data: WindowData): WindowVerdict {
  const malformed = data.pairs.some((p) => ![p.incumbent, p.candidate].every((v) => (v as unknown) === 0 || v === 1));
  const tally = tallyPairs(data.pairs);
  const facts = factsOf(tally);
  if (malformed || facts.effect === null || !Number.isFinite(facts.effect)) {
    return { ...facts, verdict: 'undecided', reason: 'no usable fresh pairs' };
  }
  const coverage = data.pairs.length / data.plannedPairs;
  if (!(coverage >= MIN_COVERAGE)) {
    return { ...facts, verdict: 'undecided', reason: 'too few of the planned fresh pairs are complete' };
  }
  return decideWindowTally(tally, data);
}

/** The rule itself, on sound data with at least one pair. */
export function decideWindowTally(tally: Tally, { extension, above }: WindowRule): WindowVerdict {
  const pHarm = signFlipP(groupDifferences(tally).map((difference) => -difference));
  const { interval, ...seen } = factsOf(tally);
  // Whether there was an extension depends on what the first run showed: pooled, it is no fixed sample any more.
  const facts = { ...seen, interval: extension === 0 ? interval : null, pHarm };
  if (pHarm <= HARM_ALPHA) return { ...facts, verdict: 'revert', reason: 'fresh trials show harm' };
  if ((facts.effect ?? NaN) > above)
    return { ...facts, verdict: 'verified', reason: 'fresh trials do not contradict the decision' };
  const what = above < 0 ? 'too large a loss' : 'no gain';
  return extension === 0
    ? { ...facts, verdict: 'extend', reason: `fresh trials show ${what}; asked once more` }
    : { ...facts, verdict: 'revert', reason: `fresh trials showed ${what} twice` };
}

function factsOf(tally: Tally): Omit<WindowVerdict, 'verdict' | 'reason'> {
  const estimate = estimateEffect(tally);
  return {
    pHarm: null,
    effect: estimate?.mean ?? null,
    interval: estimate?.interval ?? null,
    groups: tally.groups,
    epochs: tally.scenarios.reduce((most, { pairs }) => Math.max(most, pairs), 0),
  };
}
