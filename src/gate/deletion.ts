import { estimateEffect } from './effect.js';
import { faultOfCoverage, faultOfInfra, faultOfPairs, faultOfPlan } from './soundness.js';
import { studentTCdf } from './studentT.js';
import { tallyPairs } from './tally.js';
import type { DeletionPlan, GateData, Tally, Verdict } from './types.js';
import { showP, verdictOf } from './verdict.js';

/** What a shorter text may cost, in points of the pass rate over 100. */
export const DELETION_MARGIN = 0.1;
/** With fewer epochs the test's approximation is poorer, and it is taken at half of alpha. */
const FULL_EPOCHS = 6;

/**
 * Non-inferiority of a shorter text on these scenarios, on one fixed sample. Pure, and fails closed.
 * @returns `keep` when the loss is shown to be under the margin, `discard` when the loss seen reaches it
 */
export function decideDeletion(data: GateData, plan: DeletionPlan): Verdict {
  const bare = { alpha: plan.alpha, look: 1 };
  const wrong = faultOfPlan(plan) ?? faultOfMargin(plan) ?? faultOfPairs(data.pairs, plan);
  if (wrong !== null) return verdictOf('undecided', bare, wrong);
  const coverage = data.pairs.length / (plan.scenarios.length * plan.epochs);
  const unusable = faultOfInfra(data) ?? faultOfCoverage(coverage);
  if (unusable !== null) return verdictOf('undecided', { ...bare, coverage }, unusable);
  return decideDeletionTally(tallyPairs(data.pairs), plan, coverage);
}

/** The rule itself, on sound data. @param coverage complete pairs over planned ones, in [0, 1] */
export function decideDeletionTally(
  tally: Tally,
  plan: Pick<DeletionPlan, 'alpha' | 'epochs' | 'margin'>,
  coverage: number,
): Verdict {
  const estimate = estimateEffect(tally);
  const facts = {
    alpha: plan.alpha,
    look: 1,
    effect: estimate?.mean ?? null,
    interval: estimate?.interval ?? null,
    groups: tally.groups,
    epochs: plan.epochs,
    coverage,
  };
  const p = nonInferiorityP(tally, plan);
  if (estimate === null || p === null)
    return verdictOf('undecided', facts, 'too few groups or epochs to judge a deletion');
  const seen = { ...facts, p };
  const points = Math.round(plan.margin * 100);
  const allowed = allowedP(plan);
  if (p <= allowed) {
    return verdictOf(
      'keep',
      seen,
      `a loss of ${points} points is ruled out on these scenarios: p ${showP(p)} is at most ${showP(allowed)}`,
    );
  }
  return estimate.mean <= -plan.margin
    ? verdictOf('discard', seen, `the shorter text lost ${points} points or more`)
    : verdictOf(
        'undecided',
        seen,
        `p ${showP(p)} is above ${showP(allowed)}: a loss of ${points} points is not ruled out`,
      );
}

/**
 * One-sided p of "the loss is at least the margin m": t = (D + m) / SE against Student t with n - 1 degrees of
 * freedom. SE^2 is the largest of three variances: within scenarios, between groups, and that of a pass rate m below
 * certainty, m(1 - m)/(nk), which keeps a perfect sample from proving anything. Sign flips of differences shifted by m
 * are not valid here: those are not symmetric.
 * @returns null for fewer than two groups or two epochs
 */
export function nonInferiorityP(
  tally: Tally,
  { margin, epochs }: Pick<DeletionPlan, 'margin' | 'epochs'>,
): number | null {
  const estimate = estimateEffect(tally);
  if (estimate === null || tally.groups < 2 || epochs < 2 || !Number.isFinite(estimate.mean)) return null;
  const least = (margin * (1 - margin)) / (tally.groups * epochs);
  const variance = Math.max(estimate.within, estimate.between, least);
  const t = (estimate.mean + margin) / Math.sqrt(variance);
  return studentTCdf(-t, tally.groups - 1);
}

/**
 * Fewest groups with which a deletion that loses nothing at all is kept.
 * @returns Infinity when no number of groups is enough
 */
export function fewestDeletionGroups({ alpha, epochs, margin }: Omit<DeletionPlan, 'scenarios'>): number {
  if (epochs < 2) return Infinity;
  const odds = margin / (1 - margin);
  for (let n = 2; ; n += 1) {
    if (studentTCdf(-Math.sqrt(n * epochs * odds), n - 1) <= allowedP({ alpha, epochs })) return n;
  }
}

function allowedP({ alpha, epochs }: Pick<DeletionPlan, 'alpha' | 'epochs'>): number {
  return epochs < FULL_EPOCHS ? alpha / 2 : alpha;
}

function faultOfMargin({ margin }: DeletionPlan): string | null {
  return margin > 0 && margin < 1 ? null : 'the margin must lie between 0 and 1';
}
