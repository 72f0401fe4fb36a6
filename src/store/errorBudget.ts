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

/** One consultation as it was paid for. */
export interface ErrorSpending {
  readonly epochId: number;
  readonly kind: BudgetKind;
  readonly consultation: number;
  readonly alpha: number;
  readonly experimentId: number | null;
  readonly at: number;
  /** The run ended so; what broke off or goes on did not. */
  readonly kept: boolean;
}

/** All consultations of a profile, oldest first. */
export function listErrorSpending(db: Db, profileId: number): ErrorSpending[] {
  return db
    .prepare<[number], Omit<ErrorSpending, 'kept'> & { kept: number }>(
      `SELECT l.epoch_id AS epochId, l.kind, l.consultation, l.alpha, l.experiment_id AS experimentId, l.at,
         r.state = 'finished' AND ifnull(json_extract(r.decision, '$.verdict'), '') = 'keep' AS kept
       FROM error_budget_ledger l JOIN eval_runs r ON r.id = l.eval_run_id
       WHERE l.profile_id = ? ORDER BY l.id`,
    )
    .all(profileId)
    .map((row) => ({ ...row, kept: row.kept === 1 }));
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
