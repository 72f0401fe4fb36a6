import type { EditOperation, ExperimentState, VerdictKind } from '../domain/experiment.js';
import type { Db } from './database.js';

/** One experiment as a list shows it: without the texts of the file, which a long list could not hold. */
export interface ExperimentSummary {
  readonly id: number;
  readonly state: ExperimentState;
  readonly verdict: VerdictKind | null;
  readonly overrideReason: string | null;
  readonly operation: EditOperation | null;
  readonly sentenceBefore: string | null;
  readonly sentenceAfter: string | null;
  readonly proposerModel: string | null;
  readonly reason: string | null;
  readonly costUsd: number | null;
  readonly tokens: number | null;
  readonly createdAt: number;
}

/** Newest first; `before`: only those with a smaller number. A limit of -1 is none. */
export function experimentSummaries(
  db: Db,
  of: { profileId: number; before: number | null; limit: number },
): ExperimentSummary[] {
  return db
    .prepare(
      `SELECT id, state, verdict, approval_override_reason AS overrideReason, operation,
         sentence_before AS sentenceBefore, sentence_after AS sentenceAfter, proposer_model AS proposerModel,
         coalesce(closing_reason, rejection_reason, verdict_reason) AS reason, cost_usd AS costUsd, tokens,
         created_at AS createdAt
       FROM experiments WHERE profile_id = @profileId AND id < @before ORDER BY id DESC LIMIT @limit`,
    )
    .all({ ...of, before: of.before ?? Number.MAX_SAFE_INTEGER }) as ExperimentSummary[];
}

/** Live and verified experiments that came after one, newest first. */
export function keptAfter(db: Db, of: { profileId: number; id: number }): number[] {
  return db
    .prepare(
      `SELECT id FROM experiments WHERE profile_id = @profileId AND id > @id AND state IN ('live', 'verified')
       ORDER BY id DESC`,
    )
    .pluck()
    .all(of) as number[];
}

/** How many edits a model was asked for since then, whatever became of them. */
export function countModelEdits(db: Db, of: { profileId: number; since: number; human: string }): number {
  return db
    .prepare(
      `SELECT count(*) FROM experiments
       WHERE profile_id = @profileId AND created_at >= @since AND proposer_model IS NOT @human`,
    )
    .pluck()
    .get(of) as number;
}

/** A verified deletion, by the text it began from. */
export interface VerifiedDeletion {
  readonly id: number;
  readonly baseContent: Buffer | null;
  readonly baseSha256: string | null;
}

/** The newest verified deletion that led to a text, of those before another experiment; null = none did. */
export function deletionTo(
  db: Db,
  of: { profileId: number; candidateSha256: string; before: number },
): VerifiedDeletion | null {
  const row = db
    .prepare(
      `SELECT id, base_content AS baseContent, base_sha256 AS baseSha256 FROM experiments
       WHERE profile_id = @profileId AND state = 'verified' AND candidate_sha256 = @candidateSha256
         AND operation = 'delete' AND id < @before ORDER BY id DESC LIMIT 1`,
    )
    .get(of) as VerifiedDeletion | undefined;
  return row ?? null;
}

/** An edit of the profile so far. */
export interface TriedEdit {
  readonly id: number;
  readonly editKey: string;
  readonly operation: EditOperation;
  readonly sentenceBefore: string | null;
  readonly sentenceAfter: string | null;
  readonly state: ExperimentState;
  readonly verdict: VerdictKind | null;
  readonly reason: string | null;
}

const TRIED = `SELECT id, edit_key AS editKey, operation, sentence_before AS sentenceBefore,
    sentence_after AS sentenceAfter, state, verdict,
    coalesce(closing_reason, rejection_reason, verdict_reason) AS reason
  FROM experiments WHERE profile_id = @profileId`;

/** The newest edits of the profile, oldest first, the one in flight included. */
export function editsTried(db: Db, of: { profileId: number; newest: number }): TriedEdit[] {
  const sql = `${TRIED} AND edit_key IS NOT NULL ORDER BY id DESC LIMIT @newest`;
  return (db.prepare(sql).all(of) as TriedEdit[]).reverse();
}

/** Whenever this very edit was made before, oldest first. */
export function sameEdits(db: Db, of: { profileId: number; editKey: string }): TriedEdit[] {
  return db.prepare(`${TRIED} AND edit_key = @editKey ORDER BY id`).all(of) as TriedEdit[];
}
