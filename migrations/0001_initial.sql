-- Times are integer milliseconds since the epoch (UTC). Hashes are lower-case hex SHA-256.
-- JSON columns hold one document that src/schemas.ts (or the named module) parses.
-- No command may take longer for a longer history: test/integration/scale pins that every query has its index.

CREATE TABLE profiles (
  id INTEGER PRIMARY KEY,
  root_path TEXT NOT NULL UNIQUE,              -- real path of the profile's home: its identity
  name TEXT NOT NULL,                          -- a label
  target_relpath TEXT NOT NULL DEFAULT 'SOUL.md',
  proposer TEXT CHECK (proposer IS NULL OR json_valid(proposer)),
  judge TEXT CHECK (judge IS NULL OR json_valid(judge)),
  budget_usd REAL CHECK (budget_usd IS NULL OR budget_usd > 0),
  budget_tokens INTEGER CHECK (budget_tokens IS NULL OR budget_tokens > 0),
  disclosure_accepted_at INTEGER,              -- when a person agreed to who sees which text
  enabled INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)), -- 0: forgotten, or uninstalled with its records kept
  paused_at INTEGER,
  pause_reason TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

-- What a person said about where a profile's home went; where it lies now stands in profiles.
CREATE TABLE profile_moves (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  profile_id INTEGER NOT NULL REFERENCES profiles (id),
  kind TEXT NOT NULL CHECK (kind IN ('relocated', 'forgotten', 'uninstalled')),
  from_path TEXT NOT NULL,
  to_path TEXT,
  actor TEXT NOT NULL,
  at INTEGER NOT NULL,
  CHECK ((kind = 'relocated') = (to_path IS NOT NULL))
) STRICT;

CREATE TRIGGER profile_moves_are_never_changed BEFORE UPDATE ON profile_moves
BEGIN SELECT RAISE(ABORT, 'profile_moves is append-only'); END;
CREATE TRIGGER profile_moves_are_never_deleted BEFORE DELETE ON profile_moves
BEGIN SELECT RAISE(ABORT, 'profile_moves is append-only'); END;

CREATE TABLE baselines (
  id INTEGER PRIMARY KEY,
  profile_id INTEGER NOT NULL REFERENCES profiles (id),
  experiment_id INTEGER REFERENCES experiments (id),
  file TEXT NOT NULL,
  content_sha256 TEXT NOT NULL,
  evidence_fingerprint TEXT,
  evidence_expired_at INTEGER,                 -- since when model, suite or evaluator are others; null = they are not
  pass_rate REAL,
  effect REAL,                                 -- fresh estimate of the live window, in [-1, 1]
  interval_low REAL,
  interval_high REAL,
  groups INTEGER,
  epochs INTEGER,
  metrics TEXT CHECK (metrics IS NULL OR json_valid(metrics)),
  watched_until INTEGER NOT NULL,              -- sessions that started up to then have been looked at
  drift TEXT CHECK (drift IS NULL OR json_valid(drift)), -- GuardrailReport of sessions that were no longer as then
  drift_at INTEGER,
  recorded_at INTEGER NOT NULL
) STRICT;

CREATE INDEX baselines_by_time ON baselines (profile_id, recorded_at);
CREATE INDEX baselines_by_text ON baselines (profile_id, content_sha256, recorded_at);
CREATE INDEX baselines_by_evidence ON baselines (profile_id, evidence_expired_at IS NULL, evidence_fingerprint)
  WHERE evidence_fingerprint IS NOT NULL;

