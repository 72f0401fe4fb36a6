import type { Arm, TrialOutcomeKind } from '../domain/experiment.js';
import type { CheckResult, ToolCallRecord } from '../ports.js';
import { scenarioSpecSchema, type ScenarioSpec } from '../schemas.js';
import type { Db } from './database.js';

export interface NewTrial {
  readonly evalRunId: number;
  readonly scenarioId: number;
  readonly arm: Arm;
  readonly epoch: number;
  /** Of the pair: a fault in either arm starts a new attempt of both. */
  readonly attempt: number;
  readonly slot: number;
  /** Which of the pair's two runs came first. */
  readonly position: 1 | 2;
  readonly outcome: TrialOutcomeKind;
  readonly infraReason: string | null;
  readonly checks: readonly CheckResult[];
  readonly toolCalls: readonly ToolCallRecord[];
  readonly response: string | null;
  readonly judgeRationale: string | null;
  readonly sessionId: string | null;
  readonly model: string | null;
  readonly apiCalls: number | null;
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  /** Part of the input that the provider read from its cache; null = not reported. */
  readonly cachedInputTokens: number | null;
  readonly totalTokens: number | null;
  readonly costUsd: number | null;
  readonly costSource: string | null;
  readonly durationMs: number;
  readonly startedAt: number;
  readonly finishedAt: number;
}

/** What scheduling and the gate need of a trial. */
export interface TrialRow {
  readonly id: number;
  readonly scenarioId: number;
  readonly arm: Arm;
  readonly epoch: number;
  readonly attempt: number;
  readonly outcome: TrialOutcomeKind;
  readonly infraReason: string | null;
  readonly judgeRationale: string | null;
  readonly totalTokens: number | null;
  readonly costUsd: number | null;
  readonly durationMs: number;
}

export function insertTrial(db: Db, trial: NewTrial): number {
  return Number(
    db
      .prepare(
        `INSERT INTO trials (eval_run_id, scenario_id, arm, epoch, attempt, slot, position, outcome, infra_reason,
           checks, tool_calls, response, judge_rationale, session_id, model, api_calls, input_tokens, output_tokens,
           cached_input_tokens, total_tokens, cost_usd, cost_source, duration_ms, started_at, finished_at)
         VALUES (@evalRunId, @scenarioId, @arm, @epoch, @attempt, @slot, @position, @outcome, @infraReason,
           @checks, @toolCalls, @response, @judgeRationale, @sessionId, @model, @apiCalls, @inputTokens, @outputTokens,
           @cachedInputTokens, @totalTokens, @costUsd, @costSource, @durationMs, @startedAt, @finishedAt)`,
      )
      .run({ ...trial, checks: JSON.stringify(trial.checks), toolCalls: JSON.stringify(trial.toolCalls) })
      .lastInsertRowid,
  );
}

/** All trials of a run, in the order they ended. */
export function listTrials(db: Db, evalRunId: number): TrialRow[] {
  return db
    .prepare<[number], TrialRow>(
      `SELECT id, scenario_id AS scenarioId, arm, epoch, attempt, outcome, infra_reason AS infraReason,
         judge_rationale AS judgeRationale, total_tokens AS totalTokens, cost_usd AS costUsd, duration_ms AS durationMs
       FROM trials WHERE eval_run_id = ? ORDER BY id`,
    )
    .all(evalRunId);
}

/** A failed train trial of the incumbent: what the proposer learns from. */
export interface FailingTrial {
  readonly trialId: number;
  readonly scenarioId: number;
  readonly scenarioName: string;
  readonly group: string;
  readonly spec: ScenarioSpec;
  readonly response: string;
  /** Every check with its result. */
  readonly checks: readonly CheckResult[];
  readonly toolCalls: readonly ToolCallRecord[];
  readonly judgeRationale: string | null;
}

/** The latest failing trials of one incumbent text on train scenarios that still exist, one per scenario. */
export function failingTrainTrials(db: Db, profileId: number, incumbentSha256: string, limit: number): FailingTrial[] {
  const rows = db
    .prepare<unknown[], StoredFailing>(
      `SELECT MAX(t.id) AS trialId, s.id AS scenarioId, s.name AS scenarioName, s.group_name AS "group", s.spec, t.response, t.checks,
         t.tool_calls AS toolCalls, t.judge_rationale AS judgeRationale
       FROM trials t
       JOIN eval_runs r ON r.id = t.eval_run_id
       JOIN scenarios s ON s.id = t.scenario_id
       WHERE r.profile_id = @profileId AND r.purpose = 'train_baseline' AND r.incumbent_sha256 = @incumbentSha256
         AND t.arm = 'incumbent' AND t.outcome = 'fail' AND s.split = 'train' AND s.deleted_at IS NULL
       GROUP BY s.id ORDER BY trialId DESC LIMIT @limit`,
    )
    .all({ profileId, incumbentSha256, limit });
  return rows.map((row) => ({
    ...row,
    spec: scenarioSpecSchema.parse(JSON.parse(row.spec)),
    response: row.response ?? '',
    checks: JSON.parse(row.checks) as CheckResult[],
    toolCalls: JSON.parse(row.toolCalls) as ToolCallRecord[],
  }));
}

interface StoredFailing {
  trialId: number;
  scenarioId: number;
  scenarioName: string;
  group: string;
  spec: string;
  response: string | null;
  checks: string;
  toolCalls: string;
  judgeRationale: string | null;
}
