import type { Arm, Split } from '../domain/experiment.js';
import { scenarioSnapshotSchema, type ScenarioSnapshot } from '../schemas.js';
import type { Db } from './database.js';

/** One scenario under one arm of one run, with what it was and who graded it. */
export interface NewScenarioResult {
  readonly experimentId: number;
  readonly evalRunId: number;
  readonly scenarioId: number;
  readonly arm: Arm;
  readonly split: Split;
  readonly groupName: string;
  readonly proposerModel: string | null;
  readonly judgeModel: string | null;
  readonly judgeRunId: string | null;
  /** All epochs passed, or not; null without a complete pair. */
  readonly passFail: 'pass' | 'fail' | null;
  readonly passes: number;
  /** Complete pairs that count. */
  readonly epochs: number;
  readonly infra: number;
  readonly judgeRationale: string | null;
  readonly scenarioSnapshot: ScenarioSnapshot;
  readonly createdAt: number;
}

export interface ScenarioResultRow extends NewScenarioResult {
  readonly id: number;
}

export function insertScenarioResult(db: Db, result: NewScenarioResult): void {
  db.prepare(
    `INSERT INTO experiment_scenario_results (experiment_id, eval_run_id, scenario_id, arm, split, group_name,
       proposer_model, judge_model, judge_run_id, pass_fail, passes, epochs, infra, judge_rationale, scenario_snapshot,
       created_at)
     VALUES (@experimentId, @evalRunId, @scenarioId, @arm, @split, @groupName, @proposerModel, @judgeModel, @judgeRunId,
       @passFail, @passes, @epochs, @infra, @judgeRationale, @scenarioSnapshot, @createdAt)`,
  ).run({ ...result, scenarioSnapshot: JSON.stringify(result.scenarioSnapshot) });
}

/**
 * The results behind an experiment's verdict: those of its last selection run, or of the run asked for. Pooling the
 * live window's runs into them would show numbers that no decision was based on.
 */
export function listScenarioResults(
  db: Db,
  experimentId: number,
  options: { readonly evalRunId?: number } = {},
): ScenarioResultRow[] {
  const rows = db
    .prepare<unknown[], Omit<ScenarioResultRow, 'scenarioSnapshot'> & { scenarioSnapshot: string }>(
      `SELECT id, experiment_id AS experimentId, eval_run_id AS evalRunId, scenario_id AS scenarioId, arm, split,
         group_name AS groupName, proposer_model AS proposerModel, judge_model AS judgeModel,
         judge_run_id AS judgeRunId, pass_fail AS passFail, passes, epochs, infra, judge_rationale AS judgeRationale,
         scenario_snapshot AS scenarioSnapshot, created_at AS createdAt
       FROM experiment_scenario_results
       WHERE experiment_id = @experimentId AND eval_run_id = COALESCE(@evalRunId,
         (SELECT MAX(e.eval_run_id) FROM experiment_scenario_results e JOIN eval_runs r ON r.id = e.eval_run_id
          WHERE e.experiment_id = @experimentId AND r.purpose = 'selection'))
       ORDER BY scenario_id, arm DESC`,
    )
    .all({ experimentId, evalRunId: options.evalRunId ?? null });
  return rows.map((row) => ({
    ...row,
    scenarioSnapshot: scenarioSnapshotSchema.parse(JSON.parse(row.scenarioSnapshot)),
  }));
}
