import { createHash } from 'node:crypto';
import { applyEdit } from '../domain/applyEdit.js';
import type { AppliedEdit, StructuredEdit } from '../domain/edit.js';
import { matchCandidate } from '../domain/editFromCandidate.js';
import { findRefusals, type Refusal, type SuiteText } from '../domain/refusals.js';
import { BOM } from '../domain/sentences.js';
import { KarpathyError } from '../errors.js';
import { readTargetText } from '../ratchet/target.js';
import { userTurns, type Check } from '../schemas.js';
import { immediate } from '../store/database.js';
import { sameEdits, type TriedEdit } from '../store/experimentLists.js';
import type { EditRecord } from '../store/experiments.js';
import { recordConsultation } from '../store/holdoutConsultations.js';
import { listScenarios, type ScenarioRow } from '../store/scenarios.js';
import type { Context } from './context.js';
import { requireProfile } from './requireProfile.js';

/** The target as it stands, byte order mark included. */
export interface BaseText {
  readonly relpath: string;
  readonly text: string;
  readonly bytes: Uint8Array;
  readonly sha256: string;
}

/** @throws KarpathyError `bad_target` */
export function readBase(ctx: Context): BaseText {
  const { targetRelpath } = requireProfile(ctx);
  const file = readTargetText(ctx.profile.rootPath, targetRelpath);
  return { relpath: targetRelpath, text: (file.bom ? BOM : '') + file.text, bytes: file.bytes, sha256: file.sha256 };
}

export type WantedEdit =
  | { readonly edit: StructuredEdit }
  /** A person's version of the whole file. */
  | { readonly candidateText: string };

export interface CheckedEdit {
  readonly record: EditRecord;
  /** For a person: what would have been refused from a model. */
  readonly warnings: readonly string[];
}

/** Thrown edits that could be laid out have their record, so that the history can show what was refused. */
export class RefusedEdit extends KarpathyError {
  readonly record: EditRecord;

  constructor(error: KarpathyError, record: EditRecord) {
    super(error.code, error.message, { hint: error.hint, problems: error.problems });
    this.record = record;
  }
}

/**
 * Applies an edit to the target's text and holds it against every rule of a proposal; writes nothing but the
 * disclosure of a hidden scenario.
 * @throws KarpathyError `bad_edit`, `blocked_by_host` (as `RefusedEdit` once the edit could be applied)
 */
export async function checkEdit(
  ctx: Context,
  base: BaseText,
  how: { wanted: WantedEdit; by: 'model' | 'person'; proposerModel: string; experimentId: number | null },
): Promise<CheckedEdit> {
  const { edit, applied } = applyWanted(base, how.wanted);
  refuseSecrets(ctx, [applied.metadata.sentenceAfter ?? '', edit.rationale]);
  const record = editRecord(base, { edit, applied, proposerModel: how.proposerModel });
  const profileId = requireProfile(ctx).id;
  const refusals = findRefusals(
    {
      before: applied.metadata.sentenceBefore,
      after: applied.metadata.sentenceAfter,
      editKey: applied.metadata.editKey,
    },
    {
      suite: listScenarios(ctx.db, profileId).map(suiteText),
      tried: sameEdits(ctx.db, { profileId, editKey: applied.metadata.editKey }).filter(
        (t) => t.id !== how.experimentId && hadItsTurn(t),
      ),
      by: how.by,
    },
  );
  recordDisclosure(ctx, refusals, { profileId, experimentId: how.experimentId });
  const refused = refusals.filter((r) => r.severity === 'refuse');
  if (refused.length > 0) {
    throw new RefusedEdit(new KarpathyError('bad_edit', refused.map((r) => r.message).join(' ')), record);
  }
  await assertHostAccepts(ctx, base, { applied, record });
  return { record, warnings: refusals.map((r) => r.message) };
}

