import { join } from 'node:path';
import Database from 'better-sqlite3';

/** A session as the host stored it. Times are milliseconds since the epoch. */
export interface HostSession {
  readonly id: string;
  readonly source: string | null;
  readonly parentSessionId: string | null;
  /** Sources of the sessions it continues or was split from, nearest first. */
  readonly ancestorSources: readonly string[];
  readonly systemPrompt: string | null;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
}

/** What the sessions used. `null` = this host does not store it. */
export interface HostUsage {
  readonly apiCalls: number | null;
  readonly toolCalls: number | null;
  readonly toolErrors: number | null;
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  /** USD; null as well when the host knew no price for any call. */
  readonly costUsd: number | null;
}

/** Read access to one profile's state.db, tolerant of the host's versions. */
export interface StateDb {
  /** Visits the stored sessions among `ids`, one at a time, so that long prompts do not pile up. */
  eachSession(ids: readonly string[], visit: (session: HostSession) => void): void;
  usage(ids: readonly string[]): HostUsage;
}

export type StateDbRead<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string };

/**
 * Opens `<home>/state.db` read-only, reads within one short transaction and closes it. Never throws for the state
 * of that file: missing, locked or damaged is an answer, and whatever needed it stays unknown.
 */
export function readStateDb<T>(home: string, read: (state: StateDb) => T): StateDbRead<T> {
  let db: Database.Database;
  try {
    db = new Database(join(home, 'state.db'), { readonly: true, fileMustExist: true, timeout: 1000 });
  } catch (error) {
    return { ok: false, reason: reasonOf(error) };
  }
  try {
    return { ok: true, value: db.transaction(() => read(stateDb(db)))() };
  } catch (error) {
    if (!(error instanceof Database.SqliteError)) throw error;
    return { ok: false, reason: reasonOf(error) };
  } finally {
    db.close();
  }
}

function reasonOf(error: unknown): string {
  return `state.db: ${error instanceof Error ? error.message : String(error)}`;
}

function columnsOf(db: Database.Database, table: string): ReadonlySet<string> {
  return new Set((db.pragma(`table_info(${table})`) as { name: string }[]).map((column) => column.name));
}

function stateDb(db: Database.Database): StateDb {
  const sessions = columnsOf(db, 'sessions');
  return {
    eachSession: (ids, visit) => {
      if (sessions.has('id')) eachSession(db, sessions, { ids, visit });
    },
    usage: (ids) => ({ ...modelUsage(db, ids), ...toolUsage(db, sessions, ids) }),
  };
}

interface StoredSession {
  id: string;
  source: string | null;
  parent: string | null;
  prompt: string | null;
  startedAt: number | null;
  endedAt: number | null;
}

function eachSession(
  db: Database.Database,
  columns: ReadonlySet<string>,
  { ids, visit }: { ids: readonly string[]; visit: (session: HostSession) => void },
): void {
  const column = (name: string) => (columns.has(name) ? `s.${name}` : 'NULL');
  const rows = db
    .prepare<[string], StoredSession>(
      `SELECT s.id, ${column('source')} AS source, ${column('parent_session_id')} AS parent,
         ${promptColumn(db, columns)} AS prompt, ${column('started_at')} AS startedAt, ${column('ended_at')} AS endedAt
       FROM sessions AS s WHERE s.id IN (SELECT value FROM json_each(?))`,
    )
    .iterate(JSON.stringify(ids));
  // The statement that walks the ancestors runs while the other is being iterated, which SQLite allows for reads.
  const ancestors = ancestorQuery(db, columns);
  for (const row of rows) {
    visit({
      id: row.id,
      source: row.source,
      parentSessionId: row.parent,
      ancestorSources: row.parent === null || ancestors === null ? [] : ancestors(row.parent),
      systemPrompt: row.prompt,
      startedAt: milliseconds(row.startedAt),
      endedAt: milliseconds(row.endedAt),
    });
  }
}

/** Newer hosts store a prompt once, by hash; the column in `sessions` may remain beside it. */
function promptColumn(db: Database.Database, columns: ReadonlySet<string>): string {
  const inline = columns.has('system_prompt') ? 's.system_prompt' : 'NULL';
  const prompts = columnsOf(db, 'system_prompts');
  if (!columns.has('system_prompt_hash') || !prompts.has('hash') || !prompts.has('prompt')) return inline;
  return `coalesce((SELECT p.prompt FROM system_prompts AS p WHERE p.hash = s.system_prompt_hash), ${inline})`;
}

