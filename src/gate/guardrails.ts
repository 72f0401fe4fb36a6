import { randomFrom, type Random } from './random.js';

/** Chance of any false alarm over all guardrails of a window. */
export const GUARDRAIL_ALPHA = 0.05;
/** A rise must also matter: by half of what it was, and by five points. */
const MIN_RELATIVE_RISE = 0.5;
const MIN_RISE = 0.05;
const PERMUTATIONS = 9_999;

/** One thing that must not get worse, as one value per session: a rate in [0, 1], higher is worse. */
export interface GuardrailData {
  readonly name: string;
  readonly before: readonly number[];
  readonly after: readonly number[];
}

export interface GuardrailVerdict {
  readonly name: string;
  /** Mean after minus mean before; null without sessions on both sides. */
  readonly rise: number | null;
  /** One-sided permutation p; null without sessions on both sides or with a value that isn't a number. */
  readonly p: number | null;
  /** p times what Holm's procedure charges for the others, at most 1. */
  readonly adjustedP: number | null;
  /** Never a reason to revert: the sessions were not assigned by chance. */
  readonly alarm: boolean;
}

/**
 * Compares sessions before and after an apply, one permutation test by session each, with Holm's correction over all.
 * What can't be tested raises no alarm and still counts in the correction.
 * @param seed of the permutations, from the plan of the window
 */
export function judgeGuardrails(guardrails: readonly GuardrailData[], seed: string): GuardrailVerdict[] {
  const tested = guardrails.map((data) => ({ ...data, ...permutationTest(data, randomFrom(`${seed}/${data.name}`)) }));
  const adjusted = holm(tested.map(({ p }) => p ?? 1));
  return tested.map(({ name, before, rise, p }, i) => {
    const adjustedP = p === null ? null : (adjusted[i] as number);
    const matters = rise !== null && rise >= MIN_RISE && rise >= MIN_RELATIVE_RISE * mean(before);
    return { name, rise, p, adjustedP, alarm: matters && adjustedP !== null && adjustedP <= GUARDRAIL_ALPHA };
  });
}

/** p = (1 + permutations with a mean after at least as high) / (1 + permutations): never 0, valid for any number. */
function permutationTest({ before, after }: GuardrailData, random: Random): Pick<GuardrailVerdict, 'rise' | 'p'> {
  const pooled = Float64Array.from([...before, ...after]);
  if (before.length === 0 || after.length === 0 || pooled.some((v) => !Number.isFinite(v)))
    return { rise: null, p: null };
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
  return { rise: mean(after) - mean(before), p: (1 + asHigh) / (1 + PERMUTATIONS) };
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

function mean(values: readonly number[]): number {
  return values.reduce((sum, v) => sum + v, 0) / values.length;
}
