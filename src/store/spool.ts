import type { SpoolHookEvent, SpoolProcessEvent } from '../schemas.js';
import type { Db } from './database.js';
import { prepared } from './prepared.js';

export interface SpoolCursor {
  readonly inode: number;
  /** Bytes of the file whose lines are in the DB. */
  readonly offset: number;
}

export function spoolCursor(db: Db, file: string): SpoolCursor | null {
  const row = db.prepare('SELECT inode, "offset" FROM spool_cursors WHERE file = ?').get(file);
  return (row as SpoolCursor | undefined) ?? null;
}

export function moveSpoolCursor(db: Db, file: string, to: SpoolCursor & { readonly at: number }): void {
  db.prepare(
    `INSERT INTO spool_cursors (file, inode, "offset", updated_at) VALUES (@file, @inode, @offset, @at)
     ON CONFLICT (file) DO UPDATE SET inode = @inode, "offset" = @offset, updated_at = @at`,
  ).run({ file, inode: to.inode, offset: to.offset, at: to.at });
}

export function dropSpoolCursor(db: Db, file: string): void {
  db.prepare('DELETE FROM spool_cursors WHERE file = ?').run(file);
}

export function listSpoolCursors(db: Db): string[] {
  return db.prepare('SELECT file FROM spool_cursors').pluck().all() as string[];
}

/** Inserts a hook's event; false when the same event is there already. */
export function insertSpoolEvent(
  db: Db,
  event: SpoolHookEvent,
  known: { readonly profileId: number | null; readonly at: number },
): boolean {
  const { changes } = prepared(
    db,
    `INSERT INTO spool_events (event_id, hook, profile_id, home, session_id, turn_id, is_first_turn, model, platform,
       write_origin, is_trial, occurred_at, ingested_at)
     VALUES (@id, @hook, @profileId, @home, @sessionId, @turnId, @isFirstTurn, @model, @platform,
       @writeOrigin, @isTrial, @occurredAt, @at)
     ON CONFLICT (event_id) DO NOTHING`,
  ).run({
    id: event.id,
    hook: event.hook,
    profileId: known.profileId,
    home: event.home,
    sessionId: event.session_id,
    turnId: event.turn_id,
    isFirstTurn: event.is_first_turn === null ? null : Number(event.is_first_turn),
    model: event.model,
    platform: event.platform,
    writeOrigin: event.write_origin,
    isTrial: Number(event.trial),
    occurredAt: event.at,
    at: known.at,
  });
  return changes === 1;
}

/** Forgets up to `limit` events that were ingested before a moment. Without any it takes no write lock. */
export function dropSpoolEvents(db: Db, of: { before: number; limit: number }): void {
  const due = prepared(db, 'SELECT 1 FROM spool_events WHERE ingested_at < ? LIMIT 1').get(of.before);
  if (due === undefined) return;
  db.prepare(
    `DELETE FROM spool_events WHERE rowid IN
       (SELECT rowid FROM spool_events WHERE ingested_at < @before ORDER BY ingested_at LIMIT @limit)`,
  ).run(of);
}

/**
 * Whether a session of a person's is in a turn: it began since then, and its end was not recorded. A turn that failed
 * has no end.
 */
export function turnIsOpen(db: Db, since: number): boolean {
  const found = db
    .prepare(
      `SELECT 1 FROM spool_events AS began
       WHERE began.occurred_at >= ? AND began.hook = 'pre_llm_call' AND began.is_trial = 0
         AND began.write_origin IS NOT 'background_review'
         AND NOT EXISTS (SELECT 1 FROM spool_events AS ended WHERE ended.occurred_at >= began.occurred_at
           AND ended.hook = 'post_llm_call' AND ended.session_id = began.session_id)
       LIMIT 1`,
    )
    .get(since);
  return found !== undefined;
}

export interface QuarantinedLine {
  readonly file: string;
  readonly offset: number;
  readonly line: string;
  readonly reason: string;
  readonly at: number;
}

/** Keeps a line that is no event; false when it was kept before. */
export function quarantineLine(db: Db, row: QuarantinedLine): boolean {
  const { changes } = db
    .prepare(
      `INSERT INTO spool_quarantine (file, "offset", line, reason, at) VALUES (@file, @offset, @line, @reason, @at)
       ON CONFLICT (file, "offset") DO NOTHING`,
    )
    .run(row);
  return changes === 1;
}

export function listQuarantine(db: Db, limit = 100): QuarantinedLine[] {
  return db
    .prepare('SELECT file, "offset", line, reason, at FROM spool_quarantine ORDER BY id DESC LIMIT ?')
    .all(limit) as QuarantinedLine[];
}

export function countQuarantine(db: Db): number {
  return db.prepare('SELECT count(*) FROM spool_quarantine').pluck().get() as number;
}

/** Records that a host process loaded the plugin; false when that was recorded before. */
export function insertProcessEvent(db: Db, event: SpoolProcessEvent): boolean {
  const { changes } = db
    .prepare(
      `INSERT INTO host_processes (pid, home, started_at, build_id, plugin_version, host_version, argv)
     VALUES (@pid, @home, @at, @build, @version, @hostVersion, @argv)
     ON CONFLICT (pid, home, started_at) DO NOTHING`,
    )
    .run({
      pid: event.pid,
      home: event.home,
      at: event.at,
      build: event.build,
      version: event.version,
      hostVersion: event.host_version,
      argv: event.argv,
    });
  return changes === 1;
}
