import { KarpathyError } from '../errors.js';
import {
  consultationAlpha,
  deletionAlpha,
  DELETION_ALPHA,
  DELETION_CONSULTATIONS,
  nextConsultation,
} from '../gate/errorBudget.js';
import { errorSums, type BudgetKind, type ErrorSums } from '../store/errorBudget.js';
import { commandLine } from './authority.js';
import type { Context } from './context.js';
import { evidenceFingerprint, type EvidenceFingerprint } from './evidence.js';
import { epochNow, epochsOf, type EvidenceEpoch } from './evidenceEpochs.js';
import { requireProfile } from './requireProfile.js';

/** What the next consultation of the holdout may spend. */
export interface ErrorShare {
  readonly kind: BudgetKind;
  readonly evidenceFingerprint: string;
  /** Number of the epoch it is spent from. */
  readonly epoch: number;
  readonly consultation: number;
  readonly alpha: number;
}

/**
 * From the ledger, for the evidence as it is now; ask again in the transaction that spends it.
 * @throws KarpathyError `underpowered` when the deletions of this epoch are used up
 */
export function shareOf(ctx: Context, of: { kind: BudgetKind; evidence: EvidenceFingerprint }): ErrorShare {
  const { kind, evidence } = of;
  const { epoch, renewable } = epochNow(ctx, evidence.detail);
  const { consultation, alpha } = nextShare(ctx, { kind, epoch, sums: sumsOf(ctx) });
  const share = { kind, evidenceFingerprint: evidence.sha256, epoch: epoch?.number ?? 1, consultation };
  if (alpha !== null) return { ...share, alpha };
  throw new KarpathyError(
    'underpowered',
    `${DELETION_CONSULTATIONS} deletions were tested without a keep on these holdout scenarios: their error budget is spent.`,
    {
      hint: renewable
        ? `\`${commandLine(ctx, "error-budget renew --reason '…'")}\` opens a new one, since models or suite are others now.`
        : 'Rewrites and insertions have a budget of their own. Another model, or a holdout suite of which half is new, allows a new one.',
    },
  );
}

function sumsOf(ctx: Context): ErrorSums[] {
  return errorSums(ctx.db, requireProfile(ctx).id);
}

function nextShare(
  ctx: Context,
  of: { kind: BudgetKind; epoch: EvidenceEpoch | null; sums: readonly ErrorSums[] },
): { consultation: number; alpha: number | null } {
  const own = of.sums.filter(({ kind, epochId }) => kind === of.kind && epochId === of.epoch?.id);
  const consultation = nextConsultation(own.map(({ lastSpent }) => ({ kept: false, consultation: lastSpent })));
  return {
    consultation,
    alpha:
      of.kind === 'deletion' ? deletionAlpha(consultation) : consultationAlpha(alphaOf(ctx, of.epoch), consultation),
  };
}

/** An epoch's alpha is fixed when it opens; a stricter setting holds at once, a laxer one from the next epoch on. */
function alphaOf(ctx: Context, epoch: EvidenceEpoch | null): number {
  const { alpha } = ctx.config.config.gate;
  return epoch === null ? alpha : Math.min(alpha, epoch.alpha);
}

/** One error budget of the profile. */
export interface EpochView {
  readonly number: number;
  readonly openedAt: number;
  readonly openedBy: string;
  readonly reason: string;
  /** Chance of any false keep in it. */
  readonly alpha: number;
  /** Of that, what consultations without a keep have spent. */
  readonly spent: number;
  readonly consultations: number;
  readonly deletions: number;
}

/** The error budget as `status` shows it. */
export interface ErrorBudgetView {
  /** Number of the epoch that the next consultation spends from. */
  readonly epoch: number;
  /** Chance of any false keep over all edits of this epoch. */
  readonly alpha: number;
  /** Of that, what is not spent. */
  readonly left: number;
  /** Consultations of the holdout in this epoch so far, deletions not counted. */
  readonly consultations: number;
  /** The next one's number (a keep hands its own on), and what it may spend. */
  readonly nextConsultation: number;
  readonly nextAlpha: number;
  readonly deletions: {
    readonly consultations: number;
    readonly nextConsultation: number;
    /** Null when they are used up. */
    readonly nextAlpha: number | null;
    readonly left: number;
  };
  readonly epochs: readonly EpochView[];
  /** Of all epochs: what may have gone wrong in any of them. */
  readonly summedAlpha: number;
  /** What is another than when the epoch was opened, in words. */
  readonly changes: readonly string[];
  /** `error-budget renew` may open a new epoch. */
  readonly renewable: boolean;
}

export async function errorBudgetView(ctx: Context): Promise<ErrorBudgetView> {
  const { epoch, renewable, changes } = epochNow(ctx, (await evidenceFingerprint(ctx)).detail);
  const sums = sumsOf(ctx);
  const epochs = epochsOf(ctx).map((one) => epochView(one, sums));
  const improvement = nextShare(ctx, { kind: 'improvement', epoch, sums });
  const deletion = nextShare(ctx, { kind: 'deletion', epoch, sums });
  const own = epochs.find(({ number }) => number === epoch?.number);
  const alpha = epoch?.alpha ?? alphaOf(ctx, null);
  return {
    epoch: epoch?.number ?? 1,
    alpha,
    left: alpha - (own?.spent ?? 0),
    consultations: own?.consultations ?? 0,
    nextConsultation: improvement.consultation,
    nextAlpha: improvement.alpha ?? 0,
    deletions: {
      consultations: own?.deletions ?? 0,
      nextConsultation: deletion.consultation,
      nextAlpha: deletion.alpha,
      left: DELETION_ALPHA * Math.max(0, DELETION_CONSULTATIONS - deletion.consultation + 1),
    },
    epochs,
    summedAlpha: epochs.length === 0 ? alpha : epochs.reduce((sum, one) => sum + one.alpha, 0),
    changes,
    renewable,
  };
}

function epochView(epoch: EvidenceEpoch, sums: readonly ErrorSums[]): EpochView {
  const own = (kind: BudgetKind) => sums.find((one) => one.epochId === epoch.id && one.kind === kind);
  const improvements = own('improvement');
  return {
    number: epoch.number,
    openedAt: epoch.at,
    openedBy: epoch.actor,
    reason: epoch.reason,
    alpha: epoch.alpha,
    spent: improvements?.spent ?? 0,
    consultations: improvements?.consultations ?? 0,
    deletions: own('deletion')?.consultations ?? 0,
  };
}
