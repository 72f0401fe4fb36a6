import type { Db } from './database.js';

/** Rewrites and insertions share one error; deletions have their own. */
export type BudgetKind = 'improvement' | 'deletion';

/** Share of the error budget that one consultation was given; never refunded. */
export interface NewErrorSpending {
  readonly profileId: number;
  readonly epochId: number;
  readonly evidenceFingerprint: string;
  readonly kind: BudgetKind;
  /** See `nextConsultation`; a keep gives its number to the next one. */
  readonly consultation: number;
  readonly alpha: number;
  readonly experimentId: number | null;
  readonly evalRunId: number;
  readonly at: number;
}

/** Call it in the transaction that starts the first holdout trial. */
export function recordErrorSpending(db: Db, spending: NewErrorSpending): void {
  db.prepare(
    `INSERT INTO error_budget_ledger (profile_id, epoch_id, evidence_fingerprint, kind, consultation, alpha,
       experiment_id, eval_run_id, at)
     VALUES (@profileId, @epochId, @evidenceFingerprint, @kind, @consultation, @alpha, @experimentId, @evalRunId, @at)`,
  ).run(spending);
}

/** What the consultations of one kind have taken from one epoch. */
export interface ErrorSums {
  readonly epochId: number;
  readonly kind: BudgetKind;
  readonly consultations: number;
  /** Alpha of those that did not end in a keep: what broke off or goes on did not. */
  readonly spent: number;
  /** The largest number among those; 0 without any. */
  readonly lastSpent: number;
}

/**
 * By epoch and kind. A profile may have thousands of consultations: they are summed up within one index, and what was
 * kept is taken off. `spent` is exact to the rounding of a sum.
 */
export function errorSums(db: Db, profileId: number): ErrorSums[] {
  // The condition on eval_runs is that of eval_runs_kept, word for word.
  return db
    .prepare<[{ profileId: number }], ErrorSums>(
      `WITH paid AS MATERIALIZED (
         SELECT epoch_id, kind, count(*) AS consultations, sum(alpha) AS alpha
         FROM error_budget_ledger INDEXED BY error_budget_sums WHERE profile_id = @profileId GROUP BY epoch_id, kind),
       kept AS MATERIALIZED (
         SELECT l.epoch_id, l.kind, l.consultation, l.alpha FROM eval_runs AS r
           JOIN error_budget_ledger AS l ON l.eval_run_id = r.id
         WHERE r.profile_id = @profileId AND r.state = 'finished' AND json_extract(r.decision, '$.verdict') = 'keep')
       SELECT epoch_id AS epochId, kind, consultations,
         max(0.0, alpha - coalesce((SELECT sum(k.alpha) FROM kept AS k
           WHERE k.epoch_id = paid.epoch_id AND k.kind = paid.kind), 0.0)) AS spent,
         coalesce((SELECT l.consultation FROM error_budget_ledger AS l JOIN eval_runs AS r ON r.id = l.eval_run_id
           WHERE l.epoch_id = paid.epoch_id AND l.kind = paid.kind
             AND NOT (r.state = 'finished' AND ifnull(json_extract(r.decision, '$.verdict'), '') = 'keep')
           ORDER BY l.consultation DESC LIMIT 1), 0) AS lastSpent
       FROM paid`,
    )
    .all({ profileId });
}

/** `EvidenceFingerprint` detail (JSON) of the last consultation; null before the first. */
export function lastSpentEvidence(db: Db, profileId: number): string | null {
  const row = db
    .prepare<[number], { evidence: string | null }>(
      `SELECT r.fingerprint_detail AS evidence FROM error_budget_ledger l JOIN eval_runs r ON r.id = l.eval_run_id
       WHERE l.profile_id = ? ORDER BY l.id DESC LIMIT 1`,
    )
    .get(profileId);
  return row?.evidence ?? null;
}
