import type { EvalPurpose } from '../domain/experiment.js';
import type { Db } from './database.js';

/** What trials and their judge have taken. */
export interface RunCosts {
  readonly trials: number;
  readonly tokens: number;
  /** Null when the price of any call is unknown. */
  readonly usd: number | null;
}

/** Of one experiment's runs for these purposes, whatever became of them. */
export function runCosts(db: Db, of: { experimentId: number; purposes: readonly EvalPurpose[] }): RunCosts {
  const runs = `SELECT id FROM eval_runs WHERE experiment_id = @experimentId
    AND purpose IN (SELECT value FROM json_each(@purposes))`;
  const row = db
    .prepare<unknown[], { trials: number; tokens: number; usd: number; unpriced: number }>(
      `SELECT (SELECT count(*) FROM trials WHERE eval_run_id IN (${runs})) AS trials,
         coalesce(sum(settled_tokens), 0) AS tokens, coalesce(sum(settled_usd), 0.0) AS usd,
         count(*) FILTER (WHERE settled_usd IS NULL) AS unpriced
       FROM cost_ledger WHERE state = 'settled' AND eval_run_id IN (${runs})`,
    )
    .get({ experimentId: of.experimentId, purposes: JSON.stringify(of.purposes) });
  if (row === undefined) return { trials: 0, tokens: 0, usd: null };
  return { trials: row.trials, tokens: row.tokens, usd: row.unpriced > 0 ? null : row.usd };
}
