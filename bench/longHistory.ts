import { createHash } from 'node:crypto';
import { immediate, type Db } from '../src/store/database.js';

/** How long a history is. */
export interface Size {
  readonly tags: number;
  readonly experiments: number;
}

export const HOUR = 3_600_000;
/** About 900 sessions a day, whatever their number: only how long ago they began differs. */
export const APART_MS = 95_000;
const TRIALS_EACH = 12;
/** As JSON, padded to the size that the scenarios of a small suite take in a plan. */
const PLAN = JSON.stringify({
  agentModel: { provider: 'p', model: 'm', base_url: null },
  scenarios: [],
  padding: 'x'.repeat(10_000),
});
const EVIDENCE = 'e'.repeat(64);
const SPEC = { input: 'Do.', checks: [{ must_contain: 'x' }] };
const SNAPSHOT = { id: 1, name: 'one', split: 'holdout', group: 'one', spec: SPEC };

/**
 * Writes a history straight into the controller DB: sessions up to now, each with figures; closed experiments with the
 * run, trials, costs, audit log and file operations of each, every fifth of them applied and every tenth verified;
 * and one that is live.
 */
export function writeHistory(
  db: Db,
  { profileId, size, root, soul, now }: { profileId: number; size: Size; root: string; soul: Buffer; now: number },
): void {
  const base = Buffer.from('You are.\n');
  const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
  const values = {
    ...{ profileId, root, now, apart: APART_MS, ...size, trials: TRIALS_EACH, plan: PLAN, evidence: EVIDENCE },
    ...{ spec: JSON.stringify(SPEC), snapshot: JSON.stringify(SNAPSHOT) },
    ...{ base, baseSha: hash(base), soul, soulSha: hash(soul) },
  };
  immediate(db, () => {
    for (const sql of STATEMENTS) {
      const used = Object.entries(values).filter(([name]) => new RegExp(`@${name}\\b`).test(sql));
      db.prepare(sql).run(Object.fromEntries(used));
    }
  });
  // No history comes in one transaction: its journal would be as long as itself.
  db.pragma('wal_checkpoint(TRUNCATE)');
}

const EACH_EXPERIMENT =
  'WITH RECURSIVE n (i) AS (SELECT @experiments UNION ALL SELECT i - 1 FROM n WHERE i > 1), e (i, at, id) AS (SELECT i, @now - i * 7200000, @experiments - i + 1 FROM n)';
const EACH_TAG = 'WITH RECURSIVE n (i) AS (SELECT @tags UNION ALL SELECT i - 1 FROM n WHERE i > 1)';