CREATE TABLE experiments (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  profile_id INTEGER NOT NULL REFERENCES profiles (id),
  profile TEXT NOT NULL,
  target_profile_root TEXT NOT NULL,
  target_relpath TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'proposed'
    CHECK (state IN ('proposed', 'approved', 'live', 'verified', 'reverted', 'rejected')),

  -- the edit; null while it is being drafted
  operation TEXT CHECK (operation IN ('rewrite', 'insert', 'delete')),
  sentence_number INTEGER,
  sentence_before TEXT,
  sentence_after TEXT,
  rationale TEXT,
  diff TEXT NOT NULL DEFAULT '',
  edit_key TEXT,                               -- normalised; the same edit tried again has the same key
  base_content BLOB,
  base_sha256 TEXT,
  candidate_content BLOB,
  candidate_sha256 TEXT,
  changed_hunks INTEGER,
  added_lines INTEGER,
  removed_lines INTEGER,
  sentence_delta_count INTEGER,
  target_span TEXT CHECK (target_span IS NULL OR json_valid(target_span)),
  proposer_model TEXT,                         -- 'human' for a person's own sentence
  judge_model TEXT,
  shown_groups TEXT CHECK (shown_groups IS NULL OR json_valid(shown_groups)), -- train groups the proposer saw failing

  -- evidence
  verdict TEXT CHECK (verdict IN ('keep', 'discard', 'undecided')),
  verdict_reason TEXT,
  verdict_detail TEXT CHECK (verdict_detail IS NULL OR json_valid(verdict_detail)),
  offline_score REAL,                          -- candidate's holdout pass rate at the verdict
  live_score REAL,                             -- candidate's pass rate in the live window's fresh run
  evidence_fingerprint TEXT,
  evidence_expired_at INTEGER,                 -- since when model, suite or evaluator are others; null = they are not
  cost_usd REAL,
  tokens INTEGER,

  -- decisions
  approved_by TEXT,
  approved_at INTEGER,
  approval_override_reason TEXT,
  auto_revert_agreed INTEGER NOT NULL DEFAULT 0 CHECK (auto_revert_agreed IN (0, 1)),
  rejected_by TEXT,
  rejected_at INTEGER,
  rejection_reason TEXT,

  -- git provenance
  profile_git_root TEXT,
  base_blob_sha TEXT,
  base_commit_sha TEXT,
  apply_commit_sha TEXT,
  revert_commit_sha TEXT,
  dirty_before_apply INTEGER CHECK (dirty_before_apply IN (0, 1)),
  git_note TEXT,                               -- why there is no commit, when there is none

  -- live window
  applied_at INTEGER,
  live_sessions_target INTEGER CHECK (live_sessions_target IS NULL OR live_sessions_target > 0),
  live_sessions_observed INTEGER NOT NULL DEFAULT 0,
  live_deadline_at INTEGER,
  live_extensions INTEGER NOT NULL DEFAULT 0,
  live_note TEXT,                              -- what the window waits for, in words
  live_guardrails TEXT CHECK (live_guardrails IS NULL OR json_valid(live_guardrails)), -- at its last end
  manual_conflict_detected INTEGER NOT NULL DEFAULT 0 CHECK (manual_conflict_detected IN (0, 1)),
  verified_at INTEGER,
  reverted_at INTEGER,
  closing_reason TEXT,
  baseline_id INTEGER REFERENCES baselines (id),

  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  CHECK (state <> 'rejected' OR rejected_at IS NOT NULL),
  CHECK (state NOT IN ('approved', 'live', 'verified') OR approved_at IS NOT NULL),
  CHECK (state NOT IN ('live', 'verified') OR applied_at IS NOT NULL),
  CHECK (state <> 'verified' OR verified_at IS NOT NULL),
  CHECK (state <> 'reverted' OR reverted_at IS NOT NULL)
) STRICT;

CREATE UNIQUE INDEX experiments_one_in_flight ON experiments (profile_id)
  WHERE state IN ('proposed', 'approved', 'live');
CREATE INDEX experiments_by_edit ON experiments (profile_id, edit_key);
CREATE INDEX experiments_by_apply ON experiments (profile_id, applied_at) WHERE applied_at IS NOT NULL;
-- Newest first: an index holds the id behind its columns.
CREATE INDEX experiments_by_profile ON experiments (profile_id);
CREATE INDEX experiments_by_creation ON experiments (profile_id, created_at);
CREATE INDEX experiments_verified ON experiments (profile_id, candidate_sha256) WHERE state = 'verified';
CREATE INDEX experiments_by_evidence ON experiments (profile_id, evidence_expired_at IS NULL, evidence_fingerprint)
  WHERE state IN ('proposed', 'approved', 'live', 'verified') AND evidence_fingerprint IS NOT NULL;

CREATE TABLE experiment_state_transitions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  experiment_id INTEGER NOT NULL REFERENCES experiments (id),
  from_state TEXT CHECK (from_state IN ('proposed', 'approved', 'live', 'verified', 'reverted', 'rejected')),
  to_state TEXT NOT NULL CHECK (to_state IN ('proposed', 'approved', 'live', 'verified', 'reverted', 'rejected')),
  actor TEXT NOT NULL,
  reason TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT;

CREATE INDEX transitions_by_experiment ON experiment_state_transitions (experiment_id, id);

CREATE TRIGGER transitions_are_never_changed BEFORE UPDATE ON experiment_state_transitions
BEGIN SELECT RAISE(ABORT, 'experiment_state_transitions is append-only'); END;
CREATE TRIGGER transitions_are_never_deleted BEFORE DELETE ON experiment_state_transitions
BEGIN SELECT RAISE(ABORT, 'experiment_state_transitions is append-only'); END;

