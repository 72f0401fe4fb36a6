import { KarpathyError } from '../errors.js';
import type { Db } from './database.js';

export const JOB_KINDS = ['propose', 'evaluate', 'window', 'run', 'calibrate'] as const;
export type JobKind = (typeof JOB_KINDS)[number];
export type JobState = 'queued' | 'running' | 'waiting' | 'finished' | 'failed' | 'cancelled';

/** A row of long work. `payload`, `progress` and `error` are parsed JSON documents. */
export interface JobRow {
  readonly id: number;
  readonly profileId: number;
  readonly experimentId: number | null;
  readonly kind: JobKind;
  readonly state: JobState;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly progress: Readonly<Record<string, unknown>> | null;
  readonly error: { readonly code: string; readonly message: string; readonly hint?: string } | null;
  readonly requestedBy: string;
  readonly fencingToken: number;
  readonly leaseOwner: string | null;
  readonly leaseExpiresAt: number | null;
  readonly cancelRequestedAt: number | null;
  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
}

/** What a lease holder must show for every write of its job. */
export interface Lease {
  readonly jobId: number;
  readonly token: number;
}

type RawJob = Omit<JobRow, 'payload' | 'progress' | 'error'> & {
  payload: string;
  progress: string | null;
  error: string | null;
};

const SELECT = `SELECT id, profile_id AS profileId, experiment_id AS experimentId, kind, state, payload, progress, error,
  requested_by AS requestedBy, fencing_token AS fencingToken, lease_owner AS leaseOwner,
  lease_expires_at AS leaseExpiresAt, cancel_requested_at AS cancelRequestedAt, created_at AS createdAt,
  started_at AS startedAt, finished_at AS finishedAt FROM jobs`;

function toRow(raw: RawJob): JobRow {
  return {
    ...raw,
    payload: JSON.parse(raw.payload) as JobRow['payload'],
    progress: raw.progress === null ? null : (JSON.parse(raw.progress) as NonNullable<JobRow['progress']>),
    error: raw.error === null ? null : (JSON.parse(raw.error) as NonNullable<JobRow['error']>),
  };
}

/** Together with a narrower condition it lets the index of the open jobs be used, which is small. */
const OPEN = `('queued', 'running', 'waiting')`;

export interface NewJob {
  readonly profileId: number;
  readonly experimentId: number | null;
  readonly kind: JobKind;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly requestedBy: string;
  readonly at: number;
}

export function insertJob(db: Db, job: NewJob): number {
  return Number(
    db
      .prepare(
        `INSERT INTO jobs (profile_id, experiment_id, kind, payload, requested_by, created_at)
         VALUES (@profileId, @experimentId, @kind, @payload, @requestedBy, @at)`,
      )
      .run({ ...job, payload: JSON.stringify(job.payload) }).lastInsertRowid,
  );
}

export function findJob(db: Db, id: number): JobRow | null {
  const raw = db.prepare(`${SELECT} WHERE id = ?`).get(id) as RawJob | undefined;
  return raw === undefined ? null : toRow(raw);
}

/** @throws KarpathyError `bad_usage` when there is no such job */
export function getJob(db: Db, id: number): JobRow {
  const job = findJob(db, id);
  if (job === null) {
    throw new KarpathyError('bad_usage', `There is no job ${id}.`, { hint: '`hermes karpathy jobs` lists them.' });
  }
  return job;
}

/** Newest first; `open` leaves out what has ended. */
export function listJobs(db: Db, of: { profileId: number; open?: boolean; limit?: number }): JobRow[] {
  const raws = db
    .prepare(
      `${SELECT} WHERE profile_id = ? ${of.open === true ? `AND state IN ${OPEN}` : ''} ORDER BY id DESC LIMIT ?`,
    )
    .all(of.profileId, of.limit ?? 50) as RawJob[];
  return raws.map(toRow);
}

/** The open job of an experiment and kind; for an experiment of null, of the profile and kind. */
export function findOpenJob(
  db: Db,
  of: { profileId: number; experimentId: number | null; kind: JobKind },
): JobRow | null {
  const raw = db
    .prepare(
      `${SELECT} WHERE profile_id = @profileId AND kind = @kind AND state IN ${OPEN}
         AND (@experimentId IS NULL OR experiment_id = @experimentId) ORDER BY id LIMIT 1`,
    )
    .get(of) as RawJob | undefined;
  return raw === undefined ? null : toRow(raw);
}

export function runningJob(db: Db, profileId: number): JobRow | null {
  const raw = db.prepare(`${SELECT} WHERE profile_id = ? AND state = 'running'`).get(profileId) as RawJob | undefined;
  return raw === undefined ? null : toRow(raw);
}

