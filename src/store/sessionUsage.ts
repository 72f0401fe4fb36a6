import type { SessionUsage } from '../domain/sessionUsage.js';
import type { Db } from './database.js';
import { prepared } from './prepared.js';

type Owned<T> = T & { readonly profileId: number; readonly at: number };

export function saveSessionUsage(db: Db, usage: Owned<SessionUsage>): void {
  prepared(
    db,
    `INSERT INTO session_usage (profile_id, session_id, found, source, continues, end_reason, ended_at,
       duration_ms, api_calls, input_tokens, output_tokens, cost_usd, turns_unanswered, tool_calls, tool_errors, read_at)
     VALUES (@profileId, @sessionId, 1, @source, @continues, @endReason, @endedAt, @durationMs, @apiCalls, @inputTokens,
       @outputTokens, @costUsd, @turnsUnanswered, @toolCalls, @toolErrors, @at)
     ON CONFLICT (profile_id, session_id) DO UPDATE SET found = 1, source = excluded.source,
       continues = excluded.continues, end_reason = excluded.end_reason, ended_at = excluded.ended_at,
       duration_ms = excluded.duration_ms, api_calls = excluded.api_calls, input_tokens = excluded.input_tokens,
       output_tokens = excluded.output_tokens, cost_usd = excluded.cost_usd,
       turns_unanswered = excluded.turns_unanswered, tool_calls = excluded.tool_calls,
       tool_errors = excluded.tool_errors, read_at = excluded.read_at`,
  ).run(usage);
}

/** state.db has no such session (any more); what was read of it before stays. */
export function saveNoSessionUsage(db: Db, of: Owned<{ readonly sessionId: string }>): void {
  prepared(
    db,
    `INSERT INTO session_usage (profile_id, session_id, found, read_at) VALUES (@profileId, @sessionId, 0, @at)
     ON CONFLICT (profile_id, session_id) DO UPDATE SET read_at = @at`,
  ).run(of);
}

export interface ToMeasure {
  readonly profileId: number;
  readonly now: number;
  /** How long after a session's newest turn its figures still change. Milliseconds. */
  readonly settleMs: number;
  /** Where the last batch ended; null = at the beginning. */
  readonly after: Measurable | null;
  readonly limit: number;
}

/** A session whose figures may have changed, with its place in the order. */
export interface Measurable {
  readonly id: number;
  readonly sessionId: string;
  readonly lastTurnAt: number;
}

/**
 * The next sessions whose figures may have changed since they were read, oldest turn first; one that has not ended once
 * in `settleMs`.
 */
export function sessionsToMeasure(db: Db, { after, ...of }: ToMeasure): Measurable[] {
  return db
    .prepare(
      `SELECT t.id, t.session_id AS sessionId, t.last_turn_at AS lastTurnAt
       FROM session_tags AS t INDEXED BY session_tags_unsettled
         LEFT JOIN session_usage AS u ON u.profile_id = t.profile_id AND u.session_id = t.session_id
       WHERE t.profile_id = @profileId AND t.unsettled = 1 AND (t.last_turn_at, t.id) > (@afterTurn, @afterId)
         AND t.excluded_reason IS NULL
         AND (u.read_at IS NULL OR u.found = 0 OR u.read_at < t.last_turn_at + @settleMs OR u.read_at < @now - @settleMs)
       ORDER BY t.last_turn_at, t.id LIMIT @limit`,
    )
    .all({ ...of, afterTurn: after?.lastTurnAt ?? Number.MIN_SAFE_INTEGER, afterId: after?.id ?? 0 }) as Measurable[];
}

export interface Settling {
  readonly profileId: number;
  /** Sessions that have ended are settled when their newest turn is from before this ... */
  readonly ended: number;
  /** ... those that are open, this ... */
  readonly open: number;
  /** ... and those that state.db never had, this. Milliseconds since the epoch. */
  readonly missing: number;
  /** As in `ToMeasure`. */
  readonly settleMs: number;
  /** How many at most. */
  readonly limit: number;
}

/** Marks sessions that need not be read any more; returns how many. */
export function settleSessions(db: Db, of: Settling): number {
  return db
    .prepare(
      `UPDATE session_tags SET unsettled = 0 WHERE id IN (
       SELECT t.id FROM session_tags AS t INDEXED BY session_tags_unsettled
         LEFT JOIN session_usage AS u ON u.profile_id = t.profile_id AND u.session_id = t.session_id
       WHERE t.profile_id = @profileId AND t.unsettled = 1 AND t.last_turn_at < @ended
         AND (t.excluded_reason IS NOT NULL OR t.last_turn_at < @missing
           OR (u.found = 1 AND u.read_at >= t.last_turn_at + @settleMs AND (u.ended_at IS NOT NULL OR t.last_turn_at < @open)))
       LIMIT @limit)`,
    )
    .run(of).changes;
}

/** One session's figures, as rates by session need them. */
export interface SessionFigures {
  readonly sessionId: string;
  readonly startedAt: number;
  readonly contentSha256: string | null;
  readonly startedTurns: number;
  readonly completedTurns: number;
  /** Over, without an answer, and not stopped by a person. */
  readonly turnsFailed: number | null;
  readonly toolCalls: number | null;
  readonly toolErrors: number | null;
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  readonly costUsd: number | null;
  readonly errors: number;
  readonly warnings: number;
  readonly retries: number;
  readonly failedCalls: number;
}

/** Turns that a person stopped before any text came are unanswered as well, and no failures. */
export const TURNS_FAILED = 'max(0, u.turns_unanswered - coalesce(c.interrupted_unanswered, 0))';

export interface FiguresQuery {
  readonly profileId: number;
  readonly contentSha256: string;
  readonly from: number;
  readonly to: number;
  /** How many at most, the newest ones. */
  readonly newest: number;
}

/** The newest sessions that count, carried a text, and started in [from, to); oldest first. */
export function sessionFigures(db: Db, of: FiguresQuery): SessionFigures[] {
  const newestFirst = db
    .prepare(
      `SELECT t.session_id AS sessionId, t.started_at AS startedAt, t.content_sha256 AS contentSha256,
         t.started_turns AS startedTurns, t.completed_turns AS completedTurns, ${TURNS_FAILED} AS turnsFailed,
         u.tool_calls AS toolCalls, u.tool_errors AS toolErrors, u.input_tokens AS inputTokens,
         u.output_tokens AS outputTokens, u.cost_usd AS costUsd, coalesce(c.errors, 0) AS errors,
         coalesce(c.warnings, 0) AS warnings, coalesce(c.retries, 0) AS retries,
         coalesce(c.failed_calls, 0) AS failedCalls
       FROM session_tags AS t INDEXED BY session_tags_by_content
         LEFT JOIN session_usage AS u ON u.profile_id = t.profile_id AND u.session_id = t.session_id
         LEFT JOIN session_log_counts AS c ON c.profile_id = t.profile_id AND c.session_id = t.session_id
       WHERE t.profile_id = @profileId AND t.content_sha256 = @contentSha256
         AND t.started_at >= @from AND t.started_at < @to AND t.excluded_reason IS NULL
       ORDER BY t.started_at DESC, t.id DESC LIMIT @newest`,
    )
    .all(of) as SessionFigures[];
  return newestFirst.reverse();
}
