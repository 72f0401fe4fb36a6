import type Database from 'better-sqlite3';
import type { Continues, SessionUsage } from '../domain/sessionUsage.js';
import { columnsOf, jsonKey, milliseconds } from './stateColumns.js';
import { countTurns, inheritedFrom, type Inherited, type StoredMessage } from './turns.js';

/** A one-shot process that fails ends no session; without any write for this long its last turn is over. */
const QUIET_MS = 60 * 60 * 1000;

interface StoredSession {
  id: string;
  source: string | null;
  parent: string | null;
  parentEnd: string | null;
  branched: 0 | 1;
  startedAt: number | null;
  endedAt: number | null;
  endReason: string | null;
}

/** Visits what each stored session among `ids` used, in constant memory. Runs inside a transaction of the caller. */
export function eachUsage(
  db: Database.Database,
  { ids, now, visit }: { ids: readonly string[]; now: number; visit: (usage: SessionUsage) => void },
): void {
  const models = modelUsage(db, ids);
  const messagesOf = messageReader(db);
  for (const session of storedSessions(db, ids)) {
    const continues = continuation(session);
    visit({
      sessionId: session.id,
      source: session.source,
      continues,
      endReason: session.endReason,
      endedAt: milliseconds(session.endedAt),
      ...(models === null ? NO_MODEL_USAGE : (models.get(session.id) ?? NOTHING_USED)),
      ...turnUsage(session, { now, messagesOf, continues }),
    });
  }
}

function storedSessions(db: Database.Database, ids: readonly string[]): StoredSession[] {
  const columns = columnsOf(db, 'sessions');
  const column = (name: string) => (columns.has(name) ? `s.${name}` : 'NULL');
  const parent = column('parent_session_id');
  const parentEnd = columns.has('end_reason')
    ? `(SELECT p.end_reason FROM sessions AS p WHERE p.id = ${parent})`
    : 'NULL';
  return db
    .prepare(
      `SELECT s.id, ${column('source')} AS source, ${parent} AS parent, ${parentEnd} AS parentEnd,
         ${jsonKey(columns, '_branched_from')} AS branched,
         ${column('started_at')} AS startedAt, ${column('ended_at')} AS endedAt, ${column('end_reason')} AS endReason
       FROM sessions AS s WHERE s.id IN (SELECT value FROM json_each(?))`,
    )
    .all(JSON.stringify(ids)) as StoredSession[];
}

function continuation({ parent, parentEnd, branched }: StoredSession): Continues | null {
  if (parent === null) return null;
  if (branched === 1) return 'branch';
  return parentEnd === 'compression' ? 'compression' : null;
}

// ── Models ────────────────────────────────────────────────────────────────

interface ModelUsage {
  readonly apiCalls: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costUsd: number | null;
}

const NO_MODEL_USAGE = { apiCalls: null, inputTokens: null, outputTokens: null, costUsd: null };
const NOTHING_USED: ModelUsage = { apiCalls: 0, inputTokens: 0, outputTokens: 0, costUsd: 0 };

/** Every model call, also those for titles and compression: the table has one row per session, model and task. */
function modelUsage(db: Database.Database, ids: readonly string[]): ReadonlyMap<string, ModelUsage> | null {
  const columns = columnsOf(db, 'session_model_usage');
  const needed = ['session_id', 'api_call_count', 'input_tokens', 'output_tokens', 'estimated_cost_usd'];
  if (!needed.every((name) => columns.has(name))) return null;
  const actual = columns.has('actual_cost_usd') ? 'nullif(actual_cost_usd, 0)' : 'NULL';
  const cached = ['cache_read_tokens', 'cache_write_tokens'].filter((name) => columns.has(name));
  const priced = columns.has('cost_status') ? "coalesce(cost_status, '') NOT IN ('', 'unknown')" : '0';
  const rows = db
    .prepare(
      `SELECT session_id AS id, coalesce(sum(api_call_count), 0) AS apiCalls,
         coalesce(sum(input_tokens${cached.map((name) => ` + ${name}`).join('')}), 0) AS inputTokens,
         coalesce(sum(output_tokens), 0) AS outputTokens,
         sum(coalesce(${actual}, nullif(estimated_cost_usd, 0), CASE WHEN ${priced} THEN 0 END)) AS costUsd
       FROM session_model_usage WHERE session_id IN (SELECT value FROM json_each(?)) GROUP BY session_id`,
    )
    .all(JSON.stringify(ids)) as (ModelUsage & { id: string })[];
  return new Map(rows.map(({ id, ...usage }) => [id, usage]));
}

// ── Messages ──────────────────────────────────────────────────────────────

type MessageReader = (sessionId: string) => Iterable<StoredMessage>;

interface MessageRow {
  role: string;
  content: string | null;
  toolCalls: string | null;
  toolCallId: string | null;
  toolName: string | null;
  at: number;
  compacted: 0 | 1;
}

/** Null when this host stores no messages, or not what is needed of them. */
function messageReader(db: Database.Database): MessageReader | null {
  const columns = columnsOf(db, 'messages');
  const needed = ['id', 'session_id', 'role', 'content', 'timestamp', 'tool_name', 'tool_calls'];
  if (!needed.every((name) => columns.has(name))) return null;
  const column = (name: string, otherwise: string) => (columns.has(name) ? name : otherwise);
  const query = db.prepare<[string], MessageRow>(
    `SELECT role, CASE role WHEN 'assistant' THEN NULL ELSE content END AS content, nullif(tool_calls, '[]') AS toolCalls,
       ${column('tool_call_id', 'NULL')} AS toolCallId, tool_name AS toolName, timestamp AS at,
       ${column('compacted', '0')} AS compacted
     FROM messages WHERE session_id = ? AND coalesce(${column('observed', '0')}, 0) = 0 ORDER BY id`,
  );
  return function* (sessionId) {
    for (const row of query.iterate(sessionId)) {
      yield { ...row, at: milliseconds(row.at), compacted: row.compacted === 1 };
    }
  };
}

const NO_TURNS = { durationMs: null, turnsUnanswered: null, toolCalls: null, toolErrors: null };

function turnUsage(
  session: StoredSession,
  { now, messagesOf, continues }: { now: number; messagesOf: MessageReader | null; continues: Continues | null },
): Pick<SessionUsage, keyof typeof NO_TURNS> {
  if (messagesOf === null) return NO_TURNS;
  const inherited: Inherited | null =
    continues !== null && session.parent !== null
      ? inheritedFrom(messagesOf(session.parent), { midTurn: continues === 'compression' })
      : null;
  const endedAt = milliseconds(session.endedAt);
  const isOver = (lastAt: number | null) => endedAt !== null || (lastAt !== null && now - lastAt >= QUIET_MS);
  const counts = countTurns(messagesOf(session.id), {
    isOver,
    continued: session.endReason === 'compression',
    inherited,
  });
  const startedAt = milliseconds(session.startedAt);
  const until = endedAt ?? counts.lastAt;
  return {
    durationMs: startedAt === null || until === null ? null : Math.max(0, until - startedAt),
    turnsUnanswered: counts.unanswered,
    toolCalls: counts.toolCalls,
    toolErrors: counts.toolErrors,
  };
}
