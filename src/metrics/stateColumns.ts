import type Database from 'better-sqlite3';

/** The columns of a table of the host, which differ between its versions; empty when there is no such table. */
export function columnsOf(db: Database.Database, table: string): ReadonlySet<string> {
  return new Set((db.pragma(`table_info(${table})`) as { name: string }[]).map((column) => column.name));
}

/** The host stores seconds with a fraction. */
export function milliseconds(seconds: number): number;
export function milliseconds(seconds: number | null): number | null;
export function milliseconds(seconds: number | null): number | null {
  return seconds === null ? null : Math.round(seconds * 1000);
}

/** SQL for whether `sessions.model_config`, under the alias `s`, has a key: 1 or 0. */
export function jsonKey(sessions: ReadonlySet<string>, key: string): string {
  if (!sessions.has('model_config')) return '0';
  return `CASE WHEN json_valid(s.model_config) THEN json_extract(s.model_config, '$.${key}') IS NOT NULL ELSE 0 END`;
}
