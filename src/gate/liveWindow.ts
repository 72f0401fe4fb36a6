import { MIN_COVERAGE } from './decide.js';
import { estimateEffect, summariseGroups } from './groups.js';
import { signFlipP } from './signFlip.js';
import type { Pair, WindowVerdict } from './types.js';

/** Harm at this one-sided p takes the edit back at once. */
export const HARM_ALPHA = 0.02;

export interface WindowData {
  /** Fresh pairs of the applied text (candidate) against the prior snapshot (incumbent); pooled after an extension. */
  readonly pairs: readonly Pair[];
  readonly plannedPairs: number;
  /** 0 for the first run, 1 when the pairs include the one extension. */
  readonly extension: 0 | 1;
}

/**
 * The rule of the live window: it can only take an edit away, so it spends no alpha. Harm shown -> revert; no gain
 * twice -> revert; no gain once -> one extension; otherwise verified, which means "not contradicted by fresh data".
 */
export function decideLiveWindow(data: WindowData): WindowVerdict {
  const groups = summariseGroups(data.pairs);
  const estimate = estimateEffect(data.pairs);
  const facts = {
    pHarm: null,
    effect: estimate?.mean ?? null,
    interval: estimate?.interval ?? null,
    groups: groups.length,
    epochs: data.pairs.reduce((most, pair) => Math.max(most, pair.epoch), 0),
  };
  const malformed = data.pairs.some((p) => ![p.incumbent, p.candidate].every((v) => (v as unknown) === 0 || v === 1));
  if (estimate === null || malformed || !Number.isFinite(estimate.mean)) {
    return { ...facts, verdict: 'undecided', reason: 'no usable fresh pairs' };
  }
  const coverage = data.pairs.length / data.plannedPairs;
  if (!(coverage >= MIN_COVERAGE)) {
    return { ...facts, verdict: 'undecided', reason: 'too few of the planned fresh pairs are complete' };
  }
  const pHarm = signFlipP(groups.map((group) => -group.difference));
  if (pHarm <= HARM_ALPHA) return { ...facts, pHarm, verdict: 'revert', reason: 'fresh trials show harm' };
  if (estimate.mean > 0)
    return { ...facts, pHarm, verdict: 'verified', reason: 'fresh trials do not contradict the gain' };
  return data.extension === 0
    ? { ...facts, pHarm, verdict: 'extend', reason: 'fresh trials show no gain; asked once more' }
    : { ...facts, pHarm, verdict: 'revert', reason: 'fresh trials showed no gain twice' };
}
