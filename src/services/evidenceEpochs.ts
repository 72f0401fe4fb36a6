import { KarpathyError } from '../errors.js';
import { immediate } from '../store/database.js';
import { lastSpentEvidence } from '../store/errorBudget.js';
import { insertEpoch, listEpochs, markExpiredEvidence, type EvidenceEpochRow } from '../store/evidenceEpochs.js';
import { commandLine, requirePerson } from './authority.js';
import type { Context } from './context.js';
import {
  changesOf,
  evidenceFingerprint,
  newGroups,
  sameModels,
  type Evidence,
  type EvidenceFingerprint,
} from './evidence.js';
import { requireProfile } from './requireProfile.js';

/** An error budget of the profile, with the evidence it was opened for. */
export interface EvidenceEpoch extends Omit<EvidenceEpochRow, 'evidence'> {
  readonly evidence: Evidence;
}

/** Which epoch's error budget a consultation spends now. */
export interface EpochNow {
  /** Null: there is none yet; the first consultation opens it. */
  readonly epoch: EvidenceEpoch | null;
  /** A person may open a new one: models, evaluator, or half of the holdout groups are others than in every epoch. */
  readonly renewable: boolean;
  /** What is another than when the epoch was opened, in words. */
  readonly changes: readonly string[];
}

export function epochsOf(ctx: Context): EvidenceEpoch[] {
  // Written below from the same type.
  return listEpochs(ctx.db, requireProfile(ctx).id).map((row) => ({
    ...row,
    evidence: JSON.parse(row.evidence) as Evidence,
  }));
}

/**
 * The epoch whose evidence today's continues: the one that shares most holdout groups, so that a return to earlier
 * evidence returns to its ledger. When today's continues none, the last epoch goes on: its budget bounds the false
 * keeps of all consultations that it pays for, whatever they rested on, so going on with it refills nothing.
 */
export function epochNow(ctx: Context, now: Evidence): EpochNow {
  const epochs = epochsOf(ctx);
  const last = epochs.at(-1);
  if (last === undefined) return { epoch: null, renewable: false, changes: [] };
  const fitting = epochs
    .filter(({ evidence }) => continues(evidence, now))
    .sort((a, b) => newGroups(a.evidence, now) - newGroups(b.evidence, now) || b.number - a.number);
  const epoch = fitting[0] ?? last;
  return { epoch, renewable: fitting.length === 0, changes: changesOf(epoch.evidence, now) };
}

/** The same models and evaluator, and less than half of the holdout groups new. */
function continues(earlier: Evidence, now: Evidence): boolean {
  const fresh = newGroups(earlier, now);
  return sameModels(earlier, now) && (fresh === 0 || fresh * 2 < now.groups.length);
}

/** The id of the epoch that a consultation spends from; opens the profile's first one. Call it in a transaction. */
export function epochToSpend(ctx: Context, { sha256, detail }: EvidenceFingerprint): number {
  const { epoch } = epochNow(ctx, detail);
  if (epoch !== null) return epoch.id;
  return open(ctx, { evidence: { sha256, detail }, actor: 'gate', reason: 'the first test of this profile' });
}

function open(
  ctx: Context,
  of: { evidence: EvidenceFingerprint; actor: EvidenceEpoch['actor']; reason: string },
): number {
  return insertEpoch(ctx.db, {
    profileId: requireProfile(ctx).id,
    alpha: ctx.config.config.gate.alpha,
    evidence: JSON.stringify(of.evidence.detail),
    evidenceFingerprint: of.evidence.sha256,
    actor: of.actor,
    reason: of.reason,
    at: ctx.clock.now(),
  });
}

/**
 * A person opens a new error budget, since the evidence is another; the reason stays on record.
 * @throws KarpathyError `needs_person`; `wrong_state` while an earlier budget still covers today's evidence
 */
export async function renewErrorBudget(ctx: Context, { reason }: { readonly reason: string }): Promise<void> {
  requirePerson(ctx, 'a new error budget');
  const evidence = await evidenceFingerprint(ctx);
  immediate(ctx.db, () => {
    requireRenewable(ctx, evidence.detail);
    open(ctx, { evidence, actor: ctx.actor, reason: ctx.scrub.text(reason) });
  });
}

/** @throws KarpathyError `wrong_state` */
export function requireRenewable(ctx: Context, now: Evidence): void {
  const { epoch, renewable } = epochNow(ctx, now);
  if (renewable) return;
  if (epoch === null) {
    throw new KarpathyError('wrong_state', 'No holdout was tested yet, so there is no error budget to renew.', {
      hint: 'The first test of a change opens one by itself.',
    });
  }
  const groups = now.groups.length;
  const missing = Math.ceil(groups / 2) - newGroups(epoch.evidence, now);
  throw new KarpathyError(
    'wrong_state',
    `Epoch ${epoch.number} goes on: it was opened for the same models, and for more than half of the holdout groups.`,
    {
      hint: `A new error budget needs another agent model, judge or evaluator, or at least half of the holdout groups new (${missing} more of ${groups}).`,
    },
  );
}

/**
 * What a person should know before money is spent: what is another than at the last test of the holdout, and whose
 * error budget pays. Null = nothing.
 */
export async function evidenceNotice(ctx: Context): Promise<string | null> {
  const now = (await evidenceFingerprint(ctx)).detail;
  const { epoch, renewable } = epochNow(ctx, now);
  const last = lastSpentEvidence(ctx.db, requireProfile(ctx).id);
  if (epoch === null || last === null) return null;
  const changes = changesOf(JSON.parse(last) as Evidence, now);
  if (changes.length === 0) return null;
  const said = `Since the last holdout test: ${changes.join('; ')}. Error budget ${epoch.number} pays for the next one.`;
  return renewable ? `${said} \`${commandLine(ctx, "error-budget renew --reason '…'")}\` opens a new one.` : said;
}

/** Writes down which evidence no longer speaks of what is there now. */
export async function refreshExpiredEvidence(ctx: Context): Promise<void> {
  const { sha256: fingerprint } = await evidenceFingerprint(ctx);
  markExpiredEvidence(ctx.db, { profileId: requireProfile(ctx).id, fingerprint, at: ctx.clock.now() });
}
