import type { Random } from '#src/gate/random.js';

/** Pass probabilities of a suite, one per scenario (each its own group), under both texts. */
export interface Suite {
  readonly incumbent: readonly number[];
  readonly candidate: readonly number[];
}

const ALPHA = 0.9;
const BETA = 0.6;
const LEAST = 0.02;

/** Standard normal by Box and Muller. */
export function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Gamma(shape, 1) for shape < 1 (Ahrens and Dieter, 1974). */
function gamma(shape: number, random: Random): number {
  const b = 1 + shape / Math.E;
  for (;;) {
    const p = b * random();
    const x = p <= 1 ? p ** (1 / shape) : -Math.log((b - p) / shape);
    const accepted = p <= 1 ? Math.exp(-x) : x ** (shape - 1);
    if (random() <= accepted) return x;
  }
}

/** Pass probabilities of n scenarios: Beta(0.9, 0.6), clipped to [0.02, 0.98]; many are near 0 or 1, as in real suites. */
export function drawScenarios(n: number, random: Random): number[] {
  return Array.from({ length: n }, () => {
    const x = gamma(ALPHA, random);
    const y = gamma(BETA, random);
    return Math.min(1 - LEAST, Math.max(LEAST, x / (x + y)));
  });
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
