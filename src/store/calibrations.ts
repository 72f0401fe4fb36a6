import type { Db } from './database.js';

/** A calibration of the suite as it was; JSON documents are kept as text, and whoever wrote them parses them. */
export interface CalibrationRow {
  readonly id: number;
  readonly profileId: number;
  readonly jobId: number;
  readonly options: string;
  readonly incumbentContent: Uint8Array;
  readonly incumbentSha256: string;
  /** Null until they are written. */
  readonly placebos: string | null;
  /** Null until it has finished. */
  readonly report: string | null;
  readonly createdAt: number;
  readonly finishedAt: number | null;
}

const SELECT = `SELECT id, profile_id AS profileId, job_id AS jobId, options, incumbent_content AS incumbentContent,
  incumbent_sha256 AS incumbentSha256, placebos, report, created_at AS createdAt, finished_at AS finishedAt
  FROM calibrations`;

export interface NewCalibration extends Pick<
  CalibrationRow,
  'profileId' | 'jobId' | 'incumbentContent' | 'incumbentSha256' | 'createdAt'
> {
  readonly options: unknown;
  /** Its costs are the ledger's rows above this. */
  readonly ledgerFrom: number;
}

/** Returns the row's id. */
export function insertCalibration(db: Db, row: NewCalibration): number {
  const { lastInsertRowid } = db
    .prepare(
      `INSERT INTO calibrations (profile_id, job_id, options, incumbent_content, incumbent_sha256, ledger_from, created_at)
       VALUES (@profileId, @jobId, @options, @incumbentContent, @incumbentSha256, @ledgerFrom, @createdAt)`,
    )
    .run({ ...row, options: JSON.stringify(row.options) });
  return Number(lastInsertRowid);
}

export function calibrationOfJob(db: Db, jobId: number): CalibrationRow | null {
  return (db.prepare(`${SELECT} WHERE job_id = ?`).get(jobId) as CalibrationRow | undefined) ?? null;
}

/** The newest one that has finished. */
export function lastCalibration(db: Db, profileId: number): CalibrationRow | null {
  const row = db
    .prepare(`${SELECT} WHERE profile_id = ? AND report IS NOT NULL ORDER BY finished_at DESC, id DESC LIMIT 1`)
    .get(profileId) as CalibrationRow | undefined;
  return row ?? null;
}

export function recordPlacebos(db: Db, id: number, placebos: unknown): void {
  db.prepare('UPDATE calibrations SET placebos = ? WHERE id = ?').run(JSON.stringify(placebos), id);
}

export function recordReport(db: Db, id: number, of: { report: unknown; at: number }): void {
  db.prepare('UPDATE calibrations SET report = ?, finished_at = ? WHERE id = ?').run(
    JSON.stringify(of.report),
    of.at,
    id,
  );
}
