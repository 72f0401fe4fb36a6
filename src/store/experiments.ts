import type { EditMetadata } from '../domain/edit.js';
import type { Actor, EditOperation, ExperimentState, VerdictKind } from '../domain/experiment.js';
import { eventsFrom } from '../domain/lifecycle.js';
import { faultCode, KarpathyError } from '../errors.js';
import { immediate, type Db } from './database.js';
import { columnValue, experimentRow, snakeCase, type ExperimentRow } from './experimentRow.js';

export type { ExperimentRow } from './experimentRow.js';
export { history, transition, type TransitionRow, type TransitionOptions } from './transitions.js';

/** An edit with the bytes before and after it. */
export interface EditRecord {
  readonly operation: EditOperation;
  readonly sentenceNumber: number;
  readonly rationale: string;
  readonly baseContent: Uint8Array;
  readonly baseSha256: string;
  readonly candidateContent: Uint8Array;
  readonly candidateSha256: string;
  readonly metadata: EditMetadata;
  /** `human`, or the identity the call returned. */
  readonly proposerModel: string;
  /** Train groups whose failures a model saw before it wrote this. */
  readonly shownGroups?: readonly string[];
}

export interface NewExperiment {
  readonly profileId: number;
  readonly profile: string;
  readonly targetProfileRoot: string;
  readonly targetRelpath: string;
  readonly actor: Actor;
  readonly reason: string;
  readonly at: number;
  /** Known at once for a person's own sentence; a model's comes by `recordEdit`. */
  readonly edit?: EditRecord;
  readonly proposerModel?: string | null;
  readonly judgeModel?: string | null;
}

/**
 * Inserts a `proposed` experiment with its first audit row, taking the profile's place in flight; returns its id.
 * @throws KarpathyError `in_flight` naming the one that has the place
 */
export function createExperiment(db: Db, input: NewExperiment): number {
  return immediate(db, () => {
    const values = {
      profileId: input.profileId,
      profile: input.profile,
      targetProfileRoot: input.targetProfileRoot,
      targetRelpath: input.targetRelpath,
      proposerModel: input.proposerModel ?? null,
      judgeModel: input.judgeModel ?? null,
      createdAt: input.at,
      updatedAt: input.at,
      ...(input.edit === undefined ? {} : editColumns(input.edit)),
    };
    const keys = Object.keys(values);
    let id: number;
    try {
      const sql = `INSERT INTO experiments (${keys.map(snakeCase).join(', ')}) VALUES (${keys.map((k) => `@${k}`).join(', ')})`;
      id = Number(db.prepare(sql).run(bound(values)).lastInsertRowid);
    } catch (error) {
      throw isUniqueViolation(error) ? inFlightError(db, input) : error;
    }
    db.prepare(
      `INSERT INTO experiment_state_transitions (experiment_id, from_state, to_state, actor, reason, at)
       VALUES (?, NULL, 'proposed', ?, ?, ?)`,
    ).run(id, input.actor, input.reason, input.at);
    return id;
  });
}

function isUniqueViolation(error: unknown): boolean {
  return faultCode(error) === 'SQLITE_CONSTRAINT_UNIQUE';
}

const WAYS_OUT: Readonly<Partial<Record<ExperimentState, (id: number) => string>>> = {
  proposed: (id) => `\`karpathy approve ${id}\` or \`karpathy reject ${id}\` ends it.`,
  approved: (id) => `\`karpathy apply ${id}\` goes on with it, \`karpathy reject ${id}\` ends it.`,
  live: (id) => `It ends when its live window does, or by \`karpathy revert ${id}\`.`,
};

function inFlightError(db: Db, input: NewExperiment): KarpathyError {
  const other = findInFlight(db, input.profileId);
  if (other === null) return new KarpathyError('in_flight', `Profile ${input.profile} has an experiment in flight.`);
  return new KarpathyError(
    'in_flight',
    `Profile ${input.profile} has experiment ${other.id} in flight (${other.state}); one at a time.`,
    { hint: WAYS_OUT[other.state]?.(other.id) },
  );
}

