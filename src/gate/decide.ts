import { estimateEffect, summariseGroups } from './groups.js';
import { fewestGroups } from './plan.js';
import { signFlipP } from './signFlip.js';
import type { GateData, GatePlan, Look, LookDecision, Pair, Verdict } from './types.js';

/** Below this share of complete pairs nothing is decided. */
export const MIN_COVERAGE = 0.9;
/** How much larger the candidate's share of infra trials may be than the incumbent's; a single trial is no sign. */
export const MAX_INFRA_EXCESS = 0.05;

/**
 * Decides at one look of the plan, on the holdout pairs gathered by then. Pure, and fails closed: data that is
 * missing, malformed, lopsided or too little is `undecided`, never `keep`.
 *
 * @param look 1-based index into `plan.looks`
 * @returns a verdict, or null: not decided yet, gather up to the next look
 */
export function decide(data: GateData, plan: GatePlan, look: number): LookDecision {
  const at = plan.looks[look - 1];
  const undecided = verdictWith('undecided', { alpha: plan.alpha, look });
  if (at === undefined) return undecided('the plan has no such look');
  const wrong = faultOfPlan(plan) ?? faultOfPairs(data.pairs, plan);
  if (wrong !== null) return undecided(wrong);

  const last = look === plan.looks.length;
  const pairs = data.pairs.filter((pair) => pair.epoch <= at.epochs);
  const summary = summariseGroups(pairs);
  const facts = factsOf(pairs, { plan, at, look });
  const stop = verdictWith('undecided', facts);

  if (pairs.length === 0) return stop('no complete pair of trials');
  const infra = infraFault(data);
  // Later epochs may even it out; nothing is kept before they have.
  if (infra !== null) return last ? stop(infra) : null;
  if (facts.coverage < MIN_COVERAGE) {
    return stop(
      `only ${percent(facts.coverage)} of the planned pairs are complete, ${percent(MIN_COVERAGE)} are needed`,
    );
  }
  const needed = fewestGroups(plan.alpha * Math.max(...plan.looks.map((l) => l.share)));
  if (summary.length < needed) {
    return stop(
      `${summary.length} holdout groups can't give evidence at alpha ${plan.alpha}: at least ${needed} are needed`,
    );
  }

  const p = signFlipP(summary.map((group) => group.difference));
  const seen = { ...facts, p };
  const estimate = estimateEffect(pairs);
  if (estimate === null || Number.isNaN(estimate.mean) || Number.isNaN(p)) return stop('the effect is not a number');
  if (p <= at.share * plan.alpha) {
    return verdictWith(
      'keep',
      seen,
    )(`p ${show(p)} is at most ${show(at.share * plan.alpha)}, this look's share of alpha`);
  }
  if (estimate.z < at.futilityZ) {
    return verdictWith(
      'discard',
      seen,
    )(
      estimate.mean <= 0
        ? 'the candidate did no better than the incumbent'
        : `the gain is within noise: ${estimate.z.toFixed(2)} standard errors, under ${at.futilityZ}`,
    );
  }
  if (!last) return null;
  return verdictWith(
    'undecided',
    seen,
  )(`p ${show(p)} is above ${show(at.share * plan.alpha)}; there is a sign of a gain, but no proof`);
}

type Facts = Partial<Omit<Verdict, 'verdict' | 'reason'>> & Pick<Verdict, 'alpha' | 'look'>;

function verdictWith(verdict: Verdict['verdict'], facts: Facts): (reason: string) => Verdict {
  const empty = { p: null, effect: null, interval: null, groups: 0, epochs: 0, coverage: 0 };
  return (reason) => ({ ...empty, ...facts, verdict, reason });
}

function factsOf(
  pairs: readonly Pair[],
  { plan, at, look }: { plan: GatePlan; at: Look; look: number },
): Facts & { coverage: number } {
  const estimate = estimateEffect(pairs);
  return {
    alpha: plan.alpha,
    look,
    effect: estimate?.mean ?? null,
    interval: estimate?.interval ?? null,
    groups: summariseGroups(pairs).length,
    epochs: at.epochs,
    coverage: pairs.length / (plan.scenarios.length * at.epochs),
  };
}

function faultOfPlan(plan: GatePlan): string | null {
  if (!(plan.alpha > 0 && plan.alpha < 1)) return 'alpha must lie between 0 and 1';
  if (plan.scenarios.length === 0) return 'there are no holdout scenarios';
  const total = plan.looks.reduce((sum, l) => sum + l.share, 0);
  const sound = plan.looks.every(
    (l, i) => l.share > 0 && Number.isInteger(l.epochs) && l.epochs > (plan.looks[i - 1]?.epochs ?? 0),
  );
  // Shares are written in decimals: their sum may miss 1 by rounding.
  return sound && total <= 1 + 1e-9 ? null : "the plan's looks are not sound";
}

function faultOfPairs(pairs: readonly Pair[], plan: GatePlan): string | null {
  const groupOf = new Map(plan.scenarios.map((s) => [s.scenario, s.group]));
  const seen = new Set<string>();
  for (const pair of pairs) {
    const key = `${pair.scenario}/${pair.epoch}`;
    if (groupOf.get(pair.scenario) !== pair.group) return `scenario ${pair.scenario} is not part of the plan`;
    if (!Number.isInteger(pair.epoch) || pair.epoch < 1 || pair.epoch > plan.epochs)
      return `pair ${key} is not planned`;
    if (seen.has(key)) return `pair ${key} was counted twice`;
    if (!isOutcome(pair.incumbent) || !isOutcome(pair.candidate)) return `pair ${key} lacks an outcome`;
    seen.add(key);
  }
  return null;
}

function isOutcome(value: unknown): boolean {
  return value === 0 || value === 1;
}

function infraFault({ infra }: GateData): string | null {
  const values = [infra.incumbent, infra.candidate, infra.started];
  if (values.some((v) => !Number.isInteger(v) || v < 0)) return 'the count of infra trials is not known';
  if (infra.started === 0) return null;
  const more = infra.candidate - infra.incumbent;
  const excess = more / infra.started;
  return more > 1 && excess > MAX_INFRA_EXCESS
    ? `the candidate lost ${percent(excess)} more of its trials to outside faults than the incumbent`
    : null;
}

function percent(share: number): string {
  return `${Math.round(share * 1000) / 10} %`;
}

function show(p: number): string {
  return p >= 0.001 ? String(Number(p.toPrecision(3))) : p.toExponential(2);
}
