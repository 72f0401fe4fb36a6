import { createHash } from 'node:crypto';
import type { Split } from '../domain/experiment.js';
import { scenarioSpecSchema, type ScenarioSnapshot, type ScenarioSpec } from '../schemas.js';
import type { Db } from './database.js';

export interface ScenarioRow {
  readonly id: number;
  readonly profileId: number;
  readonly name: string;
  readonly split: Split;
  /** The unit of the gate; a lone scenario is its own group. */
  readonly group: string;
  readonly spec: ScenarioSpec;
  /** Of split, group and spec, independent of the order of keys. */
  readonly contentSha256: string;
  /** Who typed the names of the tools that really run; null unless `tools: real`. */
  readonly realToolsConfirmedBy: string | null;
  readonly firstUsedAt: number | null;
  readonly createdAt: number;
  readonly deletedAt: number | null;
}

export interface NewScenario {
  readonly profileId: number;
  readonly name: string;
  readonly split: Split;
  readonly group: string;
  readonly spec: ScenarioSpec;
  readonly realToolsConfirmedBy: string | null;
  readonly at: number;
}

interface Stored {
  id: number;
  profile_id: number;
  name: string;
  split: Split;
  group_name: string;
  spec: string;
  content_sha256: string;
  real_tools_confirmed_by: string | null;
  first_used_at: number | null;
  created_at: number;
  deleted_at: number | null;
}

function fromStored(row: Stored): ScenarioRow {
  return {
    id: row.id,
    profileId: row.profile_id,
    name: row.name,
    split: row.split,
    group: row.group_name,
    spec: scenarioSpecSchema.parse(JSON.parse(row.spec)),
    contentSha256: row.content_sha256,
    realToolsConfirmedBy: row.real_tools_confirmed_by,
    firstUsedAt: row.first_used_at,
    createdAt: row.created_at,
    deletedAt: row.deleted_at,
  };
}

/** Two scenarios are the same when split, group and body are; the order of keys means nothing. */
export function scenarioSha256(content: Pick<NewScenario, 'split' | 'group' | 'spec'>): string {
  const { split, group, spec } = content;
  return createHash('sha256')
    .update(JSON.stringify(sorted({ split, group, spec })))
    .digest('hex');
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  // A list of pairs: an object would put keys like "10" before others.
  return entries.filter(([, inner]) => inner !== undefined).map(([key, inner]) => [key, sorted(inner)]);
}

/** The scenarios that are not deleted, by id (the order they were added in). */
export function listScenarios(db: Db, profileId: number, filter: { readonly split?: Split } = {}): ScenarioRow[] {
  return db
    .prepare<{ profileId: number; split: Split | null }, Stored>(
      `SELECT * FROM scenarios WHERE profile_id = @profileId AND deleted_at IS NULL
         AND (@split IS NULL OR split = @split) ORDER BY id`,
    )
    .all({ profileId, split: filter.split ?? null })
    .map(fromStored);
}

export function findScenario(db: Db, profileId: number, name: string): ScenarioRow | null {
  const row = db
    .prepare<[number, string], Stored>(
      'SELECT * FROM scenarios WHERE profile_id = ? AND name = ? AND deleted_at IS NULL',
    )
    .get(profileId, name);
  return row === undefined ? null : fromStored(row);
}

/** Deleted and replaced ones too. */
export function findScenarioById(db: Db, id: number): ScenarioRow | null {
  const row = db.prepare<[number], Stored>('SELECT * FROM scenarios WHERE id = ?').get(id);
  return row === undefined ? null : fromStored(row);
}

export function insertScenario(db: Db, scenario: NewScenario): number {
  const { lastInsertRowid } = db
    .prepare(
      `INSERT INTO scenarios (profile_id, name, split, group_name, spec, content_sha256, real_tools_confirmed_by, created_at)
       VALUES (@profileId, @name, @split, @group, @spec, @sha256, @realToolsConfirmedBy, @at)`,
    )
    .run({ ...scenario, spec: JSON.stringify(scenario.spec), sha256: scenarioSha256(scenario) });
  return Number(lastInsertRowid);
}

/**
 * Puts `next` in the place of `old`; call it inside a transaction. A scenario that no evaluation has used is
 * rewritten; a used one stays as it was, deleted, and points to the new row. Returns the id of the row that counts.
 */
export function replaceScenario(db: Db, old: ScenarioRow, next: NewScenario): number {
  if (old.firstUsedAt === null) {
    db.prepare(
      `UPDATE scenarios SET name = @name, split = @split, group_name = @group, spec = @spec, content_sha256 = @sha256,
         real_tools_confirmed_by = @realToolsConfirmedBy WHERE id = @id`,
    ).run({
      id: old.id,
      name: next.name,
      split: next.split,
      group: next.group,
      spec: JSON.stringify(next.spec),
      sha256: scenarioSha256(next),
      realToolsConfirmedBy: next.realToolsConfirmedBy,
    });
    return old.id;
  }
  softDelete(db, old.id, next.at);
  const id = insertScenario(db, next);
  db.prepare('UPDATE scenarios SET replaced_by = ? WHERE id = ?').run(id, old.id);
  return id;
}

export function softDelete(db: Db, id: number, at: number): void {
  db.prepare('UPDATE scenarios SET deleted_at = ? WHERE id = ? AND deleted_at IS NULL').run(at, id);
}

/** From now on an edit of these makes a new row. */
export function markUsed(db: Db, ids: readonly number[], at: number): void {
  const mark = db.prepare('UPDATE scenarios SET first_used_at = ? WHERE id = ? AND first_used_at IS NULL');
  for (const id of ids) mark.run(at, id);
}

export function snapshotOf(row: ScenarioRow): ScenarioSnapshot {
  return { id: row.id, name: row.name, split: row.split, group: row.group, spec: row.spec };
}

/** The whole suite as it stands, train and holdout, to be frozen into a plan. */
export function snapshotsForPlan(db: Db, profileId: number): ScenarioSnapshot[] {
  return listScenarios(db, profileId).map(snapshotOf);
}

/** Trials of one scenario in all evaluations of its profile that are over, infra left out. */
export interface ScenarioHistory {
  readonly scenarioId: number;
  readonly passed: number;
  readonly failed: number;
}

export function scenarioHistory(db: Db, profileId: number): ScenarioHistory[] {
  return db
    .prepare<[number], ScenarioHistory>(
      `SELECT s.id AS scenarioId, SUM(t.outcome = 'pass') AS passed, SUM(t.outcome = 'fail') AS failed
       FROM scenarios s JOIN trials t ON t.scenario_id = s.id JOIN eval_runs r ON r.id = t.eval_run_id
       WHERE s.profile_id = ? AND s.deleted_at IS NULL AND t.outcome <> 'infra'
         AND r.state IN ('finished', 'failed', 'cancelled') GROUP BY s.id`,
    )
    .all(profileId);
}