CREATE TABLE scenarios (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  profile_id INTEGER NOT NULL REFERENCES profiles (id),
  name TEXT NOT NULL,
  split TEXT NOT NULL CHECK (split IN ('train', 'holdout')),
  group_name TEXT NOT NULL,                    -- the unit of the gate; a lone scenario is its own group
  spec TEXT NOT NULL CHECK (json_valid(spec)), -- ScenarioSpec
  content_sha256 TEXT NOT NULL,
  real_tools_confirmed_by TEXT,
  first_used_at INTEGER,                       -- once set, an edit makes a new row
  replaced_by INTEGER REFERENCES scenarios (id),
  created_at INTEGER NOT NULL,
  deleted_at INTEGER
) STRICT;

CREATE UNIQUE INDEX scenarios_one_name ON scenarios (profile_id, name) WHERE deleted_at IS NULL;

CREATE TRIGGER scenarios_used_are_never_rewritten BEFORE UPDATE OF spec, split, group_name, name ON scenarios
WHEN OLD.first_used_at IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a scenario that was used in an evaluation is never rewritten'); END;
CREATE TRIGGER scenarios_used_are_never_deleted BEFORE DELETE ON scenarios
WHEN OLD.first_used_at IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a scenario that was used in an evaluation is kept'); END;

CREATE TABLE eval_runs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  profile_id INTEGER NOT NULL REFERENCES profiles (id),
  experiment_id INTEGER REFERENCES experiments (id),
  purpose TEXT NOT NULL CHECK (purpose IN ('train_baseline', 'screen', 'selection', 'veto', 'live_window', 'calibration')),
  state TEXT NOT NULL DEFAULT 'planned'
    CHECK (state IN ('planned', 'running', 'interrupted', 'finished', 'failed', 'cancelled')),
  plan TEXT NOT NULL CHECK (json_valid(plan)), -- EvalPlan, immutable, scenario snapshots included
  plan_sha256 TEXT NOT NULL,
  incumbent_sha256 TEXT NOT NULL,
  candidate_sha256 TEXT,
  proposer_model TEXT,
  judge_model TEXT,
  judge_run_id TEXT,
  evidence_fingerprint TEXT,
  fingerprint_detail TEXT CHECK (fingerprint_detail IS NULL OR json_valid(fingerprint_detail)),
  decision TEXT CHECK (decision IS NULL OR json_valid(decision)),
  estimate TEXT CHECK (estimate IS NULL OR json_valid(estimate)), -- what a trial was expected to take, and how many there may be
  failure TEXT,
  created_at INTEGER NOT NULL,
  started_at INTEGER,
  finished_at INTEGER
) STRICT;

CREATE INDEX eval_runs_by_experiment ON eval_runs (experiment_id, id);
CREATE INDEX eval_runs_by_incumbent ON eval_runs (profile_id, incumbent_sha256);
CREATE INDEX eval_runs_by_candidate ON eval_runs (profile_id, candidate_sha256);
CREATE INDEX eval_runs_by_purpose ON eval_runs (profile_id, purpose, state);
CREATE INDEX eval_runs_kept ON eval_runs (profile_id)
  WHERE state = 'finished' AND json_extract(decision, '$.verdict') = 'keep';
CREATE INDEX eval_runs_by_evidence ON eval_runs (profile_id, evidence_fingerprint);
-- The agent's model as the plan has it: what earlier trials cost under it.
CREATE INDEX eval_runs_by_agent ON eval_runs (profile_id, json_extract(plan, '$.agentModel.provider'),
  json_extract(plan, '$.agentModel.model'), json_extract(plan, '$.agentModel.base_url'));

CREATE TRIGGER eval_plans_are_immutable BEFORE UPDATE OF plan, plan_sha256 ON eval_runs
BEGIN SELECT RAISE(ABORT, 'the plan of an eval run is immutable'); END;

CREATE TABLE trials (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  eval_run_id INTEGER NOT NULL REFERENCES eval_runs (id),
  scenario_id INTEGER NOT NULL REFERENCES scenarios (id),
  arm TEXT NOT NULL CHECK (arm IN ('incumbent', 'candidate')),
  epoch INTEGER NOT NULL CHECK (epoch >= 1),
  attempt INTEGER NOT NULL DEFAULT 1 CHECK (attempt >= 1), -- of the pair: infra in either arm starts a new attempt
  slot INTEGER NOT NULL,
  position INTEGER NOT NULL CHECK (position IN (1, 2)),    -- which of the pair's two runs came first
  outcome TEXT NOT NULL CHECK (outcome IN ('pass', 'fail', 'infra')),
  infra_reason TEXT,
  checks TEXT NOT NULL CHECK (json_valid(checks)),
  tool_calls TEXT NOT NULL CHECK (json_valid(tool_calls)),
  response TEXT,
  judge_rationale TEXT,
  session_id TEXT,
  model TEXT,
  api_calls INTEGER,
  input_tokens INTEGER,
  output_tokens INTEGER,
  cached_input_tokens INTEGER,                             -- part of the input; null = not reported
  total_tokens INTEGER,
  cost_usd REAL,
  cost_source TEXT,
  duration_ms INTEGER NOT NULL,
  response_ids TEXT CHECK (response_ids IS NULL OR json_valid(response_ids)), -- as the provider gave them
  model_ms INTEGER,                            -- within calls of the model; null = not measured
  started_at INTEGER NOT NULL,
  finished_at INTEGER NOT NULL,
  UNIQUE (eval_run_id, scenario_id, epoch, arm, attempt),
  CHECK ((outcome = 'infra') = (infra_reason IS NOT NULL))
) STRICT;

