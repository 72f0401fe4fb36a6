import type { Db } from './database.js';

export type WindowKind = 'before' | 'live' | 'after' | 'collect';

/** What happened in a window of session starts. A figure without a source is null, never 0. */
export interface MetricsFigures {
  readonly sessionsStarted: number | null;
  readonly sessionsCompleted: number | null;
  readonly turnsStarted: number | null;
  readonly turnsCompleted: number | null;
  readonly turnsFailed: number | null;
  readonly errors: number | null;
  readonly warnings: number | null;
  readonly retries: number | null;
  readonly apiCalls: number | null;
  readonly toolCalls: number | null;
  readonly toolErrors: number | null;
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  readonly costUsd: number | null;
  /** Sessions that are reported apart, by reason. */
  readonly excluded: Readonly<Record<string, number>>;
}

/** One row per profile, experiment, kind and start. Times in milliseconds since the epoch. */
export interface MetricsSnapshot extends MetricsFigures {
  readonly id: number;
  readonly profileId: number;
  readonly profile: string;
  readonly experimentId: number | null;
  readonly windowKind: WindowKind;
  readonly windowStartedAt: number;
  readonly windowEndedAt: number;
  /** Bytes of agent.log that were read for this snapshot; null = no log. */
  readonly fromOffset: number | null;
  readonly toOffset: number | null;
  readonly logInode: number | null;
  readonly capturedAt: number;
}

type Stored = Omit<MetricsSnapshot, 'excluded'> & { excluded: string | null };

const FIGURES = {
  sessionsStarted: 'sessions_started',
  sessionsCompleted: 'sessions_completed',
  turnsStarted: 'turns_started',
  turnsCompleted: 'turns_completed',
  turnsFailed: 'turns_failed',
  errors: 'errors',
  warnings: 'warnings',
  retries: 'retries',
  apiCalls: 'api_calls',
  toolCalls: 'tool_calls',
  toolErrors: 'tool_errors',
  inputTokens: 'input_tokens',
  outputTokens: 'output_tokens',
  costUsd: 'cost_usd',
  excluded: 'excluded',
} as const satisfies Record<keyof MetricsFigures, string>;

const COLUMNS = {
  profileId: 'profile_id',
  profile: 'profile',
  experimentId: 'experiment_id',
  windowKind: 'window_kind',
  windowStartedAt: 'window_started_at',
  windowEndedAt: 'window_ended_at',
  fromOffset: 'from_offset',
  toOffset: 'to_offset',
  logInode: 'log_inode',
  capturedAt: 'captured_at',
  ...FIGURES,
} as const;

const SELECT = `SELECT id, ${Object.entries(COLUMNS)
  .map(([key, column]) => `${column} AS ${key}`)
  .join(', ')} FROM metrics_snapshots`;

function fromStored(row: Stored): MetricsSnapshot {
  return { ...row, excluded: row.excluded === null ? {} : (JSON.parse(row.excluded) as Record<string, number>) };
}

export interface WindowKey {
  readonly profileId: number;
  readonly experimentId: number | null;
  readonly windowKind: WindowKind;
  readonly windowStartedAt: number;
}

export function findSnapshot(db: Db, key: WindowKey): MetricsSnapshot | null {
  const row = db
    .prepare(
      `${SELECT} WHERE profile_id = @profileId AND ifnull(experiment_id, 0) = ifnull(@experimentId, 0)
         AND window_kind = @windowKind AND window_started_at = @windowStartedAt`,
    )
    .get(key) as Stored | undefined;
  return row === undefined ? null : fromStored(row);
}

/** Writes the one row of a window, over the one that is there. */
export function saveSnapshot(db: Db, snapshot: Omit<MetricsSnapshot, 'id'>): void {
  const keys = Object.keys(COLUMNS) as (keyof typeof COLUMNS)[];
  const columns = keys.map((key) => COLUMNS[key]);
  db.prepare(
    `INSERT INTO metrics_snapshots (${columns.join(', ')}) VALUES (${keys.map((key) => `@${key}`).join(', ')})
     ON CONFLICT (profile_id, ifnull(experiment_id, 0), window_kind, window_started_at)
     DO UPDATE SET ${columns.map((column) => `${column} = excluded.${column}`).join(', ')}`,
  ).run({ ...snapshot, excluded: JSON.stringify(snapshot.excluded) });
}

