import { slotsFor } from '../evaluation/concurrency.js';
import * as z from 'zod';
import { estimatedRuns, runActuals, trialAverages, type TrialAverages } from '../store/trialCosts.js';
import { costOf } from './budget.js';
import type { Context } from './context.js';
import { plannedAgent } from './plannedAgent.js';
import { requireProfile } from './requireProfile.js';

/** What one trial is expected to take. */
export interface TrialCost {
  /** Calls of the agent's model. */
  readonly calls: number;
  readonly tokens: number;
  /** Null while the price of the model is unknown. */
  readonly usd: number | null;
  /** Of the clock, with the configured concurrency. */
  readonly seconds: number;
  readonly basis: 'measured' | 'assumed';
  /** In words, what the figures rest on. */
  readonly said: string;
  /** The same before earlier runs corrected it: what the next correction is reckoned from. */
  readonly raw: RawCost;
}

interface RawCost {
  readonly tokens: number;
  readonly usd: number | null;
  readonly seconds: number;
}

/** Without history: measured on Hermes with its default tools. */
export const ASSUMED_TRIAL = { calls: 2, inputTokens: 15_500, outputTokens: 300, seconds: 12 };

/** Runs that a correction looks back on, and how many trials make a run worth looking at. */
const RUNS_BACK = 5;
const TRIALS_OF_A_RUN = 5;
const BOUNDS = { least: 1 / 3, most: 3 };

/** As a run stores it, before its first trial. */
export const storedEstimateSchema = z.object({
  /** As many as there may be. */
  trials: z.number(),
  calls: z.number(),
  tokens: z.number(),
  usd: z.number().nullable(),
  seconds: z.number(),
  basis: z.enum(['measured', 'assumed']),
  /** Of one trial, not corrected. */
  raw: z.object({ tokens: z.number(), usd: z.number().nullable(), seconds: z.number() }),
});
export type StoredEstimate = z.infer<typeof storedEstimateSchema>;

/** From the profile's own trials under this model, corrected by what earlier runs cost; without any, assumed. */
export function trialCost(ctx: Context): TrialCost {
  const of = { profileId: requireProfile(ctx).id, agent: plannedAgent(ctx) };
  const seen = trialAverages(ctx.db, of);
  if (seen === null) return assumed(ctx);
  const { calls, raw } = measured(ctx, seen);
  const { ratio, runs } = correction(ctx);
  return {
    calls,
    tokens: raw.tokens * ratio.tokens,
    usd: raw.usd === null ? null : raw.usd * ratio.usd,
    seconds: raw.seconds * ratio.seconds,
    basis: 'measured',
    said: `the means of this profile's last ${seen.trials} trials${correctionSaid(ratio, runs)}`,
    raw,
  };
}

function measured(ctx: Context, seen: TrialAverages): { calls: number; raw: RawCost } {
  const { calls, inputTokens, outputTokens } = ASSUMED_TRIAL;
  const seconds = seen.durationMs / 1000 / slotsFor(ctx.config.config.runner.concurrency);
  const tokens = seen.tokens ?? calls * (inputTokens + outputTokens);
  return { calls: seen.calls ?? calls, raw: { tokens, usd: seen.usd, seconds } };
}

function assumed(ctx: Context): TrialCost {
  const { calls, seconds } = ASSUMED_TRIAL;
  const inputTokens = calls * ASSUMED_TRIAL.inputTokens;
  const outputTokens = calls * ASSUMED_TRIAL.outputTokens;
  const usage = { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens };
  const raw = {
    tokens: usage.totalTokens,
    usd: costOf(ctx, { model: plannedAgent(ctx).model, usage, costUsd: null }),
    seconds: seconds / slotsFor(ctx.config.config.runner.concurrency),
  };
  const said = `assumed, as there are no trials of this profile with this model yet: ${calls} calls of ${ASSUMED_TRIAL.inputTokens.toLocaleString('en-US')} input tokens a turn`;
  return { calls, ...raw, basis: 'assumed', said, raw };
}

interface Ratio {
  readonly tokens: number;
  readonly usd: number;
  readonly seconds: number;
}

/**
 * What earlier runs of this profile and model cost beyond the means of its trials (a judge, lost trials, slots that
 * wait for one another): the median over the last five of them, within a factor of three.
 */
function correction(ctx: Context): { ratio: Ratio; runs: number } {
  // An assumption that was wrong says nothing about figures that were measured since.
  const runs = estimatedRuns(ctx.db, { profileId: requireProfile(ctx).id, agent: plannedAgent(ctx) });
  const ratios: Partial<Ratio>[] = [];
  for (const run of runs) {
    if (ratios.length === RUNS_BACK) break;
    const estimate = storedEstimate(run.estimate);
    if (estimate === null) continue;
    const actual = runActuals(ctx.db, run.id);
    if (actual.trials >= TRIALS_OF_A_RUN) ratios.push(ratiosOf(estimate, actual));
  }
  const of = (key: keyof Ratio): number => bounded(median(ratios.flatMap((r) => r[key] ?? [])) ?? 1);
  return { ratio: { tokens: of('tokens'), usd: of('usd'), seconds: of('seconds') }, runs: ratios.length };
}

function ratiosOf({ raw }: StoredEstimate, actual: ReturnType<typeof runActuals>): Partial<Ratio> {
  const per = (total: number): number => total / actual.trials;
  return {
    ...(raw.tokens > 0 && actual.tokens > 0 ? { tokens: per(actual.tokens) / raw.tokens } : {}),
    ...(raw.usd !== null && raw.usd > 0 && actual.usd !== null && actual.usd > 0
      ? { usd: per(actual.usd) / raw.usd }
      : {}),
    ...(raw.seconds > 0 && actual.milliseconds > 0 ? { seconds: per(actual.milliseconds / 1000) / raw.seconds } : {}),
  };
}

export function storedEstimate(text: string | null): StoredEstimate | null {
  return text === null ? null : storedEstimateSchema.parse(JSON.parse(text));
}

/** `, corrected by what the last 2 runs took: tokens 1.3x, time 0.8x`. */
function correctionSaid(ratio: Ratio, runs: number): string {
  const named = { tokens: 'tokens', usd: 'price', seconds: 'time' } as const;
  const changed = (Object.keys(named) as (keyof Ratio)[]).filter((key) => Math.abs(ratio[key] - 1) >= 0.05);
  if (changed.length === 0) return '';
  const figures = changed.map((key) => `${named[key]} ${Number(ratio[key].toFixed(2))}x`).join(', ');
  return `, corrected by ${figures} from ${runs} earlier run${runs === 1 ? '' : 's'}`;
}

function bounded(ratio: number): number {
  return Math.min(BOUNDS.most, Math.max(BOUNDS.least, ratio));
}

function median(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  if (sorted.length === 0) return null;
  return sorted.length % 2 === 1
    ? (sorted[Math.floor(middle)] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}