/** The jobs of all profiles that an executor holds at this moment. */
export function heldJobs(
  db: Db,
  now: number,
): { readonly id: number; readonly kind: JobKind; readonly profile: string }[] {
  return db
    .prepare(
      `SELECT j.id, j.kind, p.name AS profile FROM jobs AS j JOIN profiles AS p ON p.id = j.profile_id
       WHERE j.state = 'running' AND j.lease_expires_at > ? ORDER BY j.id`,
    )
    .all(now) as { id: number; kind: JobKind; profile: string }[];
}

/** The oldest job that any executor may take: waiting ones need a person to ask again. */
export function nextQueuedJob(db: Db, of: { profileId: number; kinds?: readonly JobKind[] }): JobRow | null {
  const kinds = JSON.stringify(of.kinds ?? JOB_KINDS);
  const raw = db
    .prepare(
      `${SELECT} WHERE profile_id = ? AND state IN ${OPEN} AND state = 'queued'
         AND kind IN (SELECT value FROM json_each(?)) ORDER BY id LIMIT 1`,
    )
    .get(of.profileId, kinds) as RawJob | undefined;
  return raw === undefined ? null : toRow(raw);
}

/**
 * Puts back the profile's running job if its lease has run out; its token grows, so that the old holder's writes
 * are refused from here on. One that was told to stop ends when its lease would run out by `silentIfBefore`. Returns
 * the holder that lost it.
 */
export function requeueExpired(
  db: Db,
  of: { profileId: number; now: number; silentIfBefore: number },
): { owner: string | null } | null {
  const row = db
    .prepare(
      `UPDATE jobs SET fencing_token = fencing_token + 1, lease_expires_at = NULL, finished_at =
           CASE WHEN cancel_requested_at IS NULL THEN NULL ELSE @now END,
         state = CASE WHEN cancel_requested_at IS NOT NULL THEN 'cancelled'
           WHEN pause_requested_at IS NOT NULL THEN 'waiting' ELSE 'queued' END
       WHERE profile_id = @profileId AND state = 'running' AND coalesce(lease_expires_at, 0) <=
         CASE WHEN cancel_requested_at IS NULL THEN @now ELSE @silentIfBefore END
       RETURNING lease_owner AS owner`,
    )
    .get(of) as { owner: string | null } | undefined;
  return row ?? null;
}

/** Takes a queued or waiting job; null when it is neither, or another one of the profile runs. */
export function takeLease(db: Db, job: { id: number; owner: string; now: number; expiresAt: number }): Lease | null {
  const row = db
    .prepare(
      `UPDATE jobs SET state = 'running', fencing_token = fencing_token + 1, lease_owner = @owner,
         lease_expires_at = @expiresAt, started_at = coalesce(started_at, @now), error = NULL,
         pause_requested_at = NULL
       WHERE id = @id AND state IN ('queued', 'waiting')
         AND NOT EXISTS (SELECT 1 FROM jobs AS other WHERE other.profile_id = jobs.profile_id AND other.state = 'running')
       RETURNING id AS jobId, fencing_token AS token`,
    )
    .get(job) as Lease | undefined;
  return row ?? null;
}

const HELD = `id = @jobId AND fencing_token = @token AND state = 'running'`;

export function holdsLease(db: Db, lease: Lease): boolean {
  return db.prepare(`SELECT 1 FROM jobs WHERE ${HELD}`).get(lease) !== undefined;
}

/** @throws KarpathyError `busy` when the lease was taken over */
function mustHold(changes: number, lease: Lease): void {
  if (changes === 1) return;
  throw new KarpathyError('busy', `Job ${lease.jobId} was taken over by another process; this one stops.`, {
    hint: '`hermes karpathy jobs` shows who runs it.',
  });
}

/** `cancelled`, `paused` = a person asked the job to stop, for good or for now; `lost` = another process has it. */
export type LeaseState = 'held' | 'cancelled' | 'paused' | 'lost';

export function leaseState(db: Db, lease: Lease): LeaseState {
  const row = db
    .prepare(`SELECT cancel_requested_at AS cancel, pause_requested_at AS pause FROM jobs WHERE ${HELD}`)
    .get(lease) as { cancel: number | null; pause: number | null } | undefined;
  if (row === undefined) return 'lost';
  if (row.cancel !== null) return 'cancelled';
  return row.pause === null ? 'held' : 'paused';
}

/** Extends the lease, if it is still held. */
export function renewLease(db: Db, lease: Lease & { expiresAt: number }): void {
  db.prepare(`UPDATE jobs SET lease_expires_at = @expiresAt WHERE ${HELD}`).run(lease);
}

