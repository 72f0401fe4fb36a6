import type { Db } from './database.js';
import { prepared } from './prepared.js';
import { TURNS_FAILED } from './sessionUsage.js';

export type WindowKind = 'before' | 'live' | 'after' | 'collect';

/** What happened in the sessions that started in a window. A figure without a source is null, never 0. */
export interface MetricsFigures {
  readonly sessionsStarted: number | null;
  readonly sessionsCompleted: number | null;
  /** Of the started sessions, those that state.db has: what comes from there speaks of these. */
  readonly sessionsMeasured: number | null;
  /** Of the started sessions, those whose cost is known. */
  readonly sessionsPriced: number | null;
  /** Of the started sessions, those that agent.log speaks of; `hermes -z` writes none. */
  readonly sessionsLogged: number | null;
  readonly turnsStarted: number | null;
  readonly turnsCompleted: number | null;
  /** Over, without an answer, and not stopped by a person. */
  readonly turnsFailed: number | null;
  readonly turnsInterrupted: number | null;
  /** The host's own reviews of conversations; no turns of anyone. */
  readonly backgroundTurns: number | null;
  readonly errors: number | null;
  readonly warnings: number | null;
  readonly retries: number | null;
  /** Calls of the model, each attempt. */
  readonly failedCalls: number | null;
  readonly apiCalls: number | null;
  readonly toolCalls: number | null;
  readonly toolErrors: number | null;
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  readonly costUsd: number | null;
  /** Summed over the sessions, from their start to their end or newest message. */
  readonly durationMs: number | null;
  /** Sessions that are reported apart, by reason. */
  readonly excluded: Readonly<Record<string, number>>;
  /** Sessions that count, by the surface they were held on: cli, telegram, ... */
  readonly surfaces: Readonly<Record<string, number>>;
  /** Sessions that count and took over another one's messages: compression, branch. */
  readonly continued: Readonly<Record<string, number>>;
  /** Sessions that count and have ended, by the host's reason. */
  readonly endReasons: Readonly<Record<string, number>>;
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

const GROUPS = ['excluded', 'surfaces', 'continued', 'endReasons'] as const;

type Stored = Omit<MetricsSnapshot, (typeof GROUPS)[number]> & Record<(typeof GROUPS)[number], string | null>;

const FIGURES = {
  sessionsStarted: 'sessions_started',
  sessionsCompleted: 'sessions_completed',
  sessionsMeasured: 'sessions_measured',
  sessionsPriced: 'sessions_priced',
  sessionsLogged: 'sessions_logged',
  turnsStarted: 'turns_started',
  turnsCompleted: 'turns_completed',
  turnsFailed: 'turns_failed',
  turnsInterrupted: 'turns_interrupted',
  backgroundTurns: 'background_turns',
  errors: 'errors',
  warnings: 'warnings',
  retries: 'retries',
  failedCalls: 'failed_calls',
  apiCalls: 'api_calls',
  toolCalls: 'tool_calls',
  toolErrors: 'tool_errors',
  inputTokens: 'input_tokens',
  outputTokens: 'output_tokens',
  costUsd: 'cost_usd',
  durationMs: 'duration_ms',
  excluded: 'excluded',
  surfaces: 'surfaces',
  continued: 'continued',
  endReasons: 'end_reasons',
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
  const group = (text: string | null) => (text === null ? {} : (JSON.parse(text) as Record<string, number>));
  const { excluded, surfaces, continued, endReasons } = row;
  return {
    ...row,
    excluded: group(excluded),
    surfaces: group(surfaces),
    continued: group(continued),
    endReasons: group(endReasons),
  };
}

export interface WindowKey {
  readonly profileId: number;
  readonly experimentId: number | null;
  readonly windowKind: WindowKind;
  readonly windowStartedAt: number;
}

export function findSnapshot(db: Db, key: WindowKey): MetricsSnapshot | null {
  const row = prepared(
    db,
    `${SELECT} WHERE profile_id = @profileId AND ifnull(experiment_id, 0) = ifnull(@experimentId, 0)
       AND window_kind = @windowKind AND window_started_at = @windowStartedAt`,
  ).get(key) as Stored | undefined;
  return row === undefined ? null : fromStored(row);
}

/** Writes the one row of a window, over the one that is there. */
export function saveSnapshot(db: Db, snapshot: Omit<MetricsSnapshot, 'id'>): void {
  const keys = Object.keys(COLUMNS) as (keyof typeof COLUMNS)[];
  const columns = keys.map((key) => COLUMNS[key]);
  prepared(
    db,
    `INSERT INTO metrics_snapshots (${columns.join(', ')}) VALUES (${keys.map((key) => `@${key}`).join(', ')})
     ON CONFLICT (profile_id, ifnull(experiment_id, 0), window_kind, window_started_at)
     DO UPDATE SET ${columns.map((column) => `${column} = excluded.${column}`).join(', ')}`,
  ).run({ ...snapshot, ...Object.fromEntries(GROUPS.map((group) => [group, JSON.stringify(snapshot[group])])) });
}

/** Newest window first. */
export function listSnapshots(
  db: Db,
  of: { profileId: number; windowKind?: WindowKind; since?: number; limit?: number },
): MetricsSnapshot[] {
  // Only what is asked for, so that a kind has its index.
  const kind = of.windowKind === undefined ? '' : 'AND window_kind = @windowKind';
  const rows = db
    .prepare(
      `${SELECT} WHERE profile_id = @profileId ${kind} AND window_started_at >= @since
       ORDER BY window_started_at DESC, id DESC LIMIT @limit`,
    )
    .all({ since: 0, limit: 100, ...of }) as Stored[];
  return rows.map(fromStored);
}

/** The windows of the newest applied experiments, newest experiment first. */
export function windowsByExperiment(
  db: Db,
  of: { profileId: number; since: number; limit: number },
): MetricsSnapshot[] {
  const rows = db
    .prepare(
      `${SELECT} WHERE experiment_id IN (
         SELECT id FROM experiments WHERE profile_id = @profileId AND applied_at >= @since
         ORDER BY applied_at DESC LIMIT @limit)
       ORDER BY experiment_id DESC, window_started_at`,
    )
    .all(of) as Stored[];
  return rows.map(fromStored);
}

/** When this profile's figures were last captured; null = never. */
export function lastCapturedAt(db: Db, profileId: number): number | null {
  return db
    .prepare(`SELECT max(captured_at) FROM metrics_snapshots WHERE profile_id = ? AND window_kind = 'collect'`)
    .pluck()
    .get(profileId) as number | null;
}

// ── Summing up ────────────────────────────────────────────────────────────

interface Span {
  readonly profileId: number;
  readonly from: number;
  readonly to: number;
}

const STARTED_IN = 't.profile_id = @profileId AND t.started_at >= @from AND t.started_at < @to';

const joined = (index: string) => `session_tags AS t ${index}
  LEFT JOIN session_usage AS u ON u.profile_id = t.profile_id AND u.session_id = t.session_id
  LEFT JOIN session_log_counts AS c ON c.profile_id = t.profile_id AND c.session_id = t.session_id
  WHERE ${STARTED_IN}`;
const JOINED = joined('');
/** In the order of the texts, so that a million sessions need not be sorted by it. */
const JOINED_BY_CONTENT = joined('INDEXED BY session_tags_by_content');

/** A sum of what is known; null when it is known of no session. */
const SUMS = `count(*) AS sessionsStarted, sum(t.completed_turns > 0) AS sessionsCompleted,
  sum(coalesce(u.found, 0)) AS sessionsMeasured, sum(u.cost_usd IS NOT NULL) AS sessionsPriced,
  sum(t.started_turns) AS turnsStarted, sum(t.completed_turns) AS turnsCompleted,
  sum(${TURNS_FAILED}) AS turnsFailed, sum(t.background_turns) AS backgroundTurns,
  sum(c.session_id IS NOT NULL) AS sessionsLogged, sum(c.interrupted_turns) AS turnsInterrupted,
  sum(c.errors) AS errors, sum(c.warnings) AS warnings, sum(c.retries) AS retries,
  sum(c.failed_calls) AS failedCalls, sum(u.api_calls) AS apiCalls, sum(u.tool_calls) AS toolCalls,
  sum(u.tool_errors) AS toolErrors, sum(u.input_tokens) AS inputTokens, sum(u.output_tokens) AS outputTokens,
  sum(u.cost_usd) AS costUsd, sum(u.duration_ms) AS durationMs`;

export type Sums = Omit<MetricsFigures, (typeof GROUPS)[number]>;

/** Over the sessions that count and started in [from, to). Without any session every figure is 0. */
export function sumSessions(db: Db, span: Span): Sums {
  const row = prepared(db, `SELECT ${SUMS} FROM ${JOINED} AND t.excluded_reason IS NULL`).get(span) as Sums;
  if (row.sessionsStarted !== 0) return row;
  return Object.fromEntries(Object.keys(row).map((key) => [key, 0])) as unknown as Sums;
}

/** The same by the text the sessions carried, newest text first; null = not known. A `from` of 0 is all there is. */
export function sumSessionsByContent(
  db: Db,
  span: Span,
): (Sums & { readonly contentSha256: string | null; readonly firstAt: number; readonly lastAt: number })[] {
  return db
    .prepare(
      `SELECT t.content_sha256 AS contentSha256, min(t.started_at) AS firstAt, max(t.started_at) AS lastAt, ${SUMS}
       FROM ${span.from > 0 ? JOINED : JOINED_BY_CONTENT} AND t.excluded_reason IS NULL GROUP BY t.content_sha256 ORDER BY max(t.started_at) DESC`,
    )
    .all(span) as (Sums & { contentSha256: string | null; firstAt: number; lastAt: number })[];
}

type Kinds = Readonly<Record<(typeof GROUPS)[number], string | null>> & { readonly sessions: number };

/** How many of the sessions that started in [from, to) there are of each kind; each is looked at once. */
export function groupSessions(db: Db, span: Span): Pick<MetricsFigures, (typeof GROUPS)[number]> {
  const rows = prepared(
    db,
    `SELECT t.excluded_reason AS excluded, coalesce(t.platform, u.source, 'unknown') AS surfaces,
       u.continues AS continued, u.end_reason AS endReasons, count(*) AS sessions
     FROM session_tags AS t
       LEFT JOIN session_usage AS u ON u.profile_id = t.profile_id AND u.session_id = t.session_id
     WHERE ${STARTED_IN} GROUP BY 1, 2, 3, 4`,
  ).all(span) as Kinds[];
  const counting = rows.filter(({ excluded }) => excluded === null);
  return {
    excluded: countBy(rows, 'excluded'),
    surfaces: countBy(counting, 'surfaces'),
    continued: countBy(counting, 'continued'),
    endReasons: countBy(counting, 'endReasons'),
  };
}

/** In the order of the names, so that the same figures are the same JSON. */
function countBy(rows: readonly Kinds[], group: (typeof GROUPS)[number]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const { [group]: kind, sessions } of rows) {
    if (kind !== null) counts.set(kind, (counts.get(kind) ?? 0) + sessions);
  }
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

// ── What is to be summed up ───────────────────────────────────────────────

/** A day (UTC) of which something has changed since it was summed up. */
export interface ChangedDay {
  /** Its first millisecond. */
  readonly day: number;
  /** Grows with every change. */
  readonly revision: number;
}

/** Oldest first. The triggers of the schema mark a day with every change of a session that started in it. */
export function changedDays(db: Db, profileId: number): ChangedDay[] {
  return db
    .prepare('SELECT day, revision FROM days_to_sum WHERE profile_id = ? ORDER BY day')
    .all(profileId) as ChangedDay[];
}

/** Takes the mark off a day, unless something has changed again since it was read. Goes with the sum in one transaction. */
export function dayIsSummed(db: Db, of: ChangedDay & { readonly profileId: number }): void {
  prepared(db, 'DELETE FROM days_to_sum WHERE profile_id = @profileId AND day = @day AND revision = @revision').run(of);
}

// ── What agent.log said, by session ───────────────────────────────────────

export interface LogCounts {
  readonly errors: number;
  readonly warnings: number;
  readonly retries: number;
  readonly failedCalls: number;
  readonly interruptedTurns: number;
  readonly interruptedUnanswered: number;
}

/** Adds what was newly read; goes with the cursor's move in one transaction. */
export function addLogCounts(
  db: Db,
  counts: LogCounts & { readonly profileId: number; readonly sessionId: string; readonly at: number },
): void {
  prepared(
    db,
    `INSERT INTO session_log_counts (profile_id, session_id, errors, warnings, retries, failed_calls, interrupted_turns,
       interrupted_unanswered, updated_at)
     VALUES (@profileId, @sessionId, @errors, @warnings, @retries, @failedCalls, @interruptedTurns,
       @interruptedUnanswered, @at)
     ON CONFLICT (profile_id, session_id) DO UPDATE SET errors = errors + @errors, warnings = warnings + @warnings,
       retries = retries + @retries, failed_calls = failed_calls + @failedCalls,
       interrupted_turns = interrupted_turns + @interruptedTurns,
       interrupted_unanswered = interrupted_unanswered + @interruptedUnanswered, updated_at = @at`,
  ).run(counts);
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
