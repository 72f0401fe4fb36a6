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
  /** Ids that the provider gave its responses; null = not known. */
  readonly responseIds: readonly string[] | null;
  /** Time within calls of the model; null = not measured. */
  readonly modelMs: number | null;
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
  /** Which of the pair's two runs came first. */
  readonly position: 1 | 2;
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
           cached_input_tokens, total_tokens, cost_usd, cost_source, duration_ms, response_ids, model_ms, started_at, finished_at)
         VALUES (@evalRunId, @scenarioId, @arm, @epoch, @attempt, @slot, @position, @outcome, @infraReason,
           @checks, @toolCalls, @response, @judgeRationale, @sessionId, @model, @apiCalls, @inputTokens, @outputTokens,
           @cachedInputTokens, @totalTokens, @costUsd, @costSource, @durationMs, @responseIds, @modelMs, @startedAt, @finishedAt)`,
      )
      .run({
        ...trial,
        checks: JSON.stringify(trial.checks),
        toolCalls: JSON.stringify(trial.toolCalls),
        responseIds: trial.responseIds === null ? null : JSON.stringify(trial.responseIds),
      }).lastInsertRowid,
  );
}

/** All trials of a run, in the order they ended. */
export function listTrials(db: Db, evalRunId: number): TrialRow[] {
  return db
    .prepare<[number], TrialRow>(
      `SELECT id, scenario_id AS scenarioId, arm, epoch, attempt, position, outcome, infra_reason AS infraReason,
         judge_rationale AS judgeRationale, total_tokens AS totalTokens, cost_usd AS costUsd, duration_ms AS durationMs
       FROM trials WHERE eval_run_id = ? ORDER BY id`,
    )
    .all(evalRunId);
}

/** What a trial said and did, to compare it with other answers to the same question. */
export interface StoredAnswer {
  readonly scenarioId: number;
  /** Hash of the target's text that it ran under. */
  readonly textSha256: string;
  /** Of the agent, as the plan has it: JSON. */
  readonly agentModel: string;
  readonly response: string | null;
  readonly toolCalls: readonly ToolCallRecord[];
  readonly responseIds: readonly string[] | null;
  readonly modelMs: number | null;
}

/** Every answer of the profile to these scenarios under these texts, in whatever run, oldest first; no faults. */
export function listAnswers(
  db: Db,
  of: { profileId: number; scenarioIds: readonly number[]; texts: readonly string[] },
): StoredAnswer[] {
  const text = `CASE t.arm WHEN 'incumbent' THEN r.incumbent_sha256 ELSE r.candidate_sha256 END`;
  type Raw = Omit<StoredAnswer, 'toolCalls' | 'responseIds'> & { toolCalls: string; responseIds: string | null };
  const rows = db
    .prepare<unknown[], Raw>(
      `SELECT t.scenario_id AS scenarioId, ${text} AS textSha256, json_extract(r.plan, '$.agentModel') AS agentModel,
         t.response, t.tool_calls AS toolCalls, t.response_ids AS responseIds, t.model_ms AS modelMs
       FROM trials t JOIN eval_runs r ON r.id = t.eval_run_id
       WHERE t.outcome <> 'infra' AND r.id IN (
           SELECT id FROM eval_runs WHERE profile_id = @profileId AND incumbent_sha256 IN (SELECT value FROM json_each(@texts))
           UNION SELECT id FROM eval_runs WHERE profile_id = @profileId AND candidate_sha256 IN (SELECT value FROM json_each(@texts)))
         AND t.scenario_id IN (SELECT value FROM json_each(@scenarioIds))
         AND ${text} IN (SELECT value FROM json_each(@texts))
       ORDER BY t.started_at, t.id`,
    )
    .all({ ...of, scenarioIds: JSON.stringify(of.scenarioIds), texts: JSON.stringify(of.texts) });
  return rows.map((row) => ({
    ...row,
    toolCalls: JSON.parse(row.toolCalls) as ToolCallRecord[],
    responseIds: row.responseIds === null ? null : (JSON.parse(row.responseIds) as string[]),
  }));
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