/** Asks the profile's running job to stop for now; returns its id. */
export function requestPause(db: Db, of: { profileId: number; at: number }): number | null {
  const id = db
    .prepare(
      `UPDATE jobs SET pause_requested_at = @at WHERE profile_id = @profileId AND state = 'running' RETURNING id`,
    )
    .pluck()
    .get(of) as number | undefined;
  return id ?? null;
}

/** Puts the jobs that a pause or an outage stopped back into the queue. Returns their ids. */
export function requeueStopped(db: Db, profileId: number): number[] {
  return db
    .prepare(
      `UPDATE jobs SET state = 'queued', error = NULL, pause_requested_at = NULL
       WHERE profile_id = ? AND state IN ${OPEN} AND state = 'waiting'
         AND (pause_requested_at IS NOT NULL OR json_extract(error, '$.code') IN ('paused', 'outage')) RETURNING id`,
    )
    .pluck()
    .all(profileId) as number[];
}

/** @throws KarpathyError `busy` when the lease was taken over */
export function writeProgress(db: Db, lease: Lease & { progress: Readonly<Record<string, unknown>> }): void {
  const { jobId, token } = lease;
  const progress = JSON.stringify(lease.progress);
  mustHold(
    db.prepare(`UPDATE jobs SET progress = @progress WHERE ${HELD}`).run({ jobId, token, progress }).changes,
    lease,
  );
}

/** The experiment that a `run` job works on, so that whoever resumes it goes on with that one. */
export function writeJobExperiment(db: Db, lease: Lease & { experimentId: number | null }): void {
  mustHold(db.prepare(`UPDATE jobs SET experiment_id = @experimentId WHERE ${HELD}`).run(lease).changes, lease);
}

/**
 * Ends the lease: `finished`, `failed` and `cancelled` for good, `queued` for any executor to go on, `waiting` until
 * a person asks again. The owner's name is kept for the reservations it may have left.
 * @throws KarpathyError `busy` when the lease was taken over
 */
export function endLease(
  db: Db,
  lease: Lease & {
    state: Exclude<JobState, 'running'>;
    error: { code: string; message: string; hint?: string } | null;
    at: number;
  },
): void {
  const final = lease.state !== 'queued' && lease.state !== 'waiting';
  const changes = db
    .prepare(
      `UPDATE jobs SET state = @state, error = @error, lease_expires_at = NULL, finished_at = @finishedAt
       WHERE ${HELD}`,
    )
    .run({
      jobId: lease.jobId,
      token: lease.token,
      state: lease.state,
      error: lease.error === null ? null : JSON.stringify(lease.error),
      finishedAt: final ? lease.at : null,
    }).changes;
  mustHold(changes, lease);
}

/**
 * A job that no one runs ends at once, a running one is asked to stop. One whose lease would run out by
 * `silentIfBefore` is taken for dead and ends at once, too: should its executor live, its next write is refused.
 * Returns the job as it is then, null when it had ended before.
 */
export function requestCancel(db: Db, job: { id: number; at: number; silentIfBefore: number }): JobRow | null {
  const changed = db
    .prepare(
      `UPDATE jobs SET cancel_requested_at = coalesce(cancel_requested_at, @at),
         finished_at = CASE WHEN runs THEN finished_at ELSE @at END,
         lease_expires_at = CASE WHEN runs THEN lease_expires_at ELSE NULL END,
         state = CASE WHEN runs THEN state ELSE 'cancelled' END
       FROM (SELECT id AS jobId, state = 'running' AND coalesce(lease_expires_at, 0) > @silentIfBefore AS runs FROM jobs)
       WHERE id = @id AND jobId = @id AND state IN ${OPEN}`,
    )
    .run(job).changes;
  return changed === 1 ? getJob(db, job.id) : null;
}

/** The open jobs of an experiment. */
export function openJobsOf(db: Db, experimentId: number): number[] {
  return db
    .prepare(`SELECT id FROM jobs WHERE experiment_id = ? AND state IN ${OPEN}`)
    .pluck()
    .all(experimentId) as number[];
}

/** Jobs of an experiment and kind that have ended, newest first. */
export function endedJobs(db: Db, of: { experimentId: number; kind: JobKind; limit: number }): JobRow[] {
  const raws = db
    .prepare(
      `${SELECT} WHERE experiment_id = @experimentId AND kind = @kind AND finished_at IS NOT NULL
       ORDER BY id DESC LIMIT @limit`,
    )
    .all(of) as RawJob[];
  return raws.map(toRow);
}
