import { isSettled, pairState } from '../evaluation/pairs.js';
import type { EvalPlan } from '../evaluation/plan.js';
import type { TrialRow } from '../store/trials.js';
import type { Context } from './context.js';

const PHASES: Readonly<Record<EvalPlan['purpose'], string>> = {
  train_baseline: 'measuring the current text',
  screen: 'trying it on train scenarios',
  selection: 'evaluating',
  veto: 'looking again at scenarios that may be broken',
  live_window: 'checking the applied text',
  calibration: 'calibrating',
};

/** Reports trials done, cost so far and time left; outcomes are not part of it. */
export function evalProgress(ctx: Context, of: { plan: EvalPlan; trials: () => readonly TrialRow[] }): () => void {
  const { plan } = of;
  const began = ctx.clock.now();
  const before = of.trials().length;
  const total = plan.scenarios.length * plan.epochs * plan.arms.length;
  return () => {
    const trials = of.trials();
    const done = plan.scenarios.reduce((sum, { id }) => sum + doneOf(plan, trials, id), 0);
    const ran = trials.length - before;
    const elapsed = ctx.clock.now() - began;
    const priced = trials.filter((trial) => trial.costUsd !== null);
    ctx.onProgress({
      phase: PHASES[plan.purpose],
      done,
      total,
      costUsd: priced.length === 0 ? null : priced.reduce((sum, trial) => sum + (trial.costUsd ?? 0), 0),
      tokens: trials.reduce((sum, trial) => sum + (trial.totalTokens ?? 0), 0),
      etaMs: ran === 0 ? null : Math.round((elapsed / ran) * Math.max(0, total - done)),
    });
  };
}

/** Trials of one scenario that need not be run any more; those of a pair at work count as they come in. */
function doneOf(plan: EvalPlan, trials: readonly TrialRow[], scenarioId: number): number {
  let done = 0;
  for (let epoch = plan.firstEpoch; epoch < plan.firstEpoch + plan.epochs; epoch += 1) {
    const state = pairState(trials, { scenarioId, epoch, arms: plan.arms });
    const latest = state.nextAttempt - 1;
    const current = trials.filter((t) => t.scenarioId === scenarioId && t.epoch === epoch && t.attempt === latest);
    done += isSettled(state) ? plan.arms.length : current.filter((t) => t.outcome !== 'infra').length;
  }
  return done;
}