const STATEMENTS = [
  `INSERT INTO scenarios (profile_id, name, split, group_name, spec, content_sha256, first_used_at, created_at)
   VALUES (@profileId, 'one', 'holdout', 'one', @spec, @evidence, 1, 1)`,
  `INSERT INTO experiments (profile_id, profile, target_profile_root, target_relpath, state, operation, sentence_number,
     sentence_before, sentence_after, edit_key, base_content, base_sha256, candidate_content, candidate_sha256,
     proposer_model, verdict, verdict_reason, evidence_fingerprint, approved_at, applied_at, verified_at, reverted_at,
     rejected_at, created_at, updated_at)
   ${EACH_EXPERIMENT}
   SELECT @profileId, 'default', @root, 'SOUL.md',
     CASE WHEN i % 10 = 0 THEN 'verified' WHEN i % 5 = 0 THEN 'reverted' ELSE 'rejected' END, 'rewrite', 1, 'Old ' || i,
     'New ' || i, 'new ' || i, @base, @baseSha, @soul, @soulSha, 'm', 'keep', 'because', @evidence, at,
     iif(i % 5 = 0, at, NULL), iif(i % 10 = 0, at + 3600000, NULL), iif(i % 10 = 5, at + 3600000, NULL), at, at, at
   FROM e`,
  `INSERT INTO experiments (profile_id, profile, target_profile_root, target_relpath, state, base_content, base_sha256,
     candidate_content, candidate_sha256, approved_at, applied_at, live_sessions_target, live_deadline_at, created_at,
     updated_at)
   VALUES (@profileId, 'default', @root, 'SOUL.md', 'live', @base, @baseSha, @soul, @soulSha, @now, @now - 3600000,
     100000, @now + 100 * 3600000, @now, @now)`,
  `INSERT INTO experiment_state_transitions (experiment_id, from_state, to_state, actor, reason, at)
   SELECT id, NULL, 'proposed', 'system', 'proposed', created_at FROM experiments`,
  `INSERT INTO experiment_state_transitions (experiment_id, from_state, to_state, actor, reason, at)
   SELECT id, 'proposed', iif(state = 'rejected', state, 'approved'), 'person@cli', 'because', created_at FROM experiments`,
  `INSERT INTO experiment_state_transitions (experiment_id, from_state, to_state, actor, reason, at)
   SELECT id, 'approved', 'live', 'person@cli', 'because', created_at FROM experiments WHERE state <> 'rejected'`,
  `INSERT INTO experiment_state_transitions (experiment_id, from_state, to_state, actor, reason, at)
   SELECT id, 'live', state, 'ratchet', 'because', created_at FROM experiments WHERE state IN ('verified', 'reverted')`,
  `INSERT INTO eval_runs (profile_id, experiment_id, purpose, state, plan, plan_sha256, incumbent_sha256,
     candidate_sha256, evidence_fingerprint, decision, created_at, finished_at)
   ${EACH_EXPERIMENT} SELECT @profileId, id, 'selection', 'finished', @plan, @evidence, @baseSha, @soulSha, @evidence,
     '{"verdict":"discard"}', at, at FROM e`,
  `INSERT INTO evidence_epochs (profile_id, number, alpha, evidence, evidence_fingerprint, actor, reason, at)
   VALUES (@profileId, 1, 0.1, '{"agent":{"provider":null,"model":null,"baseUrl":null},"judge":null,"evaluator":"1",
     "holdout":[],"groups":[],"host":null,"notes":[]}', @evidence, 'gate', 'the first test', 1)`,
  `INSERT INTO error_budget_ledger (profile_id, epoch_id, evidence_fingerprint, kind, consultation, alpha,
     experiment_id, eval_run_id, at)
   SELECT @profileId, 1, @evidence, 'improvement', id, 0.1 / (id * (id + 1)), experiment_id, id, 1 FROM eval_runs`,
  `INSERT INTO trials (eval_run_id, scenario_id, arm, epoch, slot, position, outcome, checks, tool_calls, response,
     api_calls, input_tokens, output_tokens, total_tokens, cost_usd, duration_ms, started_at, finished_at)
   WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < @trials)
   SELECT r.id, 1, iif(i % 2, 'incumbent', 'candidate'), (i + 1) / 2, 1, 1 + i % 2, 'pass', '[]', '[]', 'Done.', 2,
     30000, 300, 30300, 0.1, 9000, r.created_at, r.created_at + 9000 FROM eval_runs AS r, n`,
  `INSERT INTO cost_ledger (profile_id, experiment_id, eval_run_id, purpose, model, state, reserved_tokens,
     reserved_usd, settled_tokens, settled_usd, owner, created_at, settled_at)
   SELECT @profileId, r.experiment_id, r.id, 'trial', 'm', 'settled', 40000, 0.2, t.total_tokens, t.cost_usd, 'w', 1, 1
   FROM trials AS t JOIN eval_runs AS r ON r.id = t.eval_run_id`,
  `INSERT INTO experiment_scenario_results (experiment_id, eval_run_id, scenario_id, arm, split, group_name, pass_fail,
     passes, epochs, infra, scenario_snapshot, created_at)
   SELECT experiment_id, id, 1, 'candidate', 'holdout', 'one', 'pass', 6, 6, 0, @snapshot, 1 FROM eval_runs`,
  `INSERT INTO jobs (profile_id, experiment_id, kind, state, payload, requested_by, created_at, finished_at)
   ${EACH_EXPERIMENT} SELECT @profileId, id, 'evaluate', 'finished', '{}', 'person@cli', at, at FROM e`,
  `INSERT INTO file_operations (experiment_id, kind, path, mode, prior_sha256, prior_content, new_sha256, new_content,
     phase, transition, git_phase, actor, reason, created_at, finished_at)
   SELECT id, 'apply', @root || '/SOUL.md', 420, @baseSha, @base, @soulSha, @soul, 'done', '{}', 'skipped', 'person@cli',
     'because', created_at, created_at FROM experiments WHERE applied_at IS NOT NULL`,
  `INSERT INTO baselines (profile_id, experiment_id, file, content_sha256, evidence_fingerprint, metrics, watched_until,
     recorded_at)
   SELECT @profileId, id, 'SOUL.md', base_sha256, @evidence, '{}', @now, verified_at FROM experiments
   WHERE state = 'verified'`,
  `INSERT INTO host_processes (pid, home, started_at, host_version, argv)
   ${EACH_TAG} SELECT 1 + i % 4000000, @root, @now - i * @apart, '0.19.0', 'hermes chat' FROM n`,
  `INSERT INTO session_tags (profile_id, session_id, content_sha256, started_at, start_seen, started_turns,
     completed_turns, platform, model, last_turn_at, updated_at)
   ${EACH_TAG} SELECT @profileId, 's' || i, @soulSha, @now - i * @apart, 1, 3, 3, 'cli', 'm',
     @now - i * @apart + 60000, @now FROM n`,
  `INSERT INTO session_usage (profile_id, session_id, found, source, end_reason, ended_at, duration_ms, api_calls,
     input_tokens, output_tokens, cost_usd, turns_unanswered, tool_calls, tool_errors, read_at)
   ${EACH_TAG} SELECT @profileId, 's' || i, 1, 'cli', 'cli_close', @now, 60000, 3, 30000, 900, 0.01, 0, 4, 0, @now FROM n`,
  `INSERT INTO session_log_counts (profile_id, session_id, warnings, updated_at)
   ${EACH_TAG} SELECT @profileId, 's' || i, 1, @now FROM n`,
];
