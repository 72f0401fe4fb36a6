import type { Actor } from '../domain/experiment.js';
import type { Db } from './database.js';

/** An error budget, and the evidence it was opened for. */
export interface EvidenceEpochRow {
  readonly id: number;
  /** Of the profile, from 1. */
  readonly number: number;
  /** Chance of any false keep in this epoch, in (0, 1). */
  readonly alpha: number;
  /** `EvidenceFingerprint` detail as JSON. */
  readonly evidence: string;
  readonly actor: Actor;
  readonly reason: string;
  readonly at: number;
}

/** Oldest first. */
export function listEpochs(db: Db, profileId: number): EvidenceEpochRow[] {
  return db
    .prepare<[number], EvidenceEpochRow>(
      'SELECT id, number, alpha, evidence, actor, reason, at FROM evidence_epochs WHERE profile_id = ? ORDER BY number',
    )
    .all(profileId);
}

export interface NewEpoch extends Omit<EvidenceEpochRow, 'id' | 'number'> {
  readonly profileId: number;
  readonly evidenceFingerprint: string;
}

/** Returns the new epoch's id; its number is the next one of the profile. Call it in a transaction. */
export function insertEpoch(db: Db, epoch: NewEpoch): number {
  return Number(
    db
      .prepare(
        `INSERT INTO evidence_epochs (profile_id, number, alpha, evidence, evidence_fingerprint, actor, reason, at)
         SELECT @profileId, 1 + count(*), @alpha, @evidence, @evidenceFingerprint, @actor, @reason, @at
         FROM evidence_epochs WHERE profile_id = @profileId`,
      )
      .run(epoch).lastInsertRowid,
  );
}

/**
 * Marks what rests on other evidence than today's, and takes the mark off what rests on it again. Without anything to
 * change it takes no write lock, so that looking never waits for a writer.
 */
export function markExpiredEvidence(db: Db, of: { profileId: number; fingerprint: string; at: number }): void {
  const rows = {
    experiments: `profile_id = @profileId AND state IN ('proposed', 'approved', 'live', 'verified')`,
    baselines: 'profile_id = @profileId',
  };
  // As the indexes have it, and a range on each side of today's rather than `<>`: most of the history is not looked at.
  const changes = [
    ['(evidence_expired_at IS NULL) = 1 AND evidence_fingerprint < @fingerprint', '@at'],
    ['(evidence_expired_at IS NULL) = 1 AND evidence_fingerprint > @fingerprint', '@at'],
    ['(evidence_expired_at IS NULL) = 0 AND evidence_fingerprint = @fingerprint', 'NULL'],
  ] as const;
  for (const [table, theirs] of Object.entries(rows)) {
    for (const [which, expiredAt] of changes) {
      const where = `${theirs} AND evidence_fingerprint IS NOT NULL AND ${which}`;
      if (db.prepare(`SELECT 1 FROM ${table} WHERE ${where} LIMIT 1`).get(of) === undefined) continue;
      db.prepare(`UPDATE ${table} SET evidence_expired_at = ${expiredAt} WHERE ${where}`).run(of);
    }
  }
}
