import type { EditOperation, ExperimentState, VerdictKind } from '../domain/experiment.js';

/** A row of `experiments`. Times are milliseconds since the epoch, hashes lower-case hex SHA-256. */
export interface ExperimentRow {
  readonly id: number;
  readonly profileId: number;
  readonly profile: string;
  readonly targetProfileRoot: string;
  readonly targetRelpath: string;
  readonly state: ExperimentState;

  readonly operation: EditOperation | null;
  readonly sentenceNumber: number | null;
  readonly sentenceBefore: string | null;
  readonly sentenceAfter: string | null;
  readonly rationale: string | null;
  readonly diff: string;
  readonly editKey: string | null;
  readonly baseContent: Buffer | null;
  readonly baseSha256: string | null;
  readonly candidateContent: Buffer | null;
  readonly candidateSha256: string | null;
  readonly changedHunks: number | null;
  readonly addedLines: number | null;
  readonly removedLines: number | null;
  readonly sentenceDeltaCount: number | null;
  readonly targetSpan: { readonly start: number; readonly end: number } | null;
  readonly proposerModel: string | null;
  readonly judgeModel: string | null;
  /** Train groups whose failures the proposer saw; null when a person wrote the edit, or nobody yet. */
  readonly shownGroups: readonly string[] | null;

  readonly verdict: VerdictKind | null;
  readonly verdictReason: string | null;
  /** Whatever the gate stored: its verdict document. */
  readonly verdictDetail: unknown;
  readonly offlineScore: number | null;
  readonly liveScore: number | null;
  readonly evidenceFingerprint: string | null;
  /** Since when model, suite or evaluator are others than at the verdict; null while they are the same. */
  readonly evidenceExpiredAt: number | null;
  readonly costUsd: number | null;
  readonly tokens: number | null;

  readonly approvedBy: string | null;
  readonly approvedAt: number | null;
  readonly approvalOverrideReason: string | null;
  readonly autoRevertAgreed: boolean;
  readonly rejectedBy: string | null;
  readonly rejectedAt: number | null;
  readonly rejectionReason: string | null;

  readonly profileGitRoot: string | null;
  readonly baseBlobSha: string | null;
  readonly baseCommitSha: string | null;
  readonly applyCommitSha: string | null;
  readonly revertCommitSha: string | null;
  readonly dirtyBeforeApply: boolean | null;
  readonly gitNote: string | null;

  readonly appliedAt: number | null;
  readonly liveSessionsTarget: number | null;
  readonly liveSessionsObserved: number;
  readonly liveDeadlineAt: number | null;
  readonly liveExtensions: number;
  readonly liveNote: string | null;
  /** GuardrailReport of the window's last end. */
  readonly liveGuardrails: unknown;
  readonly manualConflictDetected: boolean;
  readonly verifiedAt: number | null;
  readonly revertedAt: number | null;
  readonly closingReason: string | null;
  readonly baselineId: number | null;

  readonly createdAt: number;
  readonly updatedAt: number;
}

const BOOLEANS = new Set(['autoRevertAgreed', 'dirtyBeforeApply', 'manualConflictDetected']);
const JSON_COLUMNS = new Set(['targetSpan', 'verdictDetail', 'shownGroups', 'liveGuardrails']);

export function camelCase(column: string): string {
  return column.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** `sha256` columns end in digits, which take no underscore of their own. */
export function snakeCase(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Maps what SQLite returned for `SELECT * FROM experiments`; the table's CHECKs make the cast true. */
export function experimentRow(raw: unknown): ExperimentRow {
  const entries = Object.entries(raw as Record<string, unknown>).map(([column, value]) => {
    const key = camelCase(column);
    if (value !== null && BOOLEANS.has(key)) return [key, value === 1];
    if (typeof value === 'string' && JSON_COLUMNS.has(key)) return [key, JSON.parse(value) as unknown];
    return [key, value];
  });
  return Object.fromEntries(entries) as ExperimentRow;
}

/** The form in which a value of a row is bound to a statement. */
export function columnValue(key: string, value: unknown): unknown {
  if (value === undefined || value === null) return null;
  if (JSON_COLUMNS.has(key)) return JSON.stringify(value);
  return typeof value === 'boolean' ? Number(value) : value;
}
