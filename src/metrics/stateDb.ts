import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { SessionUsage } from '../domain/sessionUsage.js';
import { eachUsage } from './hostUsage.js';
import { columnsOf, jsonKey, milliseconds } from './stateColumns.js';

/** A session as the host stored it. Times are milliseconds since the epoch. */
export interface HostSession {
  readonly id: string;
  readonly source: string | null;
  readonly parentSessionId: string | null;
  /** Sources of the sessions it continues or was split from, nearest first. */
  readonly ancestorSources: readonly string[];
  /** Its record names the session that delegated to it; the host marks so whatever its source says. */
  readonly delegated: boolean;
  readonly systemPrompt: string | null;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
}

/** Read access to one profile's state.db, tolerant of the host's versions. */
export interface StateDb {
  /** Visits the stored sessions among `ids`, one at a time, so that long prompts do not pile up. */
  eachSession(ids: readonly string[], visit: (session: HostSession) => void): void;
  /** Visits what each stored session among `ids` used; `now` in milliseconds tells whether its last turn is over. */
  eachUsage(ids: readonly string[], now: number, visit: (usage: SessionUsage) => void): void;
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

function stateDb(db: Database.Database): StateDb {
  const sessions = columnsOf(db, 'sessions');
  return {
    eachSession: (ids, visit) => {
      if (sessions.has('id')) eachSession(db, sessions, { ids, visit });
    },
    eachUsage: (ids, now, visit) => {
      if (sessions.has('id')) eachUsage(db, { ids, now, visit });
    },
  };
}

interface StoredSession {
  id: string;
  source: string | null;
  parent: string | null;
  delegated: 0 | 1;
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
         ${jsonKey(columns, '_delegate_from')} AS delegated, ${promptColumn(db, columns)} AS prompt, ${column('started_at')} AS startedAt, ${column('ended_at')} AS endedAt
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
      delegated: row.delegated === 1,
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