/** Newest window first. */
export function listSnapshots(
  db: Db,
  of: { profileId: number; windowKind?: WindowKind; experimentId?: number; limit?: number },
): MetricsSnapshot[] {
  const rows = db
    .prepare(
      `${SELECT} WHERE profile_id = @profileId AND (@windowKind IS NULL OR window_kind = @windowKind)
         AND (@experimentId IS NULL OR experiment_id = @experimentId)
       ORDER BY window_started_at DESC, id DESC LIMIT @limit`,
    )
    .all({ windowKind: null, experimentId: null, limit: 100, ...of }) as Stored[];
  return rows.map(fromStored);
}

/** When this profile's figures were last captured; null = never. */
export function lastCapturedAt(db: Db, profileId: number): number | null {
  return db
    .prepare(`SELECT max(captured_at) FROM metrics_snapshots WHERE profile_id = ? AND window_kind = 'collect'`)
    .pluck()
    .get(profileId) as number | null;
}

// ── What agent.log said, by session ───────────────────────────────────────

export interface LogCounts {
  readonly errors: number;
  readonly warnings: number;
  readonly retries: number;
}

/** Adds what was newly read; goes with the cursor's move in one transaction. */
export function addLogCounts(
  db: Db,
  counts: LogCounts & { readonly profileId: number; readonly sessionId: string; readonly at: number },
): void {
  db.prepare(
    `INSERT INTO session_log_counts (profile_id, session_id, errors, warnings, retries, updated_at)
     VALUES (@profileId, @sessionId, @errors, @warnings, @retries, @at)
     ON CONFLICT (profile_id, session_id) DO UPDATE SET errors = errors + @errors, warnings = warnings + @warnings,
       retries = retries + @retries, updated_at = @at`,
  ).run(counts);
}

/** Summed over the sessions that count and started in [from, to). */
export function sumLogCounts(db: Db, of: { profileId: number; from: number; to: number }): LogCounts {
  return db
    .prepare(
      `SELECT coalesce(sum(c.errors), 0) AS errors, coalesce(sum(c.warnings), 0) AS warnings,
         coalesce(sum(c.retries), 0) AS retries
       FROM session_tags AS t JOIN session_log_counts AS c ON c.profile_id = t.profile_id AND c.session_id = t.session_id
       WHERE t.profile_id = @profileId AND t.started_at >= @from AND t.started_at < @to AND t.excluded_reason IS NULL`,
    )
    .get(of) as LogCounts;
}

// ── Cursors ───────────────────────────────────────────────────────────────

export interface LogCursor {
  readonly inode: number;
  /** Bytes that are counted. */
  readonly offset: number;
  /** Tells a file from another one that got its inode: `<bytes>:<sha256 of that many first bytes>`. */
  readonly headFingerprint: string;
}

/** All cursors of a stream: one per file that was read, rotated ones included. */
export function logCursors(db: Db, of: { profileId: number; stream: string }): LogCursor[] {
  return db
    .prepare(
      `SELECT inode, "offset", head_fingerprint AS headFingerprint FROM collection_cursors
       WHERE profile_id = @profileId AND stream = @stream`,
    )
    .all(of) as LogCursor[];
}

export function saveLogCursor(
  db: Db,
  cursor: LogCursor & { readonly profileId: number; readonly stream: string; readonly at: number },
): void {
  db.prepare(
    `INSERT INTO collection_cursors (profile_id, stream, inode, "offset", head_fingerprint, updated_at)
     VALUES (@profileId, @stream, @inode, @offset, @headFingerprint, @at)
     ON CONFLICT (profile_id, stream, inode)
     DO UPDATE SET "offset" = @offset, head_fingerprint = @headFingerprint, updated_at = @at`,
  ).run(cursor);
}

/** Forgets files that were rotated away. */
export function dropLogCursors(db: Db, of: { profileId: number; stream: string; keep: readonly number[] }): void {
  db.prepare(
    `DELETE FROM collection_cursors WHERE profile_id = @profileId AND stream = @stream
       AND inode NOT IN (SELECT value FROM json_each(@keep))`,
  ).run({ ...of, keep: JSON.stringify(of.keep) });
}
