import type { SessionTag } from '../domain/sessionTag.js';
import type { Db } from './database.js';
import { prepared } from './prepared.js';

const COLUMNS = `session_id AS sessionId, parent_session_id AS parentSessionId, experiment_id AS experimentId,
  content_sha256 AS contentSha256, started_at AS startedAt, start_seen AS startSeen,
  started_turns AS startedTurns,
  completed_turns AS completedTurns, background_turns AS backgroundTurns, platform, model, excluded_reason AS excludedReason, last_turn_at AS lastTurnAt`;

/**
 * The experiment of a profile that was live at a moment; named parameters @profileId and @startedAt. Live times never
 * overlap, so that only the newest apply before the moment can be it.
 */
const LIVE_AT = `(SELECT e.id FROM experiments AS e
  WHERE e.id = (SELECT id FROM experiments WHERE profile_id = @profileId AND applied_at <= @startedAt
      ORDER BY applied_at DESC LIMIT 1)
    AND (coalesce(e.verified_at, e.reverted_at) IS NULL OR coalesce(e.verified_at, e.reverted_at) > @startedAt))`;

export function findSessionTag(db: Db, key: { profileId: number; sessionId: string }): SessionTag | null {
  const sql = `SELECT ${COLUMNS} FROM session_tags WHERE profile_id = @profileId AND session_id = @sessionId`;
  return (prepared(db, sql).get(key) as SessionTag | undefined) ?? null;
}

export type { SessionTag } from '../domain/sessionTag.js';

export interface SessionTagRecord extends Omit<SessionTag, 'experimentId'> {
  readonly profileId: number;
  readonly at: number;
}

/** Writes the whole tag; the experiment follows from when the session started. */
export function saveSessionTag(db: Db, tag: SessionTagRecord): void {
  prepared(
    db,
    `INSERT INTO session_tags (profile_id, session_id, parent_session_id, experiment_id, content_sha256, started_at,
       start_seen, started_turns, completed_turns, background_turns, platform, model, excluded_reason, last_turn_at, updated_at)
     VALUES (@profileId, @sessionId, @parentSessionId, ${LIVE_AT}, @contentSha256, @startedAt,
       @startSeen, @startedTurns, @completedTurns, @backgroundTurns, @platform, @model, @excludedReason, @lastTurnAt, @at)
     ON CONFLICT (profile_id, session_id) DO UPDATE SET
       parent_session_id = excluded.parent_session_id, experiment_id = excluded.experiment_id,
       content_sha256 = excluded.content_sha256, started_at = excluded.started_at,
       start_seen = excluded.start_seen, started_turns = excluded.started_turns, completed_turns = excluded.completed_turns,
       background_turns = excluded.background_turns,
       platform = excluded.platform, model = excluded.model, excluded_reason = excluded.excluded_reason,
       last_turn_at = excluded.last_turn_at, unsettled = 1, updated_at = excluded.updated_at`,
  ).run(tag);
}

/** Adds what the host's store says to a tag that was written without it; turns that came in since are kept. */
export function resolveSessionTag(
  db: Db,
  facts: Pick<SessionTag, 'sessionId' | 'parentSessionId' | 'contentSha256' | 'excludedReason'> & {
    readonly profileId: number;
    /** As the host has it. */
    readonly startedAt: number | null;
    readonly at: number;
  },
): void {
  db.prepare(
    `UPDATE session_tags SET content_sha256 = @contentSha256, parent_session_id = coalesce(@parentSessionId, parent_session_id),
       excluded_reason = coalesce(excluded_reason, @excludedReason), updated_at = @at,
       started_at = iif(start_seen OR @startedAt IS NULL, started_at, min(started_at, @startedAt))
     WHERE profile_id = @profileId AND session_id = @sessionId AND content_sha256 IS NULL`,
  ).run(facts);
}

/**
 * When the `count`-th session of a text after `after` started; null = there are fewer. Only sessions whose last turn is
 * older than `settledBefore` count.
 */
export function startOfNthSession(
  db: Db,
  of: { profileId: number; contentSha256: string; after: number; settledBefore: number; count: number },
): number | null {
  const found = db
    .prepare(
      `SELECT started_at FROM session_tags
       WHERE profile_id = @profileId AND started_at > @after AND content_sha256 = @contentSha256
         AND excluded_reason IS NULL AND last_turn_at < @settledBefore
       ORDER BY started_at LIMIT 1 OFFSET @count - 1`,
    )
    .pluck()
    .get(of);
  return found === undefined ? null : (found as number);
}

export interface WindowQuery {
  readonly profileId: number;
  readonly appliedAt: number;
  readonly candidateSha256: string;
  readonly baseSha256: string;
}

/** How the sessions since the apply divide. Only `counted` fill the window. */
export interface WindowCounts {
  readonly counted: number;
  /** Carry the new text, but no turn of theirs was ever completed. */
  readonly withoutCompletedTurn: number;
  readonly withOldText: number;
  /** Their stored prompt could not be read, or carries neither text. */
  readonly withUnknownText: number;
  readonly excluded: Readonly<Record<string, number>>;
}