function bound(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, columnValue(key, value)]));
}

function editColumns(edit: EditRecord) {
  const { metadata } = edit;
  return {
    operation: edit.operation,
    sentenceNumber: edit.sentenceNumber,
    sentenceBefore: metadata.sentenceBefore,
    sentenceAfter: metadata.sentenceAfter,
    rationale: edit.rationale,
    diff: metadata.diff,
    editKey: metadata.editKey,
    baseContent: Buffer.from(edit.baseContent),
    baseSha256: edit.baseSha256,
    candidateContent: Buffer.from(edit.candidateContent),
    candidateSha256: edit.candidateSha256,
    changedHunks: metadata.changedHunks,
    addedLines: metadata.addedLines,
    removedLines: metadata.removedLines,
    sentenceDeltaCount: metadata.sentenceDeltaCount,
    targetSpan: metadata.targetSpan,
    proposerModel: edit.proposerModel,
    shownGroups: edit.shownGroups ?? null,
  };
}

/** @throws KarpathyError `unknown_experiment` */
export function getExperiment(db: Db, id: number): ExperimentRow {
  const raw = db.prepare('SELECT * FROM experiments WHERE id = ?').get(id);
  if (raw === undefined) {
    throw new KarpathyError('unknown_experiment', `There is no experiment ${id}.`, {
      hint: '`karpathy history` lists them.',
    });
  }
  return experimentRow(raw);
}

/** The profile's experiment that is proposed, approved or live. The condition is that of the index of those, word for word. */
export function findInFlight(db: Db, profileId: number): ExperimentRow | null {
  const raw = db
    .prepare(`SELECT * FROM experiments WHERE profile_id = ? AND state IN ('proposed', 'approved', 'live')`)
    .get(profileId);
  return raw === undefined ? null : experimentRow(raw);
}

/** Whole experiments, their texts included, newest first; a list for people has `experimentSummaries`. */
export function listExperiments(
  db: Db,
  filter: { readonly profileId?: number; readonly states?: readonly ExperimentState[]; readonly limit?: number } = {},
): ExperimentRow[] {
  const { profileId, states, limit = -1 } = filter;
  // Only what is asked for, so that a profile has its index.
  const conditions = [
    ...(profileId === undefined ? [] : ['profile_id = @profileId']),
    ...(states === undefined ? [] : ['state IN (SELECT value FROM json_each(@states))']),
  ];
  const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
  return db
    .prepare(`SELECT * FROM experiments ${where} ORDER BY id DESC LIMIT @limit`)
    .all({ profileId, states: JSON.stringify(states), limit })
    .map(experimentRow);
}

/** Updates columns of an experiment that is in one of `states`. @throws KarpathyError `wrong_state` */
function update(
  db: Db,
  id: number,
  options: { values: Readonly<Record<string, unknown>>; states: readonly ExperimentState[]; at: number; what: string },
): void {
  const values = Object.fromEntries(Object.entries(options.values).filter(([, value]) => value !== undefined));
  const assignments = Object.keys(values).map((key) => `${snakeCase(key)} = @${key}`);
  const sql = `UPDATE experiments SET ${[...assignments, 'updated_at = @updatedAt'].join(', ')}
    WHERE id = @id AND state IN (SELECT value FROM json_each(@allowedStates))`;
  immediate(db, () => {
    const parameters = { ...bound(values), updatedAt: options.at, id, allowedStates: JSON.stringify(options.states) };
    if (db.prepare(sql).run(parameters).changes === 1) return;
    const { state } = getExperiment(db, id);
    throw new KarpathyError(
      'wrong_state',
      `Experiment ${id} is ${state}; ${options.what} needs ${options.states.join(' or ')}.`,
      {
        hint: `From here it can: ${eventsFrom(state).join(', ') || 'nothing more, it is closed'}.`,
      },
    );
  });
}

