import type { ExperimentState } from '../domain/experiment.js';
import { isLegal } from '../domain/lifecycle.js';
import type { Db } from './transaction.js';

export interface DatabaseHealth {
  readonly journalMode: string;
  /** What SQLite finds wrong, and where state and audit log disagree; empty when intact. */
  readonly problems: readonly string[];
}

/** Reads the whole file: for `doctor` and before a restore, not for every command. */
export function databaseHealth(db: Db): DatabaseHealth {
  const integrity = db
    .prepare('PRAGMA integrity_check(20)')
    .pluck()
    .all()
    .map(String)
    .filter((line) => line !== 'ok');
  const foreign = db.pragma('foreign_key_check') as readonly { table: string }[];
  return {
    journalMode: String(db.pragma('journal_mode', { simple: true })),
    problems: [
      ...integrity,
      ...(foreign.length > 0
        ? [`${foreign.length} rows point to rows that are gone (${foreign[0]?.table ?? ''})`]
        : []),
      // What the pages of a damaged file say is no evidence of anything.
      ...(integrity.length === 0 ? auditProblems(db) : []),
    ],
  };
}

interface AuditRow {
  readonly experimentId: number;
  readonly fromState: ExperimentState | null;
  readonly toState: ExperimentState;
}

/** Folds the audit log of every experiment: each step must be legal, begin where the last one ended, and end in the stored state. */
export function auditProblems(db: Db): string[] {
  const folded = new Map<number, ExperimentState>();
  const problems: string[] = [];
  const log = db
    .prepare(
      `SELECT experiment_id AS experimentId, from_state AS fromState, to_state AS toState
       FROM experiment_state_transitions ORDER BY id`,
    )
    .iterate() as IterableIterator<AuditRow>;
  for (const { experimentId, fromState, toState } of log) {
    const before = folded.get(experimentId) ?? null;
    const fits = fromState === before && (before === null ? toState === 'proposed' : isLegal(before, toState));
    if (!fits) {
      const step = `${fromState ?? 'nothing'} to ${toState}`;
      problems.push(`the audit log of experiment ${experimentId} goes from ${step}, after ${before ?? 'nothing'}`);
    }
    folded.set(experimentId, toState);
  }
  const stored = db.prepare('SELECT id, state FROM experiments').all() as { id: number; state: ExperimentState }[];
  for (const { id, state } of stored) {
    const last = folded.get(id);
    if (last !== state) {
      problems.push(`experiment ${id} is ${state}, but its audit log ends in ${last ?? 'nothing'}`);
    }
  }
  return problems;
}
