import type { EvalPurpose } from '../domain/experiment.js';
import type { Db } from './database.js';

export const EVAL_RUN_STATES = ['planned', 'running', 'interrupted', 'finished', 'failed', 'cancelled'] as const;
export type EvalRunState = (typeof EVAL_RUN_STATES)[number];

/** One run of a plan. JSON documents are kept as text; whoever wrote them parses them. */
export interface EvalRunRow {
  readonly id: number;
  readonly profileId: number;
  readonly experimentId: number | null;
  readonly purpose: EvalPurpose;
  readonly state: EvalRunState;
  readonly plan: string;
  readonly planSha256: string;
  readonly incumbentSha256: string;
  readonly candidateSha256: string | null;
  readonly proposerModel: string | null;
  readonly judgeModel: string | null;
  /** Set once the judge has failed what it had to fail. */
  readonly judgeRunId: string | null;
  readonly evidenceFingerprint: string | null;
  readonly fingerprintDetail: string | null;
  readonly decision: string | null;
  readonly estimate: string | null;
  readonly failure: string | null;
  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
}

export interface NewEvalRun {
  readonly profileId: number;
  readonly experimentId: number | null;
  readonly purpose: EvalPurpose;
  readonly plan: string;
  readonly planSha256: string;
  readonly incumbentSha256: string;
  readonly candidateSha256: string | null;
  readonly proposerModel: string | null;
  readonly judgeModel: string | null;
  readonly evidenceFingerprint: string | null;
  readonly fingerprintDetail: string | null;
  readonly estimate: string | null;
  readonly at: number;
}

const COLUMNS = `id, profile_id AS profileId, experiment_id AS experimentId, purpose, state, plan,
  plan_sha256 AS planSha256, incumbent_sha256 AS incumbentSha256, candidate_sha256 AS candidateSha256,
  proposer_model AS proposerModel, judge_model AS judgeModel, judge_run_id AS judgeRunId,
  evidence_fingerprint AS evidenceFingerprint, fingerprint_detail AS fingerprintDetail, decision,
  estimate, failure, created_at AS createdAt,
  started_at AS startedAt, finished_at AS finishedAt`;

export function insertEvalRun(db: Db, run: NewEvalRun): number {
  return Number(
    db
      .prepare(
        `INSERT INTO eval_runs (profile_id, experiment_id, purpose, plan, plan_sha256, incumbent_sha256,
           candidate_sha256, proposer_model, judge_model, evidence_fingerprint, fingerprint_detail, estimate,
           created_at)
         VALUES (@profileId, @experimentId, @purpose, @plan, @planSha256, @incumbentSha256, @candidateSha256,
           @proposerModel, @judgeModel, @evidenceFingerprint, @fingerprintDetail, @estimate, @at)`,
      )
      .run(run).lastInsertRowid,
  );
}

export function findEvalRun(db: Db, id: number): EvalRunRow | null {
  return db.prepare<[number], EvalRunRow>(`SELECT ${COLUMNS} FROM eval_runs WHERE id = ?`).get(id) ?? null;
}

export function getEvalRun(db: Db, id: number): EvalRunRow {
  const row = findEvalRun(db, id);
  if (row === null) throw new RangeError(`there is no eval run ${id}`);
  return row;
}

export interface EvalRunFilter {
  readonly profileId: number;
  readonly purpose?: EvalPurpose;
  readonly experimentId?: number;
  readonly incumbentSha256?: string;
  readonly states: readonly EvalRunState[];
}

/** Newest first, with their plans: a filter without experiment or text should leave few. */
export function listEvalRuns(db: Db, filter: EvalRunFilter): EvalRunRow[] {
  const { states, ...values } = filter;
  // Only what is asked for, so that each has its index.
  const conditions = Object.entries(values).flatMap(([key, value]) =>
    value === undefined ? [] : [`${FILTERED_BY[key as keyof typeof values]} = @${key}`],
  );
  return db
    .prepare<unknown[], EvalRunRow>(
      `SELECT ${COLUMNS} FROM eval_runs
       WHERE ${conditions.join(' AND ')} AND state IN (SELECT value FROM json_each(@states)) ORDER BY id DESC`,
    )
    .all({ ...values, states: JSON.stringify(states) });
}

const FILTERED_BY = {
  profileId: 'profile_id',
  purpose: 'purpose',
  experimentId: 'experiment_id',
  incumbentSha256: 'incumbent_sha256',
} as const satisfies Record<keyof Omit<EvalRunFilter, 'states'>, string>;

/** What evidence with this fingerprint rested on, as JSON; null when no run has it. */
export function fingerprintDetail(db: Db, of: { profileId: number; sha256: string }): string | null {
  const row = db
    .prepare<unknown[], { detail: string | null }>(
      `SELECT fingerprint_detail AS detail FROM eval_runs
       WHERE profile_id = @profileId AND evidence_fingerprint = @sha256 ORDER BY id DESC LIMIT 1`,
    )
    .get(of);
  return row?.detail ?? null;
}

/** Before each stretch of work; a run that was interrupted goes on. */
export function markRunning(db: Db, id: number, at: number): void {
  db.prepare(
    `UPDATE eval_runs SET state = 'running', started_at = COALESCE(started_at, ?), failure = NULL
     WHERE id = ? AND state IN ('planned', 'running', 'interrupted')`,
  ).run(at, id);
}

export function recordJudge(db: Db, id: number, judge: { judgeRunId: string; judgeModel: string }): void {
  db.prepare('UPDATE eval_runs SET judge_run_id = ?, judge_model = ? WHERE id = ?').run(
    judge.judgeRunId,
    judge.judgeModel,
    id,
  );
}

/** Which runner ran the trials last, and why not another; a note beside the fingerprint, not a part of it. */
export function recordRunner(db: Db, id: number, runner: { name: string; fellBack: string | null }): void {
  db.prepare(
    `UPDATE eval_runs SET fingerprint_detail = json_set(COALESCE(fingerprint_detail, '{}'), '$.runner', json(?))
     WHERE id = ?`,
  ).run(JSON.stringify(runner), id);
}

/** `interrupted` runs go on from their finished pairs; the others are over. */
export function endEvalRun(
  db: Db,
  id: number,
  end: { state: 'interrupted' | 'finished' | 'failed' | 'cancelled'; at: number; decision?: unknown; failure?: string },
): void {
  db.prepare(
    `UPDATE eval_runs SET state = @state, decision = @decision, failure = @failure, finished_at = @finishedAt
     WHERE id = @id AND state IN ('planned', 'running', 'interrupted')`,
  ).run({
    id,
    state: end.state,
    decision: end.decision === undefined ? null : JSON.stringify(end.decision),
    failure: end.failure ?? null,
    finishedAt: end.state === 'interrupted' ? null : end.at,
  });
}
