import { KarpathyError } from '../errors.js';
import { DELETION_CONSULTATIONS, consultationAlpha, deletionAlpha, nextConsultation } from '../gate/errorBudget.js';
import { countEvidenceEpochs, listErrorSpending, type BudgetKind } from '../store/errorBudget.js';
import type { Context } from './context.js';
import { evidenceFingerprint } from './evidence.js';
import { requireProfile } from './requireProfile.js';

/** What the next consultation of the holdout may spend. */
export interface ErrorShare {
  readonly kind: BudgetKind;
  readonly evidenceFingerprint: string;
  readonly consultation: number;
  readonly alpha: number;
}

/**
 * From the ledger, for the evidence as it is now.
 * @throws KarpathyError `underpowered` when the deletions of this evidence are used up
 */
export async function nextShare(ctx: Context, kind: BudgetKind): Promise<ErrorShare> {
  return shareUnder(ctx, { kind, evidenceFingerprint: (await evidenceFingerprint(ctx)).sha256 });
}

/** `nextShare` of a known family; call it again in the transaction that spends it. */
export function shareUnder(ctx: Context, of: { kind: BudgetKind; evidenceFingerprint: string }): ErrorShare {
  const consultation = nextConsultation(listErrorSpending(ctx.db, { ...of, profileId: requireProfile(ctx).id }));
  const alpha =
    of.kind === 'deletion'
      ? deletionAlpha(consultation)
      : consultationAlpha(ctx.config.config.gate.alpha, consultation);
  if (alpha !== null) return { ...of, consultation, alpha };
  throw new KarpathyError(
    'underpowered',
    `${DELETION_CONSULTATIONS} deletions were tested without a keep on these holdout scenarios: their error budget is spent.`,
    {
      hint: 'Rewrites and insertions have a budget of their own. Another model or another holdout suite starts a new one.',
    },
  );
}

/** The error budget as `status` shows it. */
export interface ErrorBudgetView {
  /** Chance of any false keep over all edits under this evidence. */
  readonly alpha: number;
  /** Consultations of the holdout under this evidence so far, deletions not counted. */
  readonly consultations: number;
  /** What the next one may spend. */
  readonly nextAlpha: number;
  readonly deletions: { readonly consultations: number; readonly nextAlpha: number | null };
  /** Fingerprints under which the holdout was consulted: each is a family with an alpha of its own. */
  readonly evidenceEpochs: number;
}

export async function errorBudgetView(ctx: Context): Promise<ErrorBudgetView> {
  const profileId = requireProfile(ctx).id;
  const { sha256 } = await evidenceFingerprint(ctx);
  const spent = (kind: BudgetKind) => listErrorSpending(ctx.db, { profileId, evidenceFingerprint: sha256, kind });
  const [improvements, deletions] = [spent('improvement'), spent('deletion')];
  const { alpha } = ctx.config.config.gate;
  return {
    alpha,
    consultations: improvements.length,
    nextAlpha: consultationAlpha(alpha, nextConsultation(improvements)),
    deletions: { consultations: deletions.length, nextAlpha: deletionAlpha(nextConsultation(deletions)) },
    evidenceEpochs: countEvidenceEpochs(ctx.db, profileId),
  };
}
