import type { Db } from './database.js';

/** One reservation of the ledger, settled with what it really cost. Tokens are counts, money is USD. */
export interface LedgerRow {
  readonly id: number;
  readonly profileId: number;
  readonly experimentId: number | null;
  readonly evalRunId: number | null;
  readonly purpose: LedgerPurpose;
  readonly model: string | null;
  readonly state: 'reserved' | 'settled' | 'released';
  readonly reservedTokens: number;
  readonly reservedUsd: number | null;
  readonly settledTokens: number | null;
  /** null = the price is unknown, never 0. */
  readonly settledUsd: number | null;
  readonly owner: string | null;
  readonly createdAt: number;
  readonly settledAt: number | null;
}

export type LedgerPurpose = 'proposer' | 'judge' | 'trial';

const COLUMNS = `id, profile_id AS profileId, experiment_id AS experimentId, eval_run_id AS evalRunId, purpose, model,
  state, reserved_tokens AS reservedTokens, reserved_usd AS reservedUsd, settled_tokens AS settledTokens,
  settled_usd AS settledUsd, owner, created_at AS createdAt, settled_at AS settledAt`;

export interface NewReservation {
  readonly profileId: number;
  readonly experimentId: number | null;
  readonly evalRunId: number | null;
  readonly purpose: LedgerPurpose;
  readonly model: string | null;
  readonly tokens: number;
  readonly usd: number | null;
  readonly owner: string;
  readonly at: number;
}

export function insertReservation(db: Db, row: NewReservation): number {
  return Number(
    db
      .prepare(
        `INSERT INTO cost_ledger (profile_id, experiment_id, eval_run_id, purpose, model, reserved_tokens, reserved_usd, owner, created_at)
         VALUES (@profileId, @experimentId, @evalRunId, @purpose, @model, @tokens, @usd, @owner, @at)`,
      )
      .run(row).lastInsertRowid,
  );
}

/** Returns false when it was settled or released before. */
export function settleReservation(
  db: Db,
  row: { id: number; tokens: number; usd: number | null; model: string | null; at: number },
): boolean {
  return (
    db
      .prepare(
        `UPDATE cost_ledger SET state = 'settled', settled_tokens = @tokens, settled_usd = @usd,
           model = coalesce(@model, model), settled_at = @at
         WHERE id = @id AND state = 'reserved'`,
      )
      .run(row).changes === 1
  );
}

export function releaseReservation(db: Db, row: { id: number; at: number }): boolean {
  return (
    db
      .prepare(`UPDATE cost_ledger SET state = 'released', settled_at = @at WHERE id = @id AND state = 'reserved'`)
      .run(row).changes === 1
  );
}

/** What an owner has set aside and not settled, oldest first. */
export function openReservations(db: Db, of: { profileId: number; owner: string }): LedgerRow[] {
  return db
    .prepare(
      `SELECT ${COLUMNS} FROM cost_ledger
       WHERE profile_id = @profileId AND owner = @owner AND state = 'reserved' ORDER BY id`,
    )
    .all(of) as LedgerRow[];
}

/** Sums of one experiment, or of the profile's last calibration for null: what is spent outside any experiment. */
export interface LedgerSums {
  readonly settledTokens: number;
  /** Known prices only. */
  readonly settledUsd: number;
  /** Settled rows whose price is unknown. */
  readonly unpriced: number;
  /** What those rows had reserved: a USD limit counts it, since the call was not free. */
  readonly unpricedUsd: number;
  readonly reservedTokens: number;
  readonly reservedUsd: number;
}

export function ledgerSums(db: Db, of: { profileId: number; experimentId: number | null }): LedgerSums {
  return db
    .prepare(
      `SELECT
         coalesce(sum(settled_tokens) FILTER (WHERE state = 'settled'), 0) AS settledTokens,
         coalesce(sum(settled_usd) FILTER (WHERE state = 'settled'), 0.0) AS settledUsd,
         count(*) FILTER (WHERE state = 'settled' AND settled_usd IS NULL) AS unpriced,
         coalesce(sum(reserved_usd) FILTER (WHERE state = 'settled' AND settled_usd IS NULL), 0.0) AS unpricedUsd,
         coalesce(sum(reserved_tokens) FILTER (WHERE state = 'reserved'), 0) AS reservedTokens,
         coalesce(sum(reserved_usd) FILTER (WHERE state = 'reserved'), 0.0) AS reservedUsd
       FROM cost_ledger WHERE profile_id = @profileId AND experiment_id IS @experimentId
         AND (@experimentId IS NOT NULL
              OR id > (SELECT coalesce(max(ledger_from), 0) FROM calibrations WHERE profile_id = @profileId))`,
    )
    .get(of) as LedgerSums;
}

/** The last settled calls of one purpose and model, newest first: what a reservation is estimated from. */
export function settledHistory(
  db: Db,
  of: { profileId: number; purpose: LedgerPurpose; model: string | null; limit: number },
): { tokens: number; usd: number | null }[] {
  return db
    .prepare(
      `SELECT settled_tokens AS tokens, settled_usd AS usd FROM cost_ledger
       WHERE profile_id = @profileId AND purpose = @purpose AND state = 'settled' AND settled_tokens > 0
         AND (@model IS NULL OR model = @model)
       ORDER BY id DESC LIMIT @limit`,
    )
    .all(of) as { tokens: number; usd: number | null }[];
}

export function listLedger(db: Db, of: { profileId: number; experimentId: number | null }): LedgerRow[] {
  return db
    .prepare(
      `SELECT ${COLUMNS} FROM cost_ledger WHERE profile_id = @profileId AND experiment_id IS @experimentId ORDER BY id`,
    )
    .all(of) as LedgerRow[];
}

/** The newest row of the whole ledger; 0 without any. */
export function lastLedgerId(db: Db): number {
  return db.prepare('SELECT coalesce(max(id), 0) FROM cost_ledger').pluck().get() as number;
}
