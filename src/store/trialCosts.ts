import type { Db } from './database.js';

/** The agent's model as a plan has it: what trials cost and whether they pass depends on it. */
export interface PlannedAgent {
  readonly provider: string | null;
  readonly model: string | null;
  readonly base_url: string | null;
}

/** What the index of the agents holds. */
const OF_AGENT = `profile_id = @profileId AND json_extract(plan, '$.agentModel.provider') IS @provider
  AND json_extract(plan, '$.agentModel.model') IS @model AND json_extract(plan, '$.agentModel.base_url') IS @base_url`;

/** The profile's newest runs under this agent: their trials are its last ones, and older runs are not looked at. */
const NEWEST_RUNS = `SELECT id FROM eval_runs WHERE ${OF_AGENT} ORDER BY id DESC LIMIT 200`;

export interface OfAgent {
  readonly profileId: number;
  readonly agent: PlannedAgent;
}

/** Means over the last trials under one agent that were no faults; null without any. */
export interface TrialAverages {
  readonly trials: number;
  readonly tokens: number | null;
  readonly calls: number | null;
  readonly durationMs: number;
  /** Over the trials with a known price; null when none has one. */
  readonly usd: number | null;
}

export function trialAverages(db: Db, { profileId, agent }: OfAgent, last = 100): TrialAverages | null {
  const row = db
    .prepare<unknown[], TrialAverages>(
      `SELECT COUNT(*) AS trials, AVG(tokens) AS tokens, AVG(calls) AS calls, AVG(ms) AS durationMs, AVG(usd) AS usd
       FROM (SELECT total_tokens AS tokens, api_calls AS calls, duration_ms AS ms, cost_usd AS usd
             FROM trials WHERE eval_run_id IN (${NEWEST_RUNS}) AND outcome <> 'infra' ORDER BY id DESC LIMIT @last)`,
    )
    .get({ profileId, ...agent, last });
  return row === undefined || row.trials === 0 ? null : row;
}

/** What a run took so far. */
export interface RunActuals {
  /** Lost ones included. */
  readonly trials: number;
  /** Booked on trials and judge. */
  readonly tokens: number;
  /** Null while any of it has no known price. */
  readonly usd: number | null;
  /** Time in which at least one trial was running. */
  readonly milliseconds: number;
}

export function runActuals(db: Db, evalRunId: number): RunActuals {
  const booked = db
    .prepare<[number], { tokens: number; usd: number; unpriced: number }>(
      `SELECT COALESCE(SUM(settled_tokens), 0) AS tokens, COALESCE(SUM(settled_usd), 0.0) AS usd,
         COUNT(*) FILTER (WHERE settled_usd IS NULL) AS unpriced
       FROM cost_ledger WHERE eval_run_id = ? AND state = 'settled'`,
    )
    .get(evalRunId) ?? { tokens: 0, usd: 0, unpriced: 0 };
  const spans = db
    .prepare<[number], { from: number; to: number }>(
      'SELECT started_at AS "from", finished_at AS "to" FROM trials WHERE eval_run_id = ? ORDER BY started_at',
    )
    .all(evalRunId);
  return {
    trials: spans.length,
    tokens: booked.tokens,
    usd: booked.unpriced > 0 ? null : booked.usd,
    milliseconds: covered(spans),
  };
}

/** Length of the union of spans that are sorted by their start. */
function covered(spans: readonly { readonly from: number; readonly to: number }[]): number {
  let total = 0;
  let end = -Infinity;
  for (const { from, to } of spans) {
    total += Math.max(0, to - Math.max(from, end));
    end = Math.max(end, to);
  }
  return total;
}

/** Runs that have ended and whose costs were estimated from the profile's own trials under this agent, newest first. */
export function estimatedRuns(db: Db, { profileId, agent }: OfAgent, last = 50): { id: number; estimate: string }[] {
  return db
    .prepare<unknown[], { id: number; estimate: string }>(
      `SELECT id, estimate FROM eval_runs
       WHERE ${OF_AGENT} AND state IN ('finished', 'cancelled') AND json_extract(estimate, '$.basis') = 'measured'
       ORDER BY id DESC LIMIT @last`,
    )
    .all({ profileId, ...agent, last });
}

/** How often a text passed each scenario, in finished runs under one agent: never from one that is still going on. */
export interface PassRecord {
  readonly scenarioId: number;
  readonly passes: number;
  readonly fails: number;
}

export function passRecords(db: Db, of: OfAgent & { textSha256: string; evaluator: string }): PassRecord[] {
  const { profileId, agent, textSha256, evaluator } = of;
  return db
    .prepare<unknown[], PassRecord>(
      `SELECT t.scenario_id AS scenarioId, COUNT(*) FILTER (WHERE t.outcome = 'pass') AS passes,
         COUNT(*) FILTER (WHERE t.outcome = 'fail') AS fails
       FROM trials t JOIN eval_runs r ON r.id = t.eval_run_id
       WHERE r.id IN (SELECT id FROM eval_runs WHERE profile_id = @profileId AND incumbent_sha256 = @textSha256
             UNION SELECT id FROM eval_runs WHERE profile_id = @profileId AND candidate_sha256 = @textSha256)
         AND ${OF_AGENT} AND r.state = 'finished' AND json_extract(r.plan, '$.evaluator') = @evaluator
         AND CASE t.arm WHEN 'incumbent' THEN r.incumbent_sha256 ELSE r.candidate_sha256 END = @textSha256
       GROUP BY t.scenario_id`,
    )
    .all({ profileId, ...agent, textSha256, evaluator });
}

/** Input tokens of the trials under one agent by the toolsets they had; null = those of the live agent. */
export interface InputByToolsets {
  readonly toolsets: string | null;
  readonly trials: number;
  readonly calls: number;
  readonly inputTokens: number;
  /** Null when the provider said nothing about its cache. */
  readonly cachedTokens: number | null;
}

export function inputByToolsets(db: Db, { profileId, agent }: OfAgent, last = 400): InputByToolsets[] {
  return db
    .prepare<unknown[], InputByToolsets>(
      `SELECT toolsets, COUNT(*) AS trials, SUM(calls) AS calls, SUM(input) AS inputTokens, SUM(cached) AS cachedTokens
       FROM (SELECT (SELECT json_extract(value, '$.spec.toolsets') FROM json_each(r.plan, '$.scenarios')
                     WHERE json_extract(value, '$.id') = t.scenario_id) AS toolsets,
               t.api_calls AS calls, t.input_tokens AS input, t.cached_input_tokens AS cached
             FROM trials t JOIN eval_runs r ON r.id = t.eval_run_id
             WHERE r.id IN (${NEWEST_RUNS}) AND t.api_calls > 0 AND t.input_tokens > 0
             ORDER BY t.id DESC LIMIT @last)
       GROUP BY toolsets ORDER BY trials DESC`,
    )
    .all({ profileId, ...agent, last });
}