export function countWindow(db: Db, query: WindowQuery): WindowCounts {
  const rows = db
    .prepare(
      `SELECT excluded_reason AS reason, content_sha256 = @candidateSha256 AS isNew, content_sha256 = @baseSha256 AS isOld,
         completed_turns > 0 AS completed, count(*) AS sessions
       FROM session_tags WHERE profile_id = @profileId AND started_at >= @appliedAt GROUP BY 1, 2, 3, 4`,
    )
    .all(query) as {
    reason: string | null;
    isNew: 0 | 1 | null;
    isOld: 0 | 1 | null;
    completed: 0 | 1;
    sessions: number;
  }[];
  const counting = rows.filter((row) => row.reason === null);
  const sum = (some: typeof rows) => some.reduce((total, row) => total + row.sessions, 0);
  const excluded: Record<string, number> = {};
  for (const { reason, sessions } of rows) if (reason !== null) excluded[reason] = (excluded[reason] ?? 0) + sessions;
  return {
    counted: sum(counting.filter((row) => row.isNew === 1 && row.completed === 1)),
    withoutCompletedTurn: sum(counting.filter((row) => row.isNew === 1 && row.completed === 0)),
    withOldText: sum(counting.filter((row) => row.isOld === 1)),
    withUnknownText: sum(counting.filter((row) => row.isNew !== 1 && row.isOld !== 1)),
    excluded,
  };
}

/** Sessions that took a turn since the apply and whose text is not known yet. */
export function unresolvedTags(db: Db, query: { profileId: number; appliedAt: number; limit?: number }): SessionTag[] {
  return db
    .prepare(
      `SELECT ${COLUMNS} FROM session_tags
       WHERE profile_id = @profileId AND last_turn_at >= @appliedAt AND content_sha256 IS NULL AND excluded_reason IS NULL
       ORDER BY last_turn_at DESC LIMIT @limit`,
    )
    .all({ limit: 1000, ...query }) as SessionTag[];
}

/** Sessions that took a turn since then and of which state.db told nothing yet, newest turn first. */
export function tagsWithoutFacts(db: Db, query: { profileId: number; since: number }): SessionTag[] {
  return db
    .prepare(
      `SELECT ${COLUMNS} FROM session_tags AS t
       WHERE profile_id = @profileId AND last_turn_at >= @since AND content_sha256 IS NULL AND excluded_reason IS NULL
         AND NOT EXISTS (SELECT 1 FROM session_usage AS u
           WHERE u.profile_id = t.profile_id AND u.session_id = t.session_id AND u.found)
       ORDER BY last_turn_at DESC LIMIT 1000`,
    )
    .all(query) as SessionTag[];
}

/** Sessions that took a turn since the apply and still carry the text from before it, newest turn first. */
export function tagsWithOldText(db: Db, query: WindowQuery & { limit?: number }): SessionTag[] {
  return db
    .prepare(
      `SELECT ${COLUMNS} FROM session_tags
       WHERE profile_id = @profileId AND last_turn_at >= @appliedAt AND excluded_reason IS NULL
         AND (content_sha256 = @baseSha256 OR (content_sha256 IS NULL AND started_at < @appliedAt))
       ORDER BY last_turn_at DESC LIMIT @limit`,
    )
    .all({ limit: 50, ...query }) as SessionTag[];
}

/** Sessions of the new text, none of which was ever answered; and whether others were, meanwhile. */
export interface Unanswered {
  readonly sessions: number;
  readonly firstSessionId: string | null;
  /** A session with another text that had all of its turns answered and took one since the first of these began. */
  readonly othersAnswered: boolean;
}

/** Null as soon as one session of the new text got an answer. Turns that began after `settledBefore` may still run. */
export function unansweredSessions(db: Db, query: WindowQuery & { settledBefore: number }): Unanswered | null {
  const row = db
    .prepare(
      `SELECT count(*) AS sessions, coalesce(sum(completed_turns), 0) AS completed, min(started_at) AS since,
         (SELECT session_id FROM session_tags WHERE profile_id = @profileId AND started_at >= @appliedAt
            AND content_sha256 = @candidateSha256 AND excluded_reason IS NULL ORDER BY started_at LIMIT 1) AS firstSessionId
       FROM session_tags
       WHERE profile_id = @profileId AND started_at >= @appliedAt AND content_sha256 = @candidateSha256
         AND excluded_reason IS NULL AND started_turns > 0 AND (completed_turns > 0 OR last_turn_at < @settledBefore)`,
    )
    .get(query) as { sessions: number; completed: number; since: number | null; firstSessionId: string | null };
  if (row.completed > 0) return null;
  const others = db
    .prepare(
      `SELECT 1 FROM session_tags
       WHERE profile_id = @profileId AND last_turn_at > @since AND content_sha256 <> @candidateSha256
         AND excluded_reason IS NULL AND completed_turns > 0 AND completed_turns = started_turns LIMIT 1`,
    )
    .get({ ...query, since: row.since ?? query.settledBefore });
  return { sessions: row.sessions, firstSessionId: row.firstSessionId, othersAnswered: others !== undefined };
}

/** A version of a profile's target file that sessions may carry. */
export interface TargetText {
  readonly sha256: string;
  readonly content: Buffer;
}

interface AppliedTexts {
  baseSha256: string | null;
  base: Buffer | null;
  candidateSha256: string | null;
  candidate: Buffer | null;
}

/** The texts before and after the profile's newest applied experiments, newest first. */
export function recentTargetTexts(db: Db, profileId: number, limit = 4): TargetText[] {
  const rows = db
    .prepare(
      `SELECT base_sha256 AS baseSha256, base_content AS base, candidate_sha256 AS candidateSha256, candidate_content AS candidate
       FROM experiments WHERE profile_id = ? AND applied_at IS NOT NULL ORDER BY applied_at DESC LIMIT ?`,
    )
    .all(profileId, limit) as AppliedTexts[];
  const texts = rows.flatMap((row) => [
    { sha256: row.candidateSha256, content: row.candidate },
    { sha256: row.baseSha256, content: row.base },
  ]);
  return texts.filter((text): text is TargetText => text.sha256 !== null && text.content !== null);
}
