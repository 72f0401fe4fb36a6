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
  /** Sessions that started up to then have been looked at for drift. */
  readonly watchedUntil: number;
  /** What sessions since then did otherwise than in the live window; null = nothing that was noticed. */
  readonly drift: unknown;
  readonly driftAt: number | null;
}

interface Stored extends Omit<Baseline, 'interval' | 'metrics' | 'drift'> {
  intervalLow: number | null;
  intervalHigh: number | null;
  metrics: string | null;
  drift: string | null;
}

const SELECT = `SELECT id, profile_id AS profileId, experiment_id AS experimentId, file, content_sha256 AS contentSha256,
  evidence_fingerprint AS evidenceFingerprint, evidence_expired_at AS evidenceExpiredAt, pass_rate AS passRate, effect, interval_low AS intervalLow,
  interval_high AS intervalHigh, groups, epochs, metrics, recorded_at AS recordedAt,
  watched_until AS watchedUntil, drift, drift_at AS driftAt FROM baselines`;

function fromStored({ intervalLow, intervalHigh, metrics, drift, ...row }: Stored): Baseline {
  return {
    ...row,
    interval: intervalLow === null || intervalHigh === null ? null : [intervalLow, intervalHigh],
    metrics: metrics === null ? null : (JSON.parse(metrics) as unknown),
    drift: drift === null ? null : (JSON.parse(drift) as unknown),
  };
}

type Later = 'evidenceExpiredAt' | 'watchedUntil' | 'drift' | 'driftAt';

export interface NewBaseline extends Omit<Baseline, 'id' | 'interval' | 'metrics' | Later> {
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
         interval_low, interval_high, groups, epochs, metrics, recorded_at, watched_until)
       VALUES (@profileId, @experimentId, @file, @contentSha256, @evidenceFingerprint, @passRate, @effect,
         @intervalLow, @intervalHigh, @groups, @epochs, @metrics, @recordedAt, @recordedAt)`,
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

/** The newest baseline of a text; null = it was never verified. */
export function newestBaseline(db: Db, of: { profileId: number; contentSha256: string }): Baseline | null {
  const row = db
    .prepare(
      `${SELECT} WHERE profile_id = @profileId AND content_sha256 = @contentSha256 ORDER BY recorded_at DESC, id DESC LIMIT 1`,
    )
    .get(of) as Stored | undefined;
  return row === undefined ? null : fromStored(row);
}

/** Notes that sessions were looked at, and what was noticed; a drift that was noticed earlier stays. */
export function recordWatch(db: Db, watch: { id: number; watchedUntil: number; drift: unknown; at: number }): void {
  db.prepare(
    `UPDATE baselines SET watched_until = @watchedUntil, drift = coalesce(@drift, drift),
       drift_at = CASE WHEN @drift IS NULL THEN drift_at ELSE coalesce(drift_at, @at) END
     WHERE id = @id AND watched_until < @watchedUntil`,
  ).run({ ...watch, drift: watch.drift === null ? null : JSON.stringify(watch.drift) });
}
