import { KarpathyError } from '../errors.js';
import { modelChoiceSchema, type ModelChoice } from '../schemas.js';
import type { Db } from './database.js';

/** A profile as `init` left it. Its identity is `rootPath`; the name is a label. */
export interface ProfileRow {
  readonly id: number;
  /** Real path of the profile's home. */
  readonly rootPath: string;
  readonly name: string;
  readonly targetRelpath: string;
  readonly proposer: ModelChoice | null;
  readonly judge: ModelChoice | null;
  /** For the whole life of one edit; null = no limit in this unit. */
  readonly budgetUsd: number | null;
  readonly budgetTokens: number | null;
  /** When a person agreed to who sees which text; null = nobody was asked yet. */
  readonly disclosureAcceptedAt: number | null;
  readonly enabled: boolean;
  readonly pausedAt: number | null;
  readonly pauseReason: string | null;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** What `init` decides about a profile. */
export interface ProfileSettings {
  readonly rootPath: string;
  readonly name: string;
  readonly targetRelpath: string;
  readonly proposer: ModelChoice | null;
  readonly judge: ModelChoice | null;
  readonly budgetUsd: number | null;
  readonly budgetTokens: number | null;
  readonly disclosureAcceptedAt: number | null;
}

interface Stored {
  id: number;
  root_path: string;
  name: string;
  target_relpath: string;
  proposer: string | null;
  judge: string | null;
  budget_usd: number | null;
  budget_tokens: number | null;
  disclosure_accepted_at: number | null;
  enabled: number;
  paused_at: number | null;
  pause_reason: string | null;
  created_at: number;
  updated_at: number;
}

function fromStored(row: Stored): ProfileRow {
  return {
    id: row.id,
    rootPath: row.root_path,
    name: row.name,
    targetRelpath: row.target_relpath,
    proposer: modelOf(row.proposer),
    judge: modelOf(row.judge),
    budgetUsd: row.budget_usd,
    budgetTokens: row.budget_tokens,
    disclosureAcceptedAt: row.disclosure_accepted_at,
    enabled: row.enabled === 1,
    pausedAt: row.paused_at,
    pauseReason: row.pause_reason,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

function modelOf(json: string | null): ModelChoice | null {
  return json === null ? null : modelChoiceSchema.parse(JSON.parse(json));
}

function jsonOf(model: ModelChoice | null): string | null {
  return model === null ? null : JSON.stringify(model);
}

export function findProfile(db: Db, rootPath: string): ProfileRow | null {
  const row = db.prepare<[string], Stored>('SELECT * FROM profiles WHERE root_path = ?').get(rootPath);
  return row === undefined ? null : fromStored(row);
}

/** Creates the row of a profile, or updates the one with this real path; pause and id stay as they are. */
export function saveProfile(db: Db, settings: ProfileSettings & { readonly at: number }): ProfileRow {
  const { proposer, judge, ...plain } = settings;
  db.prepare(
    `INSERT INTO profiles (root_path, name, target_relpath, proposer, judge, budget_usd, budget_tokens,
                           disclosure_accepted_at, created_at, updated_at)
     VALUES (@rootPath, @name, @targetRelpath, @proposer, @judge, @budgetUsd, @budgetTokens,
             @disclosureAcceptedAt, @at, @at)
     ON CONFLICT (root_path) DO UPDATE SET
       name = excluded.name, target_relpath = excluded.target_relpath, proposer = excluded.proposer,
       judge = excluded.judge, budget_usd = excluded.budget_usd, budget_tokens = excluded.budget_tokens,
       disclosure_accepted_at = excluded.disclosure_accepted_at, enabled = 1, updated_at = excluded.updated_at`,
  ).run({ ...plain, proposer: jsonOf(proposer), judge: jsonOf(judge) });
  const saved = findProfile(db, settings.rootPath);
  if (saved === null) throw new KarpathyError('internal', `The row of ${settings.rootPath} is gone.`);
  return saved;
}

/** `at` null resumes. */
export function setPaused(db: Db, id: number, pause: { at: number | null; reason: string | null; now: number }): void {
  db.prepare('UPDATE profiles SET paused_at = ?, pause_reason = ?, updated_at = ? WHERE id = ?').run(
    pause.at,
    pause.reason,
    pause.now,
    id,
  );
}
