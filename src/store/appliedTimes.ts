import type { Db } from './database.js';

/** When an experiment's text was in the file. Milliseconds since the epoch. */
export interface AppliedTimes {
  readonly experimentId: number;
  readonly appliedAt: number;
  readonly verifiedAt: number | null;
  readonly revertedAt: number | null;
}

/** The profile's newest applied experiments, newest apply first. */
export function appliedTimes(db: Db, of: { profileId: number; limit: number }): AppliedTimes[] {
  return db
    .prepare(
      `SELECT id AS experimentId, applied_at AS appliedAt, verified_at AS verifiedAt, reverted_at AS revertedAt
       FROM experiments WHERE profile_id = @profileId AND applied_at IS NOT NULL ORDER BY applied_at DESC LIMIT @limit`,
    )
    .all(of) as AppliedTimes[];
}
