import { KarpathyError } from '../errors.js';
import { DELETION_CONSULTATIONS, consultationAlpha, deletionAlpha, nextConsultation } from '../gate/errorBudget.js';
import { listErrorSpending, type BudgetKind, type ErrorSpending } from '../store/errorBudget.js';
import type { Context } from './context.js';
import { evidenceFingerprint, type EvidenceFingerprint } from './evidence.js';
import { requireProfile } from './requireProfile.js';

/** What the next consultation of the holdout may spend. */
export interface ErrorShare {
  readonly kind: BudgetKind;
  readonly evidenceFingerprint: string;
  readonly consultation: number;
  readonly alpha: number;
}

/**
 * From the ledger, for the evidence as it is now; ask again in the transaction that spends it.
 * @throws KarpathyError `underpowered` when the deletions of this evidence are used up
 */
export function shareOf(ctx: Context, of: { kind: BudgetKind; evidence: EvidenceFingerprint }): ErrorShare {
  const { kind, evidence } = of;
  const earlier = familyOf(consultations(ctx), evidence.detail).filter((one) => one.kind === kind);
  const consultation = nextConsultation(earlier);
  const alpha =
    kind === 'deletion' ? deletionAlpha(consultation) : consultationAlpha(ctx.config.config.gate.alpha, consultation);
  if (alpha !== null) return { kind, evidenceFingerprint: evidence.sha256, consultation, alpha };
  throw new KarpathyError(
    'underpowered',
    `${DELETION_CONSULTATIONS} deletions were tested without a keep on these holdout scenarios: their error budget is spent.`,
    {
      hint: 'Rewrites and insertions have a budget of their own. Another model, or a holdout suite of which half is new, starts a new one.',
    },
  );
}

type Evidence = EvidenceFingerprint['detail'];
type Consultation = Omit<ErrorSpending, 'evidence'> & { readonly evidence: Evidence };

function consultations(ctx: Context): Consultation[] {
  // Written by planRun from the same type.
  return listErrorSpending(ctx.db, requireProfile(ctx).id).map((one) => ({
    ...one,
    evidence: JSON.parse(one.evidence) as Evidence,
  }));
}

function familyOf(all: readonly Consultation[], now: Evidence): Consultation[] {
  return all.filter(({ evidence }) => continues(evidence, now));
}

/**
 * Whether what was spent on earlier evidence counts for today's: the same model, judge and evaluator, and less than
 * half of the holdout scenarios new. Else an edit of one scenario would refill the budget.
 */
function continues(earlier: Evidence, now: Evidence): boolean {
  const models = ({ agent, judge, evaluator }: Evidence): string => JSON.stringify([agent, judge, evaluator]);
  const known = new Set(earlier.holdout);
  const fresh = now.holdout.filter((scenario) => !known.has(scenario)).length;
  return models(earlier) === models(now) && fresh * 2 < now.holdout.length;
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
  /** Suites and models so far that had, or have, an alpha of their own. */
  readonly families: number;
}

export async function errorBudgetView(ctx: Context): Promise<ErrorBudgetView> {
  const now = (await evidenceFingerprint(ctx)).detail;
  const all = consultations(ctx);
  const family = familyOf(all, now);
  const improvements = family.filter(({ kind }) => kind === 'improvement');
  const deletions = family.filter(({ kind }) => kind === 'deletion');
  const { alpha } = ctx.config.config.gate;
  return {
    alpha,
    consultations: improvements.length,
    nextAlpha: consultationAlpha(alpha, nextConsultation(improvements)),
    deletions: { consultations: deletions.length, nextAlpha: deletionAlpha(nextConsultation(deletions)) },
    families: countFamilies([...all.map(({ evidence }) => evidence), now]),
  };
}

function countFamilies(evidence: readonly Evidence[]): number {
  const firsts: Evidence[] = [];
  for (const one of evidence) if (!firsts.some((first) => continues(first, one))) firsts.push(one);
  return firsts.length;
}
