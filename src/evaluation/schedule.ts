import pLimit from 'p-limit';
import type { Arm } from '../domain/experiment.js';
import { isSettled, MAX_ATTEMPTS, pairState, type FinishedTrial } from './pairs.js';

/** One trial that is due. */
export interface DueTrial {
  readonly scenarioId: number;
  readonly epoch: number;
  readonly arm: Arm;
  readonly attempt: number;
  readonly slot: number;
  readonly position: 1 | 2;
}

export interface Schedule {
  readonly scenarioIds: readonly number[];
  /** Epochs to complete, in this order. */
  readonly epochs: readonly number[];
  readonly arms: readonly Arm[];
  readonly slots: number;
  readonly firstArm: (scenarioId: number, epoch: number) => Arm;
  /** Trials that are already stored, of this run; a pair that they complete is not run again. */
  readonly finished: readonly FinishedTrial[];
  /** Runs, grades and stores one trial. What it throws stops the schedule. */
  readonly run: (due: DueTrial, signal: AbortSignal) => Promise<FinishedTrial>;
  readonly onPairDone?: () => void;
  readonly signal: AbortSignal;
}

/**
 * Runs every pair that is still open: both arms in the same slot, one right after the other. A pair with an infra
 * trial is run again as a whole, at most twice more. Finished trials are the caller's to store, at once.
 *
 * @throws what `run` threw first (budget spent, usage limit, host fault), after the other slots have come to rest;
 *   an AbortError when the signal was aborted
 */
export async function runSchedule(schedule: Schedule): Promise<void> {
  schedule.signal.throwIfAborted();
  const halt = new AbortController();
  const signal = AbortSignal.any([schedule.signal, halt.signal]);
  const free = Array.from({ length: schedule.slots }, (_, index) => index + 1);
  const limit = pLimit(schedule.slots);
  let failure: { readonly error: unknown } | null = null;

  const pairs = schedule.epochs.flatMap((epoch) => schedule.scenarioIds.map((scenarioId) => ({ scenarioId, epoch })));
  const open = pairs.filter((pair) => !isSettled(pairState(schedule.finished, { ...pair, arms: schedule.arms })));
  await Promise.all(
    open.map((pair) =>
      limit(async () => {
        if (signal.aborted) return;
        const slot = free.shift() ?? 1;
        try {
          await runPair(schedule, { ...pair, slot, signal });
          schedule.onPairDone?.();
        } catch (error) {
          // The first error tells why; the trials it stops only say that they were stopped.
          failure ??= { error };
          halt.abort();
        } finally {
          free.push(slot);
        }
      }),
    ),
  );
  schedule.signal.throwIfAborted();
  if (failure !== null) throw (failure as { error: unknown }).error;
}

async function runPair(
  schedule: Schedule,
  pair: { scenarioId: number; epoch: number; slot: number; signal: AbortSignal },
): Promise<void> {
  const { scenarioId, epoch, slot, signal } = pair;
  const order = inOrder(schedule.arms, schedule.firstArm(scenarioId, epoch));
  let { lost, nextAttempt: attempt } = pairState(schedule.finished, { scenarioId, epoch, arms: schedule.arms });
  for (; lost < MAX_ATTEMPTS; lost += 1, attempt += 1) {
    let infra = false;
    for (const [index, arm] of order.entries()) {
      signal.throwIfAborted();
      const position = index === 0 ? 1 : 2;
      const trial = await schedule.run({ scenarioId, epoch, arm, attempt, slot, position }, signal);
      infra = trial.outcome === 'infra';
      // The other arm would be thrown away with this one.
      if (infra) break;
    }
    if (!infra) return;
  }
}

function inOrder(arms: readonly Arm[], first: Arm): readonly Arm[] {
  return arms.includes(first) ? [first, ...arms.filter((arm) => arm !== first)] : arms;
}