/** Stores the drafted edit. @throws KarpathyError `wrong_state` unless `proposed` */
export function recordEdit(db: Db, id: number, input: EditRecord & { readonly at: number }): void {
  update(db, id, { values: editColumns(input), states: ['proposed'], at: input.at, what: 'an edit' });
}

export interface VerdictRecord {
  readonly verdict: VerdictKind;
  readonly reason: string;
  /** Any JSON document. */
  readonly detail: unknown;
  readonly offlineScore: number | null;
  readonly evidenceFingerprint: string;
  readonly judgeModel?: string | null;
  readonly at: number;
}

/** Stores what the gate said; the state does not change. @throws KarpathyError `wrong_state` unless `proposed` */
export function recordVerdict(db: Db, id: number, input: VerdictRecord): void {
  const values = {
    verdict: input.verdict,
    verdictReason: input.reason,
    verdictDetail: input.detail,
    offlineScore: input.offlineScore,
    evidenceFingerprint: input.evidenceFingerprint,
    judgeModel: input.judgeModel,
  };
  update(db, id, { values, states: ['proposed'], at: input.at, what: 'a verdict' });
}

/** Undefined fields stay as they are. */
export interface WindowRecord {
  readonly sessionsTarget?: number;
  readonly sessionsObserved?: number;
  readonly deadlineAt?: number;
  readonly extensions?: number;
  readonly note?: string | null;
  readonly guardrails?: unknown;
  readonly liveScore?: number | null;
  readonly manualConflictDetected?: boolean;
  readonly at: number;
}

/** Stores the progress of a live window. @throws KarpathyError `wrong_state` unless `live` or `verified` */
export function recordWindow(db: Db, id: number, input: WindowRecord): void {
  const values = {
    liveSessionsTarget: input.sessionsTarget,
    liveSessionsObserved: input.sessionsObserved,
    liveDeadlineAt: input.deadlineAt,
    liveExtensions: input.extensions,
    liveNote: input.note,
    liveGuardrails: input.guardrails,
    liveScore: input.liveScore,
    manualConflictDetected: input.manualConflictDetected,
  };
  update(db, id, { values, states: ['live', 'verified'], at: input.at, what: 'a live window' });
}

/** Adds what was spent. `usd` null = the price is unknown: the sum of the known ones stays as it is. */
export function addCost(db: Db, id: number, input: { readonly usd: number | null; readonly tokens: number }): void {
  db.prepare(
    `UPDATE experiments SET tokens = coalesce(tokens, 0) + @tokens,
       cost_usd = CASE WHEN @usd IS NULL THEN cost_usd ELSE coalesce(cost_usd, 0) + @usd END
     WHERE id = @id`,
  ).run({ id, usd: input.usd, tokens: input.tokens });
}

/** Notes that a person's edit stands where an operation would write, or that it no longer does; in any state. */
export function markConflict(db: Db, id: number, input: { readonly detected: boolean; readonly at: number }): void {
  db.prepare(
    `UPDATE experiments SET manual_conflict_detected = @detected, updated_at = @at
     WHERE id = @id AND manual_conflict_detected <> @detected`,
  ).run({ id, detected: Number(input.detected), at: input.at });
}

export interface GitProvenance {
  readonly applyCommitSha?: string | null;
  readonly revertCommitSha?: string | null;
  readonly gitNote?: string | null;
}

/** Stores what git made of an operation, whatever state the experiment has reached since. */
export function recordGit(db: Db, id: number, input: GitProvenance): void {
  db.prepare(
    `UPDATE experiments SET apply_commit_sha = coalesce(@apply, apply_commit_sha),
       revert_commit_sha = coalesce(@revert, revert_commit_sha), git_note = @note WHERE id = @id`,
  ).run({
    id,
    apply: input.applyCommitSha ?? null,
    revert: input.revertCommitSha ?? null,
    note: input.gitNote ?? null,
  });
}
