import { beforeEach, describe, expect, it } from 'vitest';
import { testContext, type TestContext } from '../../support/context.js';
import { proposed } from '../../support/experiments.js';

/** What the design review asks of the schema, finding by finding. */

let fixture: TestContext;
beforeEach(() => {
  fixture = testContext();
});

const columns = (table: string) =>
  fixture.db.prepare('SELECT name FROM pragma_table_info(?)').pluck().all(table) as string[];

const MUST_HAVE: Readonly<Record<string, readonly string[]>> = {
  experiments: [
    'target_profile_root',
    'target_relpath',
    'base_commit_sha',
    'apply_commit_sha',
    'revert_commit_sha',
    'approved_by',
    'approved_at',
    'rejected_by',
    'rejected_at',
    'rejection_reason',
    'live_sessions_target',
    'live_sessions_observed',
    'applied_at',
    'verified_at',
    'reverted_at',
    'baseline_id',
    'profile_git_root',
    'base_blob_sha',
    'dirty_before_apply',
    'manual_conflict_detected',
    'base_sha256',
    'candidate_sha256',
    'proposer_model',
    'judge_model',
    'changed_hunks',
    'added_lines',
    'removed_lines',
    'sentence_delta_count',
    'target_span',
    'evidence_fingerprint',
  ],
  experiment_state_transitions: ['from_state', 'to_state', 'actor', 'reason', 'at'],
  eval_runs: ['experiment_id', 'proposer_model', 'judge_model', 'judge_run_id', 'plan', 'created_at'],
  experiment_scenario_results: [
    'experiment_id',
    'scenario_id',
    'split',
    'proposer_model',
    'judge_model',
    'judge_run_id',
    'pass_fail',
    'judge_rationale',
    'scenario_snapshot',
    'created_at',
  ],
  metrics_snapshots: ['profile', 'from_offset', 'to_offset', 'window_started_at', 'window_ended_at', 'experiment_id'],
  collection_cursors: ['inode', 'offset', 'head_fingerprint'],
  session_tags: ['profile_id', 'session_id', 'experiment_id', 'content_sha256'],
  baselines: ['profile_id', 'experiment_id', 'content_sha256'],
  file_operations: ['prior_sha256', 'prior_content', 'new_sha256', 'new_content', 'mode', 'phase', 'path'],
  experiment_snapshots: ['content', 'sha256', 'mode'],
  holdout_consultations: ['kind', 'actor', 'at'],
  error_budget_ledger: ['alpha', 'consultation'],
  cost_ledger: ['reserved_tokens', 'settled_tokens', 'settled_usd'],
  jobs: ['fencing_token', 'lease_owner', 'lease_expires_at'],
  spool_cursors: ['file', 'offset'],
  host_processes: ['pid', 'home', 'build_id'],
  scenarios: ['split', 'deleted_at', 'first_used_at'],
  trials: ['outcome', 'infra_reason', 'arm', 'epoch', 'tool_calls'],
  profiles: ['root_path', 'name', 'target_relpath'],
};

describe('the schema', () => {
  it.each(Object.entries(MUST_HAVE))('of %s has every column that was asked for', (table, wanted) => {
    const found = columns(table);
    expect(wanted.filter((column) => !found.includes(column))).toEqual([]);
  });

  it('keeps every table STRICT', () => {
    const loose = fixture.db
      .prepare(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%' AND NOT strict",
      )
      .pluck()
      .all();
    expect(loose).toEqual([]);
  });

  it.each(['pending', 'running', 'done', 'Proposed', ''])('knows no state %j', (state) => {
    const id = proposed(fixture);
    expect(() => fixture.db.prepare('UPDATE experiments SET state = ? WHERE id = ?').run(state, id)).toThrow(/CHECK/);
  });

  it.each([
    ['approved', 'approved_at'],
    ['rejected', 'rejected_at'],
    ['reverted', 'reverted_at'],
  ])('does not let an experiment be %s without its time', (state, column) => {
    const id = proposed(fixture);
    expect(() => fixture.db.prepare('UPDATE experiments SET state = ? WHERE id = ?').run(state, id)).toThrow(/CHECK/);
    fixture.db.prepare(`UPDATE experiments SET state = ?, ${column} = 1 WHERE id = ?`).run(state, id);
  });

  it.each([
    ['live', 'applied_at'],
    ['verified', 'verified_at'],
  ])('does not let an experiment be %s without its time, though it was approved', (state, column) => {
    const id = proposed(fixture);
    const others = column === 'verified_at' ? 'approved_at = 1, applied_at = 1' : 'approved_at = 1';
    expect(() => fixture.db.prepare(`UPDATE experiments SET state = ?, ${others} WHERE id = ?`).run(state, id)).toThrow(
      /CHECK/,
    );
    fixture.db.prepare(`UPDATE experiments SET state = ?, ${others}, ${column} = 1 WHERE id = ?`).run(state, id);
  });

  it.each(['proposed', 'approved', 'live'])('has one place in flight per profile, which %s takes', (state) => {
    const id = proposed(fixture);
    fixture.db.prepare('UPDATE experiments SET state = ?, approved_at = 1, applied_at = 1 WHERE id = ?').run(state, id);
    const second = fixture.db.prepare(
      `INSERT INTO experiments (profile_id, profile, target_profile_root, target_relpath, created_at, updated_at)
       VALUES (?, 'dev', '/x', 'SOUL.md', 1, 1)`,
    );
    expect(() => second.run(fixture.profileId)).toThrow(/UNIQUE/);
  });

  it('has one open operation per file', () => {
    const id = proposed(fixture);
    const insert = fixture.db.prepare(
      `INSERT INTO file_operations (experiment_id, kind, path, mode, prior_sha256, prior_content, new_sha256, new_content,
         transition, actor, reason, created_at) VALUES (?, 'apply', '/x', 420, 'a', x'00', 'b', x'01', '{}', 'p', 'r', 1)`,
    );
    insert.run(id);
    expect(() => insert.run(id)).toThrow(/UNIQUE/);
    fixture.db.exec("UPDATE file_operations SET phase = 'done'");
    insert.run(id);
  });

  it('refuses references to what does not exist', () => {
    expect(() =>
      fixture.db.exec(`INSERT INTO experiment_state_transitions (experiment_id, to_state, actor, reason, at)
        VALUES (99, 'proposed', 'a', 'r', 1)`),
    ).toThrow(/FOREIGN KEY/);
  });
});
