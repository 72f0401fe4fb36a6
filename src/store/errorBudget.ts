import type { Db } from './database.js';

/** Rewrites and insertions share one error; deletions have their own. */
export type BudgetKind = 'improvement' | 'deletion';

/** Share of the error budget that one consultation was given; never refunded. */
export interface NewErrorSpending {
  readonly profileId: number;
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
    `INSERT INTO error_budget_ledger (profile_id, evidence_fingerprint, kind, consultation, alpha, experiment_id,
       eval_run_id, at)
     VALUES (@profileId, @evidenceFingerprint, @kind, @consultation, @alpha, @experimentId, @evalRunId, @at)`,
  ).run(spending);
}

/** One consultation, and the evidence it rested on. */
export interface ErrorSpending {
  readonly kind: BudgetKind;
  /** The run ended so; what broke off or goes on did not. */
  readonly kept: boolean;
  /** `EvidenceFingerprint` detail of its run, as JSON. */
  readonly evidence: string;
}

/** All consultations of a profile, oldest first. */
export function listErrorSpending(db: Db, profileId: number): ErrorSpending[] {
  return db
    .prepare<[number], Omit<ErrorSpending, 'kept'> & { kept: number }>(
      `SELECT l.kind, r.fingerprint_detail AS evidence,
         r.state = 'finished' AND COALESCE(json_extract(r.decision, '$.verdict') = 'keep', 0) AS kept
       FROM error_budget_ledger l JOIN eval_runs r ON r.id = l.eval_run_id
       WHERE l.profile_id = ? ORDER BY l.id`,
    )
    .all(profileId)
    .map((row) => ({ ...row, kept: row.kept === 1 }));
}
