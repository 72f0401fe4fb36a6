import type { Db } from './database.js';

/** Rewrites and insertions share one error; deletions have their own. */
export type BudgetKind = 'improvement' | 'deletion';

/** All consultations of one profile under one evidence fingerprint, of one kind. */
export interface BudgetFamily {
  readonly profileId: number;
  readonly evidenceFingerprint: string;
  readonly kind: BudgetKind;
}

/** Share of the error budget that one consultation was given; never refunded. */
export interface NewErrorSpending extends BudgetFamily {
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

/** A family's consultations, oldest first. Kept only when the run ended so: whatever broke off or goes on did not. */
export function listErrorSpending(db: Db, family: BudgetFamily): { kept: boolean; alpha: number }[] {
  return db
    .prepare<[BudgetFamily], { kept: number; alpha: number }>(
      `SELECT r.state = 'finished' AND COALESCE(json_extract(r.decision, '$.verdict') = 'keep', 0) AS kept, l.alpha
       FROM error_budget_ledger l JOIN eval_runs r ON r.id = l.eval_run_id
       WHERE l.profile_id = @profileId AND l.evidence_fingerprint = @evidenceFingerprint AND l.kind = @kind
       ORDER BY l.id`,
    )
    .all(family)
    .map(({ kept, alpha }) => ({ kept: kept === 1, alpha }));
}

/** Evidence epochs of a profile so far, the current one included once it was used. */
export function countEvidenceEpochs(db: Db, profileId: number): number {
  return db
    .prepare('SELECT COUNT(DISTINCT evidence_fingerprint) FROM error_budget_ledger WHERE profile_id = ?')
    .pluck()
    .get(profileId) as number;
}