CREATE INDEX trials_by_scenario ON trials (scenario_id);

CREATE TABLE experiment_scenario_results (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  experiment_id INTEGER NOT NULL REFERENCES experiments (id),
  eval_run_id INTEGER NOT NULL REFERENCES eval_runs (id),
  scenario_id INTEGER NOT NULL REFERENCES scenarios (id),
  arm TEXT NOT NULL CHECK (arm IN ('incumbent', 'candidate')),
  split TEXT NOT NULL CHECK (split IN ('train', 'holdout')),
  group_name TEXT NOT NULL,
  proposer_model TEXT,
  judge_model TEXT,
  judge_run_id TEXT,
  pass_fail TEXT CHECK (pass_fail IN ('pass', 'fail')),   -- all epochs passed, or not; null without complete pairs
  passes INTEGER NOT NULL,
  epochs INTEGER NOT NULL,                                 -- complete pairs that count
  infra INTEGER NOT NULL,
  judge_rationale TEXT,
  scenario_snapshot TEXT NOT NULL CHECK (json_valid(scenario_snapshot)),
  created_at INTEGER NOT NULL,
  UNIQUE (eval_run_id, scenario_id, arm)
) STRICT;

CREATE INDEX scenario_results_by_experiment ON experiment_scenario_results (experiment_id, eval_run_id);

