import { snapshotsForPlan } from '../store/scenarios.js';
import { inputByToolsets, type InputByToolsets } from '../store/trialCosts.js';
import type { Context } from './context.js';
import type { Cost } from './estimateEvaluation.js';
import { plannedAgent } from './plannedAgent.js';
import type { PreflightCost } from './preflight.js';
import { requireProfile } from './requireProfile.js';
import { withToolsets } from './suiteToolsets.js';
import { openTrain } from './trainBaseline.js';
import { ASSUMED_TRIAL, trialCost } from './trialCost.js';

/** Something that makes an evaluation cheaper, and by how much. */
export interface CostLever {
  readonly name: 'toolsets' | 'cache' | 'early stop' | 'train baseline';
  /** `on`: in force now. `off`: could be had. `none`: there is nothing to gain. */
  readonly state: 'on' | 'off' | 'none';
  /** Against an evaluation without it (or, when off, with it); null = not known. */
  readonly saves: { readonly tokens: number; readonly usd: number | null; readonly seconds: number | null } | null;
  readonly basis: 'measured' | 'simulated' | 'estimated' | 'none';
  /** In words: what it does, and what it changes. */
  readonly say: string;
}

/** Of the assumed input of a call, what the definitions of the default tools take (measured on Hermes 0.19.0). */
const TOOL_SHARE = 12_000 / ASSUMED_TRIAL.inputTokens;
/** Nearly all tokens of a trial are input. */
const INPUT_SHARE = ASSUMED_TRIAL.inputTokens / (ASSUMED_TRIAL.inputTokens + ASSUMED_TRIAL.outputTokens);
/** Fewer trials than this say little about the length of a prompt. */
const TRIALS_TO_MEASURE = 3;

/** Every lever there is, with its saving from this profile's own trials where there are any. */
export function costLevers(ctx: Context, { cost }: { cost: PreflightCost }): CostLever[] {
  const seen = inputByToolsets(ctx.db, { profileId: requireProfile(ctx).id, agent: plannedAgent(ctx) });
  return [toolsetLever(ctx, { cost, seen }), cacheLever(ctx, { cost, seen }), earlyStop(cost), trainBaseline(ctx)];
}

function toolsetLever(ctx: Context, of: { cost: PreflightCost; seen: readonly InputByToolsets[] }): CostLever {
  const suite = withToolsets(ctx, snapshotsForPlan(ctx.db, requireProfile(ctx).id));
  const limited = suite.filter(({ spec }) => spec.toolsets !== undefined).length;
  const name = 'toolsets' as const;
  const saving = toolsetSaving(ctx, of);
  if (limited === 0) {
    return {
      name,
      state: 'off',
      ...saving,
      say: 'Trials offer the agent all tools of the live agent. With `toolsets:` in a scenario, or runner.toolsets for the suite, only those it needs are sent; a difference from the live agent.',
    };
  }
  return {
    name,
    state: 'on',
    ...scaleSaving(saving, limited / suite.length),
    say: `${limited} of ${suite.length} scenarios run with chosen toolsets: a difference from the live agent.`,
  };
}

type Saving = Pick<CostLever, 'saves' | 'basis'>;

/** Of limiting the toolsets of all scenarios, in the worst case. */
function toolsetSaving(
  ctx: Context,
  { cost, seen }: { cost: PreflightCost; seen: readonly InputByToolsets[] },
): Saving {
  const perCall = (rows: readonly InputByToolsets[]): number | null => {
    const sum = (key: 'trials' | 'calls' | 'inputTokens') => rows.reduce((total, row) => total + row[key], 0);
    return sum('trials') < TRIALS_TO_MEASURE ? null : sum('inputTokens') / sum('calls');
  };
  const all = perCall(seen.filter(({ toolsets }) => toolsets === null));
  const chosen = perCall(seen.filter(({ toolsets }) => toolsets !== null));
  const { calls } = cost.worst;
  if (all !== null && chosen !== null) {
    return { saves: priced(ctx, Math.max(0, all - chosen) * calls), basis: 'measured' };
  }
  const input = all ?? (chosen === null ? ASSUMED_TRIAL.inputTokens : chosen / (1 - TOOL_SHARE));
  return { saves: priced(ctx, input * TOOL_SHARE * calls), basis: 'estimated' };
}

