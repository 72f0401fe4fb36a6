import type { Verdict } from './types.js';

export type Facts = Partial<Omit<Verdict, 'verdict' | 'reason'>> & Pick<Verdict, 'alpha' | 'look'>;

const NOTHING = { p: null, effect: null, interval: null, groups: 0, epochs: 0, coverage: 0 };

/** A verdict with what is known so far; the rest says that it isn't. */
export function verdictOf(verdict: Verdict['verdict'], facts: Facts, reason: string): Verdict {
  return { ...NOTHING, ...facts, verdict, reason };
}

/** A p as people read it. */
export function showP(p: number): string {
  return p >= 0.001 ? String(Number(p.toPrecision(3))) : p.toExponential(2);
}
