import type { Db } from './database.js';

export interface DatabaseHealth {
  readonly journalMode: string;
  /** What SQLite finds wrong; empty when intact. */
  readonly problems: readonly string[];
}

/** Reads the whole file: for `doctor`, not for every command. */
export function databaseHealth(db: Db): DatabaseHealth {
  const integrity = db.prepare('PRAGMA integrity_check(20)').pluck().all().map(String);
  const foreign = db.pragma('foreign_key_check') as readonly { table: string }[];
  return {
    journalMode: String(db.pragma('journal_mode', { simple: true })),
    problems: [
      ...integrity.filter((line) => line !== 'ok'),
      ...(foreign.length > 0
        ? [`${foreign.length} rows point to rows that are gone (${foreign[0]?.table ?? ''})`]
        : []),
    ],
  };
}