CREATE TABLE experiment_snapshots (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  experiment_id INTEGER NOT NULL REFERENCES experiments (id),
  kind TEXT NOT NULL CHECK (kind IN ('prior', 'applied', 'person')),
  content BLOB NOT NULL,
  sha256 TEXT NOT NULL,
  mode INTEGER NOT NULL,
  plain_path TEXT,                             -- the same bytes as a plain file in the data directory
  created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX experiment_snapshots_by_experiment ON experiment_snapshots (experiment_id);

CREATE TABLE file_operations (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  experiment_id INTEGER NOT NULL REFERENCES experiments (id),
  kind TEXT NOT NULL CHECK (kind IN ('apply', 'revert', 'restore')),
  path TEXT NOT NULL,
  mode INTEGER NOT NULL,
  prior_sha256 TEXT NOT NULL,
  prior_content BLOB NOT NULL,
  new_sha256 TEXT NOT NULL,
  new_content BLOB NOT NULL,
  phase TEXT NOT NULL DEFAULT 'intent'
    CHECK (phase IN ('intent', 'done', 'cancelled', 'conflict')),
  transition TEXT NOT NULL CHECK (json_valid(transition)), -- the state change that goes with it
  git_phase TEXT NOT NULL DEFAULT 'pending' CHECK (git_phase IN ('pending', 'committed', 'skipped', 'failed')),
  git_commit_sha TEXT,
  git_reason TEXT,
  actor TEXT NOT NULL,
  reason TEXT NOT NULL,
  reconciled_at INTEGER,
  created_at INTEGER NOT NULL,
  finished_at INTEGER
) STRICT;

CREATE UNIQUE INDEX file_operations_one_open ON file_operations (path) WHERE phase = 'intent';
CREATE INDEX file_operations_by_experiment ON file_operations (experiment_id);
CREATE INDEX file_operations_uncommitted ON file_operations (finished_at) WHERE phase = 'done' AND git_phase = 'pending';
CREATE INDEX file_operations_reconciled ON file_operations (reconciled_at) WHERE reconciled_at IS NOT NULL;

CREATE TABLE spool_cursors (
  file TEXT PRIMARY KEY,
  inode INTEGER NOT NULL,
  offset INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE spool_events (
  event_id TEXT PRIMARY KEY,
  hook TEXT NOT NULL,
  profile_id INTEGER REFERENCES profiles (id),
  home TEXT NOT NULL,
  session_id TEXT NOT NULL,
  turn_id TEXT,
  is_first_turn INTEGER CHECK (is_first_turn IN (0, 1)),
  model TEXT,
  platform TEXT,
  write_origin TEXT,
  is_trial INTEGER NOT NULL DEFAULT 0 CHECK (is_trial IN (0, 1)),
  occurred_at INTEGER NOT NULL,
  ingested_at INTEGER NOT NULL
) STRICT;

-- Events are kept as long as a spool file that holds them might be read again.
CREATE INDEX spool_events_by_ingest ON spool_events (ingested_at);
CREATE INDEX spool_events_by_time ON spool_events (occurred_at);

CREATE TABLE spool_quarantine (
  id INTEGER PRIMARY KEY,
  file TEXT NOT NULL,
  offset INTEGER NOT NULL,
  line TEXT NOT NULL,
  reason TEXT NOT NULL,
  at INTEGER NOT NULL,
  UNIQUE (file, offset)
) STRICT;

CREATE TABLE session_tags (
  id INTEGER PRIMARY KEY,
  profile_id INTEGER NOT NULL REFERENCES profiles (id),
  session_id TEXT NOT NULL,
  parent_session_id TEXT,
  experiment_id INTEGER REFERENCES experiments (id),   -- the one that was live when the session started
  content_sha256 TEXT,                                 -- of the target as the session's stored prompt has it; null = unknown
  started_at INTEGER NOT NULL,
  start_seen INTEGER NOT NULL DEFAULT 0 CHECK (start_seen IN (0, 1)), -- its first turn was; else the host dates it
  started_turns INTEGER NOT NULL DEFAULT 0,
  completed_turns INTEGER NOT NULL DEFAULT 0,
  background_turns INTEGER NOT NULL DEFAULT 0,         -- the host's own review of the conversation
  platform TEXT,
  model TEXT,
  excluded_reason TEXT,                                -- background_review, trial, subagent, cron ...; null = counts
  unsettled INTEGER NOT NULL DEFAULT 1 CHECK (unsettled IN (0, 1)), -- what state.db says of it may still change
  last_turn_at INTEGER,                                -- when the newest turn began or ended; null = only background work
  updated_at INTEGER NOT NULL,
  UNIQUE (profile_id, session_id)
) STRICT;

CREATE INDEX session_tags_by_start ON session_tags (profile_id, started_at);
CREATE INDEX session_tags_by_turn ON session_tags (profile_id, last_turn_at);
CREATE INDEX session_tags_by_content ON session_tags (profile_id, content_sha256, started_at);
CREATE INDEX session_tags_unknown ON session_tags (profile_id, last_turn_at)
  WHERE content_sha256 IS NULL AND excluded_reason IS NULL;
CREATE INDEX session_tags_unsettled ON session_tags (profile_id, last_turn_at) WHERE unsettled = 1;

-- What the host's state.db says of a session; null = that host does not store it, or the session is not there.
CREATE TABLE session_usage (
  profile_id INTEGER NOT NULL REFERENCES profiles (id),
  session_id TEXT NOT NULL,
  found INTEGER NOT NULL CHECK (found IN (0, 1)),      -- 0 = state.db was read and has no such session
  source TEXT,
  continues TEXT CHECK (continues IN ('compression', 'branch')),
  end_reason TEXT,
  ended_at INTEGER,
  duration_ms INTEGER,
  api_calls INTEGER,
  input_tokens INTEGER,
  output_tokens INTEGER,
  cost_usd REAL,
  turns_unanswered INTEGER,
  tool_calls INTEGER,
  tool_errors INTEGER,
  read_at INTEGER NOT NULL,
  PRIMARY KEY (profile_id, session_id)
) STRICT, WITHOUT ROWID;

-- What agent.log said under a session's tag; its own table, so that the log may be read before the hook's event.
CREATE TABLE session_log_counts (
  profile_id INTEGER NOT NULL REFERENCES profiles (id),
  session_id TEXT NOT NULL,
  errors INTEGER NOT NULL DEFAULT 0,
  warnings INTEGER NOT NULL DEFAULT 0,
  retries INTEGER NOT NULL DEFAULT 0,
  failed_calls INTEGER NOT NULL DEFAULT 0,             -- of the model, each attempt
  interrupted_turns INTEGER NOT NULL DEFAULT 0,        -- stopped by the person
  interrupted_unanswered INTEGER NOT NULL DEFAULT 0,   -- of those, the ones without any text of the model
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (profile_id, session_id)
) STRICT, WITHOUT ROWID;

-- Days (UTC) whose figures something has changed since they were summed up: what a collection has to do. `revision`
-- grows with every change, so that one during the summing is not lost.
CREATE TABLE days_to_sum (
  profile_id INTEGER NOT NULL REFERENCES profiles (id),
  day INTEGER NOT NULL,                                -- its first millisecond
  revision INTEGER NOT NULL DEFAULT 1,
  PRIMARY KEY (profile_id, day)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER session_tags_new AFTER INSERT ON session_tags
BEGIN
  INSERT INTO days_to_sum (profile_id, day) VALUES (NEW.profile_id, NEW.started_at - NEW.started_at % 86400000)
  ON CONFLICT DO UPDATE SET revision = revision + 1;
END;
CREATE TRIGGER session_tags_changed AFTER UPDATE ON session_tags
WHEN (OLD.started_at, OLD.started_turns, OLD.completed_turns, OLD.background_turns, OLD.platform, OLD.excluded_reason)
  IS NOT (NEW.started_at, NEW.started_turns, NEW.completed_turns, NEW.background_turns, NEW.platform, NEW.excluded_reason)
BEGIN
  INSERT INTO days_to_sum (profile_id, day) VALUES (OLD.profile_id, OLD.started_at - OLD.started_at % 86400000)
  ON CONFLICT DO UPDATE SET revision = revision + 1;
  INSERT INTO days_to_sum (profile_id, day) VALUES (NEW.profile_id, NEW.started_at - NEW.started_at % 86400000)
  ON CONFLICT DO UPDATE SET revision = revision + 1;
END;
CREATE TRIGGER session_usage_new AFTER INSERT ON session_usage
BEGIN
  INSERT INTO days_to_sum (profile_id, day)
  SELECT profile_id, started_at - started_at % 86400000 FROM session_tags
  WHERE profile_id = NEW.profile_id AND session_id = NEW.session_id
  ON CONFLICT DO UPDATE SET revision = revision + 1;
END;
CREATE TRIGGER session_usage_changed AFTER UPDATE ON session_usage
WHEN (OLD.found, OLD.source, OLD.continues, OLD.end_reason, OLD.duration_ms, OLD.api_calls, OLD.input_tokens,
    OLD.output_tokens, OLD.cost_usd, OLD.turns_unanswered, OLD.tool_calls, OLD.tool_errors)
  IS NOT (NEW.found, NEW.source, NEW.continues, NEW.end_reason, NEW.duration_ms, NEW.api_calls, NEW.input_tokens,
    NEW.output_tokens, NEW.cost_usd, NEW.turns_unanswered, NEW.tool_calls, NEW.tool_errors)
BEGIN
  INSERT INTO days_to_sum (profile_id, day)
  SELECT profile_id, started_at - started_at % 86400000 FROM session_tags
  WHERE profile_id = NEW.profile_id AND session_id = NEW.session_id
  ON CONFLICT DO UPDATE SET revision = revision + 1;
END;
CREATE TRIGGER session_log_counts_new AFTER INSERT ON session_log_counts
BEGIN
  INSERT INTO days_to_sum (profile_id, day)
  SELECT profile_id, started_at - started_at % 86400000 FROM session_tags
  WHERE profile_id = NEW.profile_id AND session_id = NEW.session_id
  ON CONFLICT DO UPDATE SET revision = revision + 1;
END;
CREATE TRIGGER session_log_counts_changed AFTER UPDATE ON session_log_counts
BEGIN
  INSERT INTO days_to_sum (profile_id, day)
  SELECT profile_id, started_at - started_at % 86400000 FROM session_tags
  WHERE profile_id = NEW.profile_id AND session_id = NEW.session_id
  ON CONFLICT DO UPDATE SET revision = revision + 1;
END;

CREATE TABLE host_processes (
  pid INTEGER NOT NULL,
  home TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  build_id TEXT,
  plugin_version TEXT,
  host_version TEXT,
  argv TEXT,
  PRIMARY KEY (pid, home, started_at)
) STRICT;

CREATE INDEX host_processes_by_home ON host_processes (home, started_at);

CREATE TABLE metrics_snapshots (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  profile_id INTEGER NOT NULL REFERENCES profiles (id),
  profile TEXT NOT NULL,
  experiment_id INTEGER REFERENCES experiments (id),
  window_kind TEXT NOT NULL CHECK (window_kind IN ('before', 'live', 'after', 'collect')),
  window_started_at INTEGER NOT NULL,
  window_ended_at INTEGER NOT NULL,
  from_offset INTEGER,
  to_offset INTEGER,
  log_inode INTEGER,
  captured_at INTEGER NOT NULL,
  sessions_started INTEGER,
  sessions_completed INTEGER,
  turns_started INTEGER,
  turns_completed INTEGER,
  sessions_measured INTEGER,                   -- of the started ones, those that state.db has
  sessions_priced INTEGER,                     -- of the started ones, those with a known cost
  sessions_logged INTEGER,                     -- of the started ones, those that agent.log speaks of
  turns_failed INTEGER,
  turns_interrupted INTEGER,
  background_turns INTEGER,
  errors INTEGER,
  warnings INTEGER,
  retries INTEGER,
  failed_calls INTEGER,
  api_calls INTEGER,
  tool_calls INTEGER,
  tool_errors INTEGER,
  input_tokens INTEGER,
  output_tokens INTEGER,
  cost_usd REAL,
  duration_ms INTEGER,
  excluded TEXT CHECK (excluded IS NULL OR json_valid(excluded)),   -- sessions by the reason they don't count for
  surfaces TEXT CHECK (surfaces IS NULL OR json_valid(surfaces)),   -- sessions that count, by where they were held
  continued TEXT CHECK (continued IS NULL OR json_valid(continued)), -- by how they took over another session
  end_reasons TEXT CHECK (end_reasons IS NULL OR json_valid(end_reasons)),
  CHECK (window_ended_at >= window_started_at),
  CHECK (to_offset IS NULL OR from_offset IS NULL OR to_offset >= from_offset)
) STRICT;

CREATE UNIQUE INDEX metrics_one_row_per_window
  ON metrics_snapshots (profile_id, ifnull(experiment_id, 0), window_kind, window_started_at);
CREATE INDEX metrics_by_window ON metrics_snapshots (profile_id, window_kind, window_started_at);
CREATE INDEX metrics_by_experiment ON metrics_snapshots (experiment_id) WHERE experiment_id IS NOT NULL;
CREATE INDEX metrics_by_capture ON metrics_snapshots (profile_id, window_kind, captured_at);

CREATE TABLE collection_cursors (
  profile_id INTEGER NOT NULL REFERENCES profiles (id),
  stream TEXT NOT NULL,
  inode INTEGER NOT NULL,
  offset INTEGER NOT NULL,
  head_fingerprint TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (profile_id, stream, inode)
) STRICT;

-- An error budget and the evidence it was opened for. A person opens a further one; the first opens by itself.
CREATE TABLE evidence_epochs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  profile_id INTEGER NOT NULL REFERENCES profiles (id),
  number INTEGER NOT NULL CHECK (number >= 1),  -- of the profile, from 1
  alpha REAL NOT NULL CHECK (alpha > 0 AND alpha < 1), -- chance of any false keep in this epoch
  evidence TEXT NOT NULL CHECK (json_valid(evidence)), -- EvidenceFingerprint detail
  evidence_fingerprint TEXT NOT NULL,
  actor TEXT NOT NULL,
  reason TEXT NOT NULL,
  at INTEGER NOT NULL,
  UNIQUE (profile_id, number)
) STRICT;

CREATE TRIGGER evidence_epochs_are_never_deleted BEFORE DELETE ON evidence_epochs
BEGIN SELECT RAISE(ABORT, 'evidence_epochs is append-only'); END;
CREATE TRIGGER evidence_epochs_are_never_changed BEFORE UPDATE ON evidence_epochs
BEGIN SELECT RAISE(ABORT, 'evidence_epochs is append-only'); END;

CREATE TABLE error_budget_ledger (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  profile_id INTEGER NOT NULL REFERENCES profiles (id),
  epoch_id INTEGER NOT NULL REFERENCES evidence_epochs (id),
  evidence_fingerprint TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('improvement', 'deletion')),
  consultation INTEGER NOT NULL CHECK (consultation >= 1), -- a keep gives its number to the next one
  alpha REAL NOT NULL CHECK (alpha > 0 AND alpha < 1),
  experiment_id INTEGER REFERENCES experiments (id),
  eval_run_id INTEGER NOT NULL REFERENCES eval_runs (id),
  at INTEGER NOT NULL,
  UNIQUE (eval_run_id)
) STRICT;

CREATE TRIGGER error_budget_is_never_refunded BEFORE DELETE ON error_budget_ledger
BEGIN SELECT RAISE(ABORT, 'the error budget is append-only'); END;
CREATE TRIGGER error_budget_is_never_changed BEFORE UPDATE ON error_budget_ledger
BEGIN SELECT RAISE(ABORT, 'the error budget is append-only'); END;
CREATE TRIGGER error_budget_shares_are_spent_once BEFORE INSERT ON error_budget_ledger
WHEN EXISTS (
  SELECT 1 FROM error_budget_ledger l JOIN eval_runs r ON r.id = l.eval_run_id
  WHERE l.epoch_id = NEW.epoch_id AND l.kind = NEW.kind AND l.consultation >= NEW.consultation
    AND NOT (r.state = 'finished' AND ifnull(json_extract(r.decision, '$.verdict'), '') = 'keep'))
BEGIN SELECT RAISE(ABORT, 'this share of the error budget is spent'); END;
CREATE INDEX error_budget_by_epoch ON error_budget_ledger (epoch_id, kind, consultation);
CREATE INDEX error_budget_by_profile ON error_budget_ledger (profile_id);
CREATE INDEX error_budget_sums ON error_budget_ledger (profile_id, epoch_id, kind, consultation, alpha, eval_run_id);

CREATE TABLE holdout_consultations (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  profile_id INTEGER NOT NULL REFERENCES profiles (id),
  experiment_id INTEGER REFERENCES experiments (id),
  eval_run_id INTEGER REFERENCES eval_runs (id),
  kind TEXT NOT NULL CHECK (kind IN ('evaluation', 'disclosure', 'view')),
  actor TEXT NOT NULL,
  detail TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT;

CREATE TABLE jobs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  profile_id INTEGER NOT NULL REFERENCES profiles (id),
  experiment_id INTEGER REFERENCES experiments (id),
  kind TEXT NOT NULL CHECK (kind IN ('propose', 'evaluate', 'window', 'run', 'calibrate')),
  state TEXT NOT NULL DEFAULT 'queued'
    CHECK (state IN ('queued', 'running', 'waiting', 'finished', 'failed', 'cancelled')),
  payload TEXT NOT NULL CHECK (json_valid(payload)),
  progress TEXT CHECK (progress IS NULL OR json_valid(progress)),
  error TEXT CHECK (error IS NULL OR json_valid(error)),
  requested_by TEXT NOT NULL,
  fencing_token INTEGER NOT NULL DEFAULT 0,    -- grows with every lease; a write with an older token is refused
  lease_owner TEXT,
  lease_expires_at INTEGER,
  cancel_requested_at INTEGER,
  pause_requested_at INTEGER,                  -- of the run at work; cleared by the next lease
  created_at INTEGER NOT NULL,
  started_at INTEGER,
  finished_at INTEGER
) STRICT;

CREATE UNIQUE INDEX jobs_one_running ON jobs (profile_id) WHERE state = 'running';
CREATE UNIQUE INDEX jobs_one_open_per_experiment ON jobs (experiment_id, kind)
  WHERE state IN ('queued', 'running', 'waiting') AND experiment_id IS NOT NULL;
CREATE INDEX jobs_open ON jobs (profile_id) WHERE state IN ('queued', 'running', 'waiting');
CREATE INDEX jobs_by_profile ON jobs (profile_id);
CREATE INDEX jobs_by_experiment ON jobs (experiment_id, kind);

-- The incumbent against itself, and against texts meant to change nothing.
CREATE TABLE calibrations (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  profile_id INTEGER NOT NULL REFERENCES profiles (id),
  job_id INTEGER NOT NULL UNIQUE REFERENCES jobs (id),
  options TEXT NOT NULL CHECK (json_valid(options)),
  incumbent_content BLOB NOT NULL,
  incumbent_sha256 TEXT NOT NULL,
  placebos TEXT CHECK (placebos IS NULL OR json_valid(placebos)), -- null until they are written
  ledger_from INTEGER NOT NULL,                -- its costs are the profile's rows of cost_ledger above this, without an experiment
  report TEXT CHECK (report IS NULL OR json_valid(report)),       -- null until it has finished
  created_at INTEGER NOT NULL,
  finished_at INTEGER,
  CHECK ((report IS NULL) = (finished_at IS NULL))
) STRICT;

CREATE INDEX calibrations_by_profile ON calibrations (profile_id, id);

CREATE TABLE cost_ledger (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  profile_id INTEGER NOT NULL REFERENCES profiles (id),
  experiment_id INTEGER REFERENCES experiments (id),
  eval_run_id INTEGER REFERENCES eval_runs (id),
  purpose TEXT NOT NULL CHECK (purpose IN ('proposer', 'judge', 'trial')),
  model TEXT,
  state TEXT NOT NULL DEFAULT 'reserved' CHECK (state IN ('reserved', 'settled', 'released')),
  reserved_tokens INTEGER NOT NULL,
  reserved_usd REAL,
  settled_tokens INTEGER,
  settled_usd REAL,                            -- null = the price is unknown, never 0
  owner TEXT,                                  -- lease owner; reservations of the dead are released
  created_at INTEGER NOT NULL,
  settled_at INTEGER
) STRICT;

CREATE INDEX cost_ledger_by_experiment ON cost_ledger (profile_id, experiment_id);
CREATE INDEX cost_ledger_by_run ON cost_ledger (eval_run_id) WHERE eval_run_id IS NOT NULL;
CREATE INDEX cost_ledger_reserved ON cost_ledger (profile_id, owner) WHERE state = 'reserved';
CREATE INDEX cost_ledger_settled ON cost_ledger (profile_id, purpose) WHERE state = 'settled';
