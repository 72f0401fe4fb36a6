import type { Arm, TrialOutcomeKind } from '../domain/experiment.js';
import type { Pair } from '../gate/types.js';
import type { EvalPlan } from './plan.js';

/** A pair whose trials were lost to outside faults this often is given up. */
export const MAX_ATTEMPTS = 3;

export interface FinishedTrial {
  readonly scenarioId: number;
  readonly epoch: number;
  readonly arm: Arm;
  readonly attempt: number;
  readonly outcome: TrialOutcomeKind;
  /** Lost when nothing worked at all: says nothing about its pair. */
  readonly outage?: boolean;
}

/** One scenario in one epoch under every arm of the plan. */
export interface PairState {
  readonly scenarioId: number;
  readonly epoch: number;
  /** Outcome by arm of the first attempt in which every arm ran to an end; null while there is none. */
  readonly outcomes: Readonly<Partial<Record<Arm, 'pass' | 'fail'>>> | null;
  readonly attempt: number | null;
  /** Attempts that were lost to a fault; an attempt that an interruption cut short is not one. */
  readonly lost: number;
  readonly nextAttempt: number;
}

/** What the finished trials say about one pair. */
export function pairState(
  trials: readonly FinishedTrial[],
  pair: { readonly scenarioId: number; readonly epoch: number; readonly arms: readonly Arm[] },
): PairState {
  const own = trials.filter((t) => t.scenarioId === pair.scenarioId && t.epoch === pair.epoch);
  const attempts = [...new Set(own.map((t) => t.attempt))].sort((a, b) => a - b);
  const base = { scenarioId: pair.scenarioId, epoch: pair.epoch, nextAttempt: (attempts.at(-1) ?? 0) + 1 };
  let lost = 0;
  for (const attempt of attempts) {
    const of = own.filter((t) => t.attempt === attempt);
    const faults = of.filter((t) => t.outcome === 'infra');
    if (faults.length > 0) {
      if (faults.some((t) => t.outage !== true)) lost += 1;
      continue;
    }
    const outcomes = Object.fromEntries(of.map((t) => [t.arm, t.outcome])) as Partial<Record<Arm, 'pass' | 'fail'>>;
    if (pair.arms.every((arm) => outcomes[arm] !== undefined)) return { ...base, outcomes, attempt, lost };
  }
  return { ...base, outcomes: null, attempt: null, lost };
}

/** The complete pairs of a plan with both arms, as the gate sees them. */
export function completePairs(
  plan: Pick<EvalPlan, 'scenarios' | 'firstEpoch' | 'epochs' | 'arms'>,
  finished: readonly FinishedTrial[],
): Pair[] {
  const epochs = Array.from({ length: plan.epochs }, (_, index) => plan.firstEpoch + index);
  const bit = (outcome: 'pass' | 'fail'): 0 | 1 => (outcome === 'pass' ? 1 : 0);
  return plan.scenarios.flatMap(({ id, group }) =>
    epochs.flatMap((epoch) => {
      const { outcomes } = pairState(finished, { scenarioId: id, epoch, arms: plan.arms });
      if (outcomes?.incumbent === undefined || outcomes.candidate === undefined) return [];
      const { incumbent, candidate } = outcomes;
      return [{ scenario: id, group, epoch, incumbent: bit(incumbent), candidate: bit(candidate) }];
    }),
  );
}

/** Nothing more is run for it. */
export function isSettled(state: PairState): boolean {
  return state.outcomes !== null || state.lost >= MAX_ATTEMPTS;
}

/** Infra trials by arm, and how many attempts of pairs were started. */
export function countInfra(trials: readonly FinishedTrial[]): {
  incumbent: number;
  candidate: number;
  started: number;
} {
  const counted = trials.filter((t) => t.outage !== true);
  const lost = (arm: Arm): number => counted.filter((t) => t.arm === arm && t.outcome === 'infra').length;
  const attempts = new Set(counted.map((t) => `${t.scenarioId}/${t.epoch}/${t.attempt}`));
  return { incumbent: lost('incumbent'), candidate: lost('candidate'), started: attempts.size };
}