function scaleSaving({ saves, basis }: Saving, share: number): Saving {
  if (saves === null) return { saves, basis };
  return {
    basis,
    saves: {
      tokens: Math.round(saves.tokens * share),
      usd: saves.usd === null ? null : saves.usd * share,
      seconds: null,
    },
  };
}

/** Input tokens at the configured price, else at what tokens of this profile's trials cost on average. */
function priced(ctx: Context, tokens: number): CostLever['saves'] {
  const per = trialCost(ctx);
  const price = priceOf(ctx)?.input;
  const mean = per.usd === null || per.tokens === 0 ? null : per.usd / per.tokens;
  const perToken = price === undefined ? mean : price / 1e6;
  return { tokens: Math.round(tokens), usd: perToken === null ? null : tokens * perToken, seconds: null };
}

function priceOf(ctx: Context) {
  const { model } = plannedAgent(ctx);
  return model === null ? undefined : ctx.config.config.prices[model];
}

/** Trials that begin with the same tokens follow one another, so that a provider that caches prompts finds them. */
function cacheLever(ctx: Context, of: { cost: PreflightCost; seen: readonly InputByToolsets[] }): CostLever {
  const reported = of.seen.filter(({ cachedTokens }) => cachedTokens !== null);
  const input = reported.reduce((sum, row) => sum + row.inputTokens, 0);
  const cached = reported.reduce((sum, row) => sum + (row.cachedTokens ?? 0), 0);
  const order =
    'Scenarios with the same toolsets run one after the other, so that the same prompt comes again within minutes; which text of a pair comes first stays a coin.';
  if (input === 0) {
    const say = `${order} No trial so far was reported to have read from the provider's cache.`;
    return { name: 'cache', state: 'on', saves: null, basis: 'none', say };
  }
  const share = cached / input;
  const tokens = share * INPUT_SHARE * of.cost.worst.tokens;
  const price = priceOf(ctx);
  const cheaper = price?.cached_input === undefined ? null : (price.input - price.cached_input) / 1e6;
  return {
    name: 'cache',
    state: 'on',
    saves: { tokens: 0, usd: cheaper === null ? null : tokens * cheaper, seconds: null },
    basis: 'measured',
    say: `${order} Of the input of earlier trials ${Math.round(share * 100)} % was read from the provider's cache: ${Math.round(tokens).toLocaleString('en-US')} tokens at the cached price.`,
  };
}

function earlyStop({ worst, idle }: PreflightCost): CostLever {
  if (idle.trials >= worst.trials) {
    const say = 'A deletion that may be kept is decided once, on all planned trials.';
    return { name: 'early stop', state: 'none', saves: null, basis: 'none', say };
  }
  return {
    name: 'early stop',
    state: 'on',
    saves: difference(worst, idle),
    basis: 'simulated',
    say: 'An edit without a sign of a gain is dropped by the screen or at a look; the saving is for one that does nothing.',
  };
}

function trainBaseline(ctx: Context): CostLever {
  const train = snapshotsForPlan(ctx.db, requireProfile(ctx).id).filter(({ split }) => split === 'train').length;
  const reused = train - openTrain(ctx).length;
  const per = trialCost(ctx);
  const say =
    'What the proposer learns from is run once per text and train scenario, then used again. A decision never uses a recorded incumbent: both texts are run anew.';
  if (reused === 0) return { name: 'train baseline', state: 'on', saves: null, basis: 'none', say };
  const saves = {
    tokens: Math.round(per.tokens * reused),
    usd: per.usd === null ? null : per.usd * reused,
    seconds: Math.round(per.seconds * reused),
  };
  return {
    name: 'train baseline',
    state: 'on',
    saves,
    basis: per.basis === 'measured' ? 'measured' : 'estimated',
    say,
  };
}

function difference(more: Cost, less: Cost): NonNullable<CostLever['saves']> {
  return {
    tokens: more.tokens - less.tokens,
    usd: more.usd === null || less.usd === null ? null : more.usd - less.usd,
    seconds: more.seconds - less.seconds,
  };
}