function ancestorQuery(db: Database.Database, columns: ReadonlySet<string>): ((parentId: string) => string[]) | null {
  if (!columns.has('source') || !columns.has('parent_session_id')) return null;
  const query = db
    .prepare<[string], string>(
      `WITH RECURSIVE chain (id, depth) AS (
         SELECT ?, 1 UNION
         SELECT s.parent_session_id, depth + 1 FROM chain JOIN sessions AS s ON s.id = chain.id
         WHERE s.parent_session_id IS NOT NULL AND depth < 100)
       SELECT s.source FROM chain JOIN sessions AS s ON s.id = chain.id
       WHERE s.source IS NOT NULL ORDER BY depth`,
    )
    .pluck();
  return (parentId) => query.all(parentId);
}

/** The host stores seconds with a fraction. */
function milliseconds(seconds: number | null): number | null {
  return seconds === null ? null : Math.round(seconds * 1000);
}

const NO_MODEL_USAGE = { apiCalls: null, inputTokens: null, outputTokens: null, costUsd: null };

/** Every model call, also those for titles and compression: the table has one row per session, model and task. */
function modelUsage(db: Database.Database, ids: readonly string[]): typeof NO_MODEL_USAGE | ModelUsage {
  const columns = columnsOf(db, 'session_model_usage');
  const needed = ['session_id', 'api_call_count', 'input_tokens', 'output_tokens', 'estimated_cost_usd'];
  if (!needed.every((name) => columns.has(name))) return NO_MODEL_USAGE;
  const actual = columns.has('actual_cost_usd') ? 'nullif(actual_cost_usd, 0)' : 'NULL';
  const cached = ['cache_read_tokens', 'cache_write_tokens'].filter((name) => columns.has(name));
  const priced = columns.has('cost_status') ? "coalesce(cost_status, '') NOT IN ('', 'unknown')" : '0';
  return db
    .prepare(
      `SELECT coalesce(sum(api_call_count), 0) AS apiCalls,
         coalesce(sum(input_tokens${cached.map((name) => ` + ${name}`).join('')}), 0) AS inputTokens,
         coalesce(sum(output_tokens), 0) AS outputTokens,
         sum(coalesce(${actual}, nullif(estimated_cost_usd, 0), CASE WHEN ${priced} THEN 0 END)) AS costUsd
       FROM session_model_usage WHERE session_id IN (SELECT value FROM json_each(?))`,
    )
    .get(JSON.stringify(ids)) as ModelUsage;
}

interface ModelUsage {
  apiCalls: number;
  inputTokens: number;
  outputTokens: number;
  costUsd: number | null;
}

function toolUsage(
  db: Database.Database,
  sessions: ReadonlySet<string>,
  ids: readonly string[],
): { toolCalls: number | null; toolErrors: number | null } {
  const calls = sessions.has('tool_call_count')
    ? (db
        .prepare(`SELECT coalesce(sum(tool_call_count), 0) FROM sessions WHERE id IN (SELECT value FROM json_each(?))`)
        .pluck()
        .get(JSON.stringify(ids)) as number)
    : null;
  return { toolCalls: calls, toolErrors: toolErrors(db, ids) };
}

function toolErrors(db: Database.Database, ids: readonly string[]): number | null {
  const columns = columnsOf(db, 'messages');
  if (!['session_id', 'role', 'tool_name', 'content'].every((name) => columns.has(name))) return null;
  const results = db
    .prepare<[string], { tool: string | null; content: string | null }>(
      `SELECT tool_name AS tool, content FROM messages
       WHERE role = 'tool' AND session_id IN (SELECT value FROM json_each(?))`,
    )
    .iterate(JSON.stringify(ids));
  let failed = 0;
  for (const { tool, content } of results) if (content !== null && toolFailed(tool ?? '', content)) failed++;
  return failed;
}

/** A tool result that reports a failure: a non-zero exit code of the terminal, or an error in the answer. */
export function toolFailed(tool: string, content: string): boolean {
  const answer = jsonObject(content);
  if (tool === 'terminal') {
    const exitCode = answer?.exit_code;
    return exitCode !== undefined && exitCode !== null && exitCode !== 0;
  }
  if (answer !== null) return Boolean(answer.error) || answer.success === false;
  return content.startsWith('Error');
}

function jsonObject(text: string): Record<string, unknown> | null {
  if (!text.trimStart().startsWith('{')) return null;
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return null;
  }
}
