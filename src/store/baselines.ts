import type { Db } from './database.js';

/** A text that was verified, with the evidence it was verified on. */
export interface Baseline {
  readonly id: number;
  readonly profileId: number;
  readonly experimentId: number | null;
  readonly file: string;
  readonly contentSha256: string;
  readonly evidenceFingerprint: string | null;
  /** Since when model, suite or evaluator are others than at the verification; null while they are the same. */
  readonly evidenceExpiredAt: number | null;
  /** Of the applied text in the fresh trials, in [0, 1]. */
  readonly passRate: number | null;
  /** Fresh estimate of the live window, in [-1, 1]. */
  readonly effect: number | null;
  readonly interval: readonly [number, number] | null;
  readonly groups: number | null;
  readonly epochs: number | null;
  /** The live window's figures at the verification. */
  readonly metrics: unknown;
  readonly recordedAt: number;
}

interface Stored extends Omit<Baseline, 'interval' | 'metrics'> {
  intervalLow: number | null;
  intervalHigh: number | null;
  metrics: string | null;
}

const SELECT = `SELECT id, profile_id AS profileId, experiment_id AS experimentId, file, content_sha256 AS contentSha256,
  evidence_fingerprint AS evidenceFingerprint, evidence_expired_at AS evidenceExpiredAt, pass_rate AS passRate, effect, interval_low AS intervalLow,
  interval_high AS intervalHigh, groups, epochs, metrics, recorded_at AS recordedAt FROM baselines`;

function fromStored({ intervalLow, intervalHigh, metrics, ...row }: Stored): Baseline {
  return {
    ...row,
    interval: intervalLow === null || intervalHigh === null ? null : [intervalLow, intervalHigh],
    metrics: metrics === null ? null : (JSON.parse(metrics) as unknown),
  };
}

export interface NewBaseline extends Omit<Baseline, 'id' | 'interval' | 'metrics' | 'evidenceExpiredAt'> {
  readonly intervalLow: number | null;
  readonly intervalHigh: number | null;
  /** Any JSON document. */
  readonly metrics: unknown;
}

/** Returns the row's id. */
export function insertBaseline(db: Db, baseline: NewBaseline): number {
  const { lastInsertRowid } = db
    .prepare(
      `INSERT INTO baselines (profile_id, experiment_id, file, content_sha256, evidence_fingerprint, pass_rate, effect,
         interval_low, interval_high, groups, epochs, metrics, recorded_at)
       VALUES (@profileId, @experimentId, @file, @contentSha256, @evidenceFingerprint, @passRate, @effect,
         @intervalLow, @intervalHigh, @groups, @epochs, @metrics, @recordedAt)`,
    )
    .run({ ...baseline, metrics: baseline.metrics == null ? null : JSON.stringify(baseline.metrics) });
  return Number(lastInsertRowid);
}

/** Oldest first. */
export function baselinesOf(db: Db, profileId: number): Baseline[] {
  return (db.prepare(`${SELECT} WHERE profile_id = ? ORDER BY recorded_at, id`).all(profileId) as Stored[]).map(
    fromStored,
  );
}
