import type { Actor, ExperimentState } from '../domain/experiment.js';
import { eventsFrom, isLegal } from '../domain/lifecycle.js';
import { KarpathyError } from '../errors.js';
import { immediate, type Db } from './database.js';
import { columnValue, experimentRow, snakeCase, type ExperimentRow } from './experimentRow.js';

/** Columns that may change together with the state. */
export type TransitionColumns = Partial<Omit<ExperimentRow, 'id' | 'state' | 'profileId' | 'createdAt' | 'updatedAt'>>;

export interface TransitionOptions {
  readonly id: number;
  readonly to: ExperimentState;
  /** The state on which the decision was based; anything else is refused. Default: the one read here. */
  readonly from?: ExperimentState;
  readonly actor: Actor;
  readonly reason: string;
  readonly at: number;
  readonly set?: TransitionColumns;
  /** The file operation that carries this change; while another one is open, the state stands still. */
  readonly operationId?: number;
}

/** What a state needs to be true of its row, filled in unless `set` says otherwise. */
function stamps(options: TransitionOptions): TransitionColumns {
  const { actor, reason, at } = options;
  switch (options.to) {
    case 'approved':
      return { approvedBy: actor, approvedAt: at };
    case 'rejected':
      return { rejectedBy: actor, rejectedAt: at, rejectionReason: reason };
    case 'live':
      return { appliedAt: at };
    case 'verified':
      return { verifiedAt: at, closingReason: reason };
    case 'reverted':
      return { revertedAt: at, closingReason: reason };
    case 'proposed':
      return {};
  }
}

/**
 * Moves an experiment and writes its audit row, both in one transaction (or the caller's, when it is inside one).
 * @throws KarpathyError `unknown_experiment`; `wrong_state` when the lifecycle has no such change or the state moved;
 *   `busy` while a file operation of the experiment is open
 */
export function transition(db: Db, options: TransitionOptions): ExperimentRow {
  return immediate(db, () => {
    const { id, to } = options;
    const from = db.prepare('SELECT state FROM experiments WHERE id = ?').pluck().get(id) as
      ExperimentState | undefined;
    if (from === undefined) throw new KarpathyError('unknown_experiment', `There is no experiment ${id}.`);
    if ((options.from !== undefined && options.from !== from) || !isLegal(from, to)) throw wrongState(id, from, to);
    refuseDuringFileOperation(db, options);

    const values = { ...stamps(options), ...options.set };
    const keys = Object.keys(values) as (keyof TransitionColumns)[];
    const assignments = ['state = @newState', 'updated_at = @now', ...keys.map((key) => `${snakeCase(key)} = @${key}`)];
    const changed = db
      .prepare(`UPDATE experiments SET ${assignments.join(', ')} WHERE id = @experimentId AND state = @oldState`)
      .run({
        ...Object.fromEntries(keys.map((key) => [key, columnValue(key, values[key])])),
        newState: to,
        now: options.at,
        experimentId: id,
        oldState: from,
      }).changes;
    if (changed !== 1) throw wrongState(id, from, to);
    db.prepare(
      `INSERT INTO experiment_state_transitions (experiment_id, from_state, to_state, actor, reason, at)
       VALUES (?, ?, ?, ?, ?, ?)`,
    ).run(id, from, to, options.actor, options.reason, options.at);
    return experimentRow(db.prepare('SELECT * FROM experiments WHERE id = ?').get(id));
  });
}

export function wrongState(id: number, from: ExperimentState, to: ExperimentState): KarpathyError {
  const can = eventsFrom(from);
  return new KarpathyError('wrong_state', `Experiment ${id} is ${from}; it cannot become ${to}.`, {
    hint: can.length === 0 ? 'It is closed.' : `From here it can: ${can.join(', ')}.`,
  });
}

function refuseDuringFileOperation(db: Db, options: TransitionOptions): void {
  const open = db
    .prepare("SELECT id, kind FROM file_operations WHERE experiment_id = ? AND phase = 'intent' AND id IS NOT ?")
    .get(options.id, options.operationId ?? null) as { id: number; kind: string } | undefined;
  if (open === undefined) return;
  throw new KarpathyError(
    'busy',
    `Experiment ${options.id} has an open ${open.kind}; its state stands still until then.`,
    {
      hint: 'Run the command again: the open operation is finished or cancelled first.',
    },
  );
}

/** A row of the audit log; `fromState` is null for the first. */
export interface TransitionRow {
  readonly id: number;
  readonly experimentId: number;
  readonly fromState: ExperimentState | null;
  readonly toState: ExperimentState;
  readonly actor: Actor;
  readonly reason: string;
  readonly at: number;
}

/** The audit log of an experiment, oldest first. */
export function history(db: Db, experimentId: number): TransitionRow[] {
  return db
    .prepare(
      `SELECT id, experiment_id AS experimentId, from_state AS fromState, to_state AS toState, actor, reason, at
       FROM experiment_state_transitions WHERE experiment_id = ? ORDER BY id`,
    )
    .all(experimentId) as TransitionRow[];
}
