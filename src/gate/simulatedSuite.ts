import type { Random } from './random.js';

/** Pass probabilities of a suite, one per scenario, under both texts. */
export interface Suite {
  readonly incumbent: readonly number[];
  readonly candidate: readonly number[];
  /** Group of each scenario, numbered from 0 in rising order without gaps; left out when each is its own. */
  readonly groups?: readonly number[];
}

export function groupOf(suite: Suite, scenario: number): number {
  return suite.groups === undefined ? scenario : (suite.groups[scenario] as number);
}

export function countGroups(suite: Suite): number {
  const last = suite.incumbent.length - 1;
  return last < 0 ? 0 : groupOf(suite, last) + 1;
}

/** How many scenarios the first so many groups have. */
export function scenariosBefore(suite: Suite, groups: number): number {
  const first = suite.incumbent.findIndex((_, scenario) => groupOf(suite, scenario) >= groups);
  return first === -1 ? suite.incumbent.length : first;
}

/** Pass probabilities of scenarios nobody has measured: many are near 0 or 1, as in real suites. */
const PRIOR = { passes: 0.9, fails: 0.6 };
const LEAST = 0.02;

/** Standard normal by Box and Muller. */
export function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Gamma(shape, 1): Ahrens and Dieter (1974) below 1, Marsaglia and Tsang (2000) from 1 on. */
function gamma(shape: number, random: Random): number {
  return shape < 1 ? smallGamma(shape, random) : largeGamma(shape, random);
}

function smallGamma(shape: number, random: Random): number {
  const b = 1 + shape / Math.E;
  for (;;) {
    const p = b * random();
    const x = p <= 1 ? p ** (1 / shape) : -Math.log((b - p) / shape);
    const accepted = p <= 1 ? Math.exp(-x) : x ** (shape - 1);
    if (random() <= accepted) return x;
  }
}

function largeGamma(shape: number, random: Random): number {
  const d = shape - 1 / 3;
  for (;;) {
    const x = normal(random);
    const v = (1 + x / Math.sqrt(9 * d)) ** 3;
    if (v > 0 && Math.log(1 - random()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}

/**
 * The pass probability of a scenario that was seen to pass and fail so often: Beta(passes + 0.9, fails + 0.6), clipped
 * to [0.02, 0.98]. Three passes of three are not certainty.
 */
export function drawRate(seen: { readonly passes: number; readonly fails: number }, random: Random): number {
  const x = gamma(PRIOR.passes + seen.passes, random);
  const y = gamma(PRIOR.fails + seen.fails, random);
  return Math.min(1 - LEAST, Math.max(LEAST, x / (x + y)));
}

/** Pass probabilities of n scenarios that nobody has measured. */
export function drawScenarios(n: number, random: Random): number[] {
  return Array.from({ length: n }, () => drawRate({ passes: 0, fails: 0 }, random));
}

const logit = (p: number): number => Math.log(p / (1 - p));
const expit = (x: number): number => 1 / (1 + Math.exp(-x));

/**
 * Shifts all logits equally until the mean of the suite has moved by `points` (in [-1, 1]). A mean can't leave (0, 1):
 * what does not fit moves it to 1 or 0.
 * @param own logit that each scenario is shifted by besides, for effects that differ between scenarios
 */
export function shifted(scenarios: readonly number[], points: number, own: readonly number[] = []): number[] {
  if (points === 0 && own.length === 0) return [...scenarios];
  const logits = scenarios.map((p, i) => logit(p) + (own[i] ?? 0));
  const target = mean(scenarios) + points;
  let low = -30;
  let high = 30;
  for (let i = 0; i < 50; i += 1) {
    const middle = (low + high) / 2;
    if (mean(logits.map((x) => expit(x + middle))) < target) low = middle;
    else high = middle;
  }
  return logits.map((x) => expit(x + (low + high) / 2));
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, v) => sum + v, 0) / values.length;
}