/** Before anything of it is recorded. */
function refuseSecrets(ctx: Context, texts: readonly string[]): void {
  if (texts.every((text) => ctx.scrub.text(text) === text)) return;
  throw new KarpathyError('bad_edit', 'The edit contains the value of a key or password of this profile.', {
    hint: 'Instructions are stored and sent to models. Say where the agent finds the key instead.',
  });
}

function applyWanted(base: BaseText, wanted: WantedEdit): { edit: StructuredEdit; applied: AppliedEdit } {
  if ('edit' in wanted) {
    return { edit: wanted.edit, applied: applyEdit(base.text, wanted.edit, { path: base.relpath }) };
  }
  return matchCandidate(base.text, wanted.candidateText, { path: base.relpath });
}

function editRecord(
  base: BaseText,
  how: { edit: StructuredEdit; applied: AppliedEdit; proposerModel: string },
): EditRecord {
  const candidateContent = Buffer.from(how.applied.candidate, 'utf8');
  return {
    operation: how.edit.operation,
    sentenceNumber: how.edit.sentence,
    rationale: how.edit.rationale,
    baseContent: base.bytes,
    baseSha256: base.sha256,
    candidateContent,
    candidateSha256: createHash('sha256').update(candidateContent).digest('hex'),
    metadata: how.applied.metadata,
    proposerModel: how.proposerModel,
  };
}

/** What was refused or withdrawn before any evidence had no turn yet. */
function hadItsTurn(edit: TriedEdit): boolean {
  return edit.verdict !== null || (edit.state !== 'proposed' && edit.state !== 'rejected');
}

export function suiteText(scenario: ScenarioRow): SuiteText {
  return {
    name: scenario.name,
    split: scenario.split,
    inputs: userTurns(scenario.spec),
    literals: scenario.spec.checks.flatMap(literalsOf),
  };
}

/** The texts a check looks for. What must not occur is no answer to give away. */
function literalsOf(check: Check): string[] {
  if (check.must_contain !== undefined) return [check.must_contain];
  if (check.file_equals !== undefined) return [check.file_equals.content];
  if (check.regex !== undefined) return check.regex.split(/[\\^$.|?*+()[\]{}]+/).filter((run) => run.trim() !== '');
  if (check.json_schema !== undefined) return stringsIn(check.json_schema);
  return [];
}

/** Constants and enumerated values of a JSON schema. */
function stringsIn(schema: unknown): string[] {
  if (Array.isArray(schema)) return schema.flatMap(stringsIn);
  if (typeof schema !== 'object' || schema === null) return [];
  return Object.entries(schema).flatMap(([key, value]) => {
    if (key === 'const') return typeof value === 'string' ? [value] : [];
    if (key === 'enum' && Array.isArray(value)) return value.filter((v) => typeof v === 'string');
    return stringsIn(value);
  });
}

function recordDisclosure(
  ctx: Context,
  refusals: readonly Refusal[],
  of: { profileId: number; experimentId: number | null },
): void {
  const disclosed = refusals.find((r) => r.disclosesHoldout);
  if (disclosed === undefined) return;
  immediate(ctx.db, () =>
    recordConsultation(ctx.db, {
      profileId: of.profileId,
      experimentId: of.experimentId,
      evalRunId: null,
      kind: 'disclosure',
      actor: ctx.actor,
      detail: disclosed.message,
      at: ctx.clock.now(),
    }),
  );
}

/** The host replaces or cuts a file it does not like, so such a candidate would test something else. */
async function assertHostAccepts(
  ctx: Context,
  base: BaseText,
  edit: { applied: AppliedEdit; record: EditRecord },
): Promise<void> {
  const check = await ctx.checkPrompt(edit.applied.candidate);
  if (!check.blocked && !check.truncated) return;
  const why = check.blocked
    ? `Hermes would block ${base.relpath} after this edit: ${check.findings.join('; ') || 'its scan found something'}.`
    : `Hermes would cut ${base.relpath} after this edit: it reads ${check.limitChars} characters.`;
  throw new RefusedEdit(
    new KarpathyError('blocked_by_host', why, { hint: 'Word the sentence differently, or shorten the file first.' }),
    edit.record,
  );
}
