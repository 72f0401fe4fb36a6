import { estimateEffect } from './effect.js';
import { fewestGroups } from './plan.js';
import { signFlipP } from './signFlip.js';
import { faultOfCoverage, faultOfInfra, faultOfLooks, faultOfPairs, faultOfPlan } from './soundness.js';
import { groupDifferences, tallyPairs } from './tally.js';
import type { GateData, GatePlan, LookDecision, Tally } from './types.js';
import { showP, verdictOf } from './verdict.js';

/**
 * Decides at one look of the plan, on the holdout pairs gathered by then. Pure, and fails closed: data that is
 * missing, malformed, lopsided or too little is `undecided`, never `keep`.
 *
 * @param look 1-based index into `plan.looks`
 * @returns a verdict, or null: not decided yet, gather up to the next look
 */
export function decide(data: GateData, plan: GatePlan, look: number): LookDecision {
  const at = plan.looks[look - 1];
  const bare = { alpha: plan.alpha, look };
  if (at === undefined) return verdictOf('undecided', bare, 'the plan has no such look');
  const wrong = faultOfPlan(plan) ?? faultOfLooks(plan) ?? faultOfPairs(data.pairs, plan);
  if (wrong !== null) return verdictOf('undecided', bare, wrong);

  const pairs = data.pairs.filter((pair) => pair.epoch <= at.epochs);
  const coverage = pairs.length / (plan.scenarios.length * at.epochs);
  const tally = tallyPairs(pairs);
  const estimate = estimateEffect(tally);
  const facts = {
    ...bare,
    effect: estimate?.mean ?? null,
    interval: estimate?.interval ?? null,
    groups: tally.groups,
    epochs: at.epochs,
    coverage,
  };
  if (estimate === null) return verdictOf('undecided', facts, 'no complete pair of trials');
  const infra = faultOfInfra(data);
  // Later epochs may even it out; nothing is kept before they have.
  if (infra !== null) return look === plan.looks.length ? verdictOf('undecided', facts, infra) : null;
  const uncovered = faultOfCoverage(coverage);
  if (uncovered !== null) return verdictOf('undecided', facts, uncovered);
  return decideTally(tally, plan, { look, coverage });
}

/**
 * The rule itself, on sound data: `decide` after its checks, and what the benchmark calls on its own draws.
 * @param at coverage: complete pairs over planned ones, in [0, 1]
 */
export function decideTally(
  tally: Tally,
  plan: Pick<GatePlan, 'alpha' | 'looks'>,
  { look, coverage }: { look: number; coverage: number },
): LookDecision {
  const at = plan.looks[look - 1];
  const estimate = estimateEffect(tally);
  if (at === undefined || estimate === null) throw new RangeError('a look needs a plan and pairs');
  const { mean: effect, interval, z } = estimate;
  const facts = { alpha: plan.alpha, look, effect, interval, groups: tally.groups, epochs: at.epochs, coverage };
  const needed = fewestGroups(plan.alpha * Math.max(...plan.looks.map((l) => l.share)));
  if (tally.groups < needed) {
    const few = `${tally.groups} holdout ${tally.groups === 1 ? 'group' : 'groups'} can't give evidence at alpha ${showP(plan.alpha)}: at least ${needed} are needed`;
    return verdictOf('undecided', facts, few);
  }
  const p = signFlipP(groupDifferences(tally));
  if (Number.isNaN(effect) || Number.isNaN(p)) return verdictOf('undecided', facts, 'the effect is not a number');
  const seen = { ...facts, p };
  const allowed = at.share * plan.alpha;
  if (p <= allowed) {
    return verdictOf('keep', seen, `p ${showP(p)} is at most ${showP(allowed)}, this look's share of alpha`);
  }
  if (z < at.futilityZ) {
    const reason =
      effect <= 0
        ? 'the candidate did no better than the incumbent'
        : `the gain is within noise: ${z.toFixed(2)} standard errors, under ${at.futilityZ}`;
    return verdictOf('discard', seen, reason);
  }
  if (look < plan.looks.length) return null;
  const reason = `p ${showP(p)} is above ${showP(allowed)}; there is a sign of a gain, but no proof`;
  return verdictOf('undecided', seen, reason);
}
