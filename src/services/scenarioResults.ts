import type { Arm } from '../domain/experiment.js';
import { pairState } from '../evaluation/pairs.js';
import type { Pair } from '../gate/types.js';
import { insertScenarioResult } from '../store/scenarioResults.js';
import type { Context } from './context.js';
import type { EvalSession } from './evalSession.js';

/** One row per scenario and arm, with the scenario as it was and who wrote and graded. Call it in a transaction. */
export function writeResults(
  ctx: Context,
  of: { run: EvalSession; experimentId: number; proposer: string | null },
): void {
  const { run } = of;
  const { plan } = run;
  const trials = run.trials();
  const pairs = run.pairs();
  for (const scenario of plan.scenarios) {
    const own = pairs.filter((pair) => pair.scenario === scenario.id);
    const counted = new Set(
      own.map(
        ({ epoch }) => `${epoch}/${pairState(trials, { scenarioId: scenario.id, epoch, arms: plan.arms }).attempt}`,
      ),
    );
    for (const arm of ['incumbent', 'candidate'] as const satisfies readonly Arm[]) {
      const ofArm = trials.filter((trial) => trial.scenarioId === scenario.id && trial.arm === arm);
      const passes = own.reduce((sum, pair) => sum + pair[arm], 0);
      const rationale = ofArm.findLast((t) => counted.has(`${t.epoch}/${t.attempt}`) && t.judgeRationale !== null);
      insertScenarioResult(ctx.db, {
        experimentId: of.experimentId,
        evalRunId: run.row.id,
        scenarioId: scenario.id,
        arm,
        split: scenario.split,
        groupName: scenario.group,
        proposerModel: of.proposer,
        judgeModel: run.judgeModel(),
        judgeRunId: run.judgeRunId(),
        passFail: own.length === 0 ? null : passes === own.length ? 'pass' : 'fail',
        passes,
        epochs: own.length,
        infra: ofArm.filter((trial) => trial.outcome === 'infra').length,
        judgeRationale: rationale?.judgeRationale ?? null,
        scenarioSnapshot: scenario,
        createdAt: ctx.clock.now(),
      });
    }
  }
}

/** Mean over the complete pairs, in [0, 1]; null without any. */
export function candidatePassRate(pairs: readonly Pair[]): number | null {
  return pairs.length === 0 ? null : pairs.reduce((sum, pair) => sum + pair.candidate, 0) / pairs.length;
}
