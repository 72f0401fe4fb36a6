import type { GateData, GatePlan, Pair } from './types.js';

/** Below this share of complete pairs nothing is decided. */
export const MIN_COVERAGE = 0.9;
/** How much larger the candidate's share of infra trials may be than the incumbent's; a single trial is no sign. */
export const MAX_INFRA_EXCESS = 0.05;

/** Each of these names what makes data or plan unusable, in words; null when nothing does. */
export function faultOfPlan(plan: Pick<GatePlan, 'alpha' | 'scenarios'>): string | null {
  if (!(plan.alpha > 0 && plan.alpha < 1)) return 'alpha must lie between 0 and 1';
  return plan.scenarios.length === 0 ? 'there are no holdout scenarios' : null;
}

export function faultOfLooks({ looks }: GatePlan): string | null {
  const total = looks.reduce((sum, l) => sum + l.share, 0);
  const sound = looks.every(
    (l, i) => l.share > 0 && Number.isInteger(l.epochs) && l.epochs > (looks[i - 1]?.epochs ?? 0),
  );
  // Shares are written in decimals: their sum may miss 1 by rounding.
  return sound && total <= 1 + 1e-9 ? null : "the plan's looks are not sound";
}

export function faultOfPairs(pairs: readonly Pair[], plan: Pick<GatePlan, 'epochs' | 'scenarios'>): string | null {
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

export function faultOfInfra({ infra }: GateData): string | null {
  const values = [infra.incumbent, infra.candidate, infra.started];
  if (values.some((v) => !Number.isInteger(v) || v < 0)) return 'the count of infra trials is not known';
  if (infra.started === 0) return null;
  const more = infra.candidate - infra.incumbent;
  const excess = more / infra.started;
  return more > 1 && excess > MAX_INFRA_EXCESS
    ? `the candidate lost ${percent(excess)} more of its trials to outside faults than the incumbent`
    : null;
}

export function faultOfCoverage(coverage: number): string | null {
  return coverage >= MIN_COVERAGE
    ? null
    : `only ${percent(coverage)} of the planned pairs are complete, ${percent(MIN_COVERAGE)} are needed`;
}

function isOutcome(value: unknown): boolean {
  return value === 0 || value === 1;
}

function percent(share: number): string {
  return `${Math.round(share * 1000) / 10} %`;
}
