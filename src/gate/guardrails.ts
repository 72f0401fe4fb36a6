import { randomFrom, type Random } from './random.js';
import { studentTQuantile } from './studentT.js';

/** Chance of any false alarm over all guardrails of a window. */
export const GUARDRAIL_ALPHA = 0.05;
/** A rise must also matter: by half of what it was, and by five points where it is a rate. */
const MIN_RELATIVE_RISE = 0.5;
const MIN_RISE = 0.05;
/** With fewer sessions on a side, one odd session would be a rise of more than any rule should act on. */
export const MIN_SESSIONS = 5;
const PERMUTATIONS = 9_999;
/** A rise counts as one that could have been seen when it would have been, four times in five. */
const SEEN_POWER = 0.8;
/** Student's t with so many degrees of freedom is the normal distribution to six digits. */
const NORMAL = 1e7;

/** One thing that must not get worse, as one value per session; higher is worse. */
export interface GuardrailData {
  readonly name: string;
  /** `rate`: in [0, 1]; `amount`: any size, of which only the relative rise matters. */
  readonly unit: 'rate' | 'amount';
  readonly before: readonly number[];
  readonly after: readonly number[];
}

export interface GuardrailVerdict {
  readonly name: string;
  readonly unit: GuardrailData['unit'];
  /** Means over the sessions of a side; null without any, or with a value that isn't a number. */
  readonly before: number | null;
  readonly after: number | null;
  /** Mean after minus mean before; null when either is. */
  readonly rise: number | null;
  /** One-sided permutation p; null with fewer than five sessions on a side or a value that isn't a number. */
  readonly p: number | null;
  /** p times what Holm's procedure charges for the others, at most 1. */
  readonly adjustedP: number | null;
  /** Never a reason to revert: the sessions were not assigned by chance. */
  readonly alarm: boolean;
  /** The smallest rise that these sessions would have shown four times in five; null = none that could occur. */
  readonly couldSee: number | null;
}

/**
 * Compares sessions before and after an apply, one permutation test by session each, with Holm's correction over all.
 * What can't be tested raises no alarm and still counts in the correction.
 * @param seed of the permutations, from the plan of the window
 */
export function judgeGuardrails(guardrails: readonly GuardrailData[], seed: string): GuardrailVerdict[] {
  const tested = guardrails.map((data) => ({ ...data, ...permutationTest(data, randomFrom(`${seed}/${data.name}`)) }));
  const adjusted = holm(tested.map(({ p }) => p ?? 1));
  return tested.map((data, i) => {
    const { name, unit, p } = data;
    const before = meanOrNull(data.before);
    const after = meanOrNull(data.after);
    const rise = before === null || after === null ? null : after - before;
    const adjustedP = p === null ? null : (adjusted[i] as number);
    const matters = rise !== null && before !== null && rise >= leastRise(unit, before);
    const alarm = matters && rise > 0 && adjustedP !== null && adjustedP <= GUARDRAIL_ALPHA;
    return { name, unit, before, after, rise, p, adjustedP, alarm, couldSee: detectableRise(data, guardrails.length) };
  });
}

/** A rise below this raises no alarm, however sure it is. */
function leastRise(unit: GuardrailData['unit'], before: number): number {
  return Math.max(unit === 'rate' ? MIN_RISE : 0, MIN_RELATIVE_RISE * before);
}

/**
 * The smallest rise that these many sessions show with 80 % power at the strictest step of Holm's procedure:
 * (z_{1-α/m} + z_{0.8}) · SD · √(1/n + 1/n'), the usual normal approximation for two samples. A rate's SD is taken as
 * the largest that its mean allows, √(p(1-p)) at the mean with the rise in it, so that no failures at all before the
 * apply don't pass for certainty; the rise is then found by bisection.
 */
function detectableRise({ unit, before, after }: GuardrailData, tests: number): number | null {
  const [n, m] = [before.length, after.length];
  const base = meanOrNull(before);
  if (n < MIN_SESSIONS || m < MIN_SESSIONS || base === null) return null;
  const z = studentTQuantile(1 - GUARDRAIL_ALPHA / tests, NORMAL) + studentTQuantile(SEEN_POWER, NORMAL);
  const least = leastRise(unit, base);
  if (unit === 'amount') {
    const variance = before.reduce((sum, v) => sum + (v - base) ** 2, 0) / (n - 1);
    return Math.max(least, z * Math.sqrt(variance * (1 / n + 1 / m)));
  }
  const shows = (rise: number): boolean => {
    const p = (n * base + m * (base + rise)) / (n + m);
    return rise >= z * Math.sqrt(p * (1 - p) * (1 / n + 1 / m));
  };
  let [low, high] = [0, 1 - base];
  if (!shows(high) || high < least) return null;
  for (let step = 0; step < 40; step += 1) {
    const middle = (low + high) / 2;
    if (shows(middle)) high = middle;
    else low = middle;
  }
  return Math.max(least, high);
}

/** p = (1 + permutations with a mean after at least as high) / (1 + permutations): never 0, valid for any number. */
function permutationTest({ before, after }: GuardrailData, random: Random): Pick<GuardrailVerdict, 'p'> {
  const pooled = Float64Array.from([...before, ...after]);
  if (before.length < MIN_SESSIONS || after.length < MIN_SESSIONS || pooled.some((v) => !Number.isFinite(v)))
    return { p: null };
  const observed = after.reduce((sum, v) => sum + v, 0);
  let asHigh = 0;
  for (let round = 0; round < PERMUTATIONS; round += 1) {
    let sum = 0;
    // The first places of a Fisher-Yates shuffle are a random choice of `after.length` sessions.
    for (let i = 0; i < after.length; i += 1) {
      const j = i + Math.floor(random() * (pooled.length - i));
      const value = pooled[j] as number;
      pooled[j] = pooled[i] as number;
      pooled[i] = value;
      sum += value;
    }
    // The same sum in another order may differ in its last bits.
    if (sum >= observed - 1e-9) asHigh += 1;
  }
  return { p: (1 + asHigh) / (1 + PERMUTATIONS) };
}

/** Holm's step-down adjusted p values (S. Holm, 1979), in the order given. */
function holm(ps: readonly number[]): number[] {
  const order = ps.map((p, index) => ({ p, index })).sort((a, b) => a.p - b.p);
  const adjusted = new Array<number>(ps.length);
  let most = 0;
  order.forEach(({ p, index }, rank) => {
    most = Math.max(most, Math.min(1, p * (ps.length - rank)));
    adjusted[index] = most;
  });
  return adjusted;
}

function meanOrNull(values: readonly number[]): number | null {
  const sum = values.reduce((total, v) => total + v, 0);
  return values.length > 0 && Number.isFinite(sum) ? sum / values.length : null;
}
