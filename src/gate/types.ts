/** What the gate sees: no names, no texts, no order of arrival. */

/** One complete pair: the same scenario and epoch under both arms. 1 = passed, 0 = failed. */
export interface Pair {
  readonly scenario: number;
  /** The unit of independence; scenarios that share a source share a group. */
  readonly group: string;
  readonly epoch: number;
  readonly incumbent: 0 | 1;
  readonly candidate: 0 | 1;
}

/** What a scenario's complete pairs come to. */
export interface ScenarioTally {
  readonly scenario: number;
  /** Index of its group, from 0 without gaps. */
  readonly group: number;
  readonly pairs: number;
  /** Pairs in which the arm passed. */
  readonly incumbent: number;
  readonly candidate: number;
}

/** The sufficient statistic of all decisions: every group has at least one complete pair. */
export interface Tally {
  readonly groups: number;
  readonly scenarios: readonly ScenarioTally[];
}

/** Trials lost to faults outside the agent, out of all that were started, per arm. */
export interface InfraCount {
  readonly incumbent: number;
  readonly candidate: number;
  readonly started: number;
}

/** One look at the data: after `epochs` complete epochs, `share` of alpha may be spent. */
export interface Look {
  readonly epochs: number;
  readonly share: number;
  /** The run stops with `discard` when the mean difference is below this many standard errors. */
  readonly futilityZ: number;
}

/** Fixed before the first trial. */
export interface GatePlan {
  readonly alpha: number;
  /** Planned epochs per scenario. */
  readonly epochs: number;
  readonly scenarios: readonly { readonly scenario: number; readonly group: string }[];
  readonly looks: readonly Look[];
}

/** Fixed before the first trial of a deletion: one sample, decided once. */
export interface DeletionPlan {
  readonly alpha: number;
  readonly epochs: number;
  readonly scenarios: GatePlan['scenarios'];
  /** How many points of the pass rate a shorter text may cost, in (0, 1). */
  readonly margin: number;
}

export interface GateData {
  readonly pairs: readonly Pair[];
  readonly infra: InfraCount;
}

export interface Verdict {
  readonly verdict: 'keep' | 'discard' | 'undecided';
  /** One-sided: exact sign-flip p, or the score test's for a deletion; null without usable data. */
  readonly p: number | null;
  /** What this consultation might spend; 0 when the screen decided, which costs none. */
  readonly alpha: number;
  /** 1-based look that decided; 0 = the screen. */
  readonly look: number;
  /** Mean over groups of candidate minus incumbent pass rate, in [-1, 1]; null without data. */
  readonly effect: number | null;
  /** 90 % interval of the effect; null when it can't be computed. */
  readonly interval: readonly [number, number] | null;
  readonly groups: number;
  readonly epochs: number;
  /** Complete pairs over planned pairs, in [0, 1]. */
  readonly coverage: number;
  readonly reason: string;
}

/** `null` from a look that is not the last: go on to the next one. */
export type LookDecision = Verdict | null;

export interface WindowVerdict {
  /** `extend`: run once more with the same size, pooled. */
  readonly verdict: 'verified' | 'revert' | 'extend' | 'undecided';
  readonly pHarm: number | null;
  readonly effect: number | null;
  readonly interval: readonly [number, number] | null;
  readonly groups: number;
  readonly epochs: number;
  readonly reason: string;
}
