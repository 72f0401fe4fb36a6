import { sameModel } from '../domain/models.js';
import { KarpathyError } from '../errors.js';
import { agentModel, credentialUse, type AgentModel } from '../hermes/profiles.js';
import { readTargetText } from '../ratchet/target.js';
import type { ModelChoice } from '../schemas.js';
import { findInFlight } from '../store/experiments.js';
import { findProfile, type ProfileRow } from '../store/profiles.js';
import type { Context } from './context.js';
import { disclosureLines } from './disclosure.js';
import { describeAgent, describeModel, expectedIdentity } from './modelNames.js';
import { commandFor } from './requireProfile.js';
import { setupEstimate, type SetupEstimate } from './setupEstimate.js';

/** What a person (or a flag) decides; what is left out stays as it was, or gets its default. */
export interface InitInput {
  /** Path of the instruction file inside the profile. */
  readonly target?: string;
  readonly proposer?: ModelChoice;
  /** null: no judge. */
  readonly judge?: ModelChoice | null;
  /** USD over the whole life of one edit; null: no limit in USD. */
  readonly budgetUsd?: number | null;
  /** Tokens over the whole life of one edit; null: no limit in tokens. */
  readonly budgetTokens?: number | null;
}

/** A set-up that was checked and could be written. */
export interface InitPlan {
  readonly profile: { readonly name: string; readonly home: string };
  /** The row there is already; null for a new profile. */
  readonly existing: ProfileRow | null;
  readonly target: { readonly relpath: string; readonly path: string; readonly chars: number };
  /** What is stored; config.yaml may override each. */
  readonly stored: {
    readonly proposer: ModelChoice | null;
    readonly judge: ModelChoice | null;
    readonly budgetUsd: number | null;
    readonly budgetTokens: number | null;
  };
  /** What counts, in words. */
  readonly models: { readonly agent: string; readonly proposer: string; readonly judge: string | null };
  /** The choices that count. */
  readonly choices: { readonly proposer: ModelChoice; readonly judge: ModelChoice | null };
  readonly budget: { readonly usd: number | null; readonly tokens: number | null };
  readonly estimate: SetupEstimate;
  /** Who will see which text. */
  readonly disclosure: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Checks a set-up completely and writes nothing.
 * @throws KarpathyError `bad_target`, `blocked_by_host`, `bad_usage`, `same_model`, `price_unknown`, `in_flight`, `bad_config`
 */
export async function planInit(ctx: Context, input: InitInput): Promise<InitPlan> {
  const existing = findProfile(ctx.db, ctx.profile.rootPath);
  const agent = agentModel(ctx.profile.home);
  const warnings: string[] = [];
  const target = await checkTarget(ctx, {
    relpath: input.target ?? existing?.targetRelpath ?? 'SOUL.md',
    existing,
    warnings,
  });
  const choices = chooseModels(ctx, { input, existing, agent, warnings });
  const estimate = setupEstimate(ctx, existing);
  const budget = chooseBudget(ctx, { input, existing, estimate, warnings });
  if (budget.effective.usd !== null) refuseUnpriced(ctx, { ...choices.effective, agent });
  const credentials = credentialUse(agent.provider);
  if (credentials.kind === 'unusable' || credentials.kind === 'unknown') {
    warnings.push(
      `Trials may not be able to use the agent's provider ${agent.provider}: ${credentials.reason}. Try one scenario before writing many.`,
    );
  }
  const { proposer, judge } = choices.effective;
  return {
    profile: { name: ctx.profile.name, home: ctx.profile.home },
    existing,
    target,
    stored: { ...choices.stored, budgetUsd: budget.stored.usd, budgetTokens: budget.stored.tokens },
    models: {
      agent: describeAgent(agent),
      proposer: describeModel(proposer, agent),
      judge: judge === null ? null : describeModel(judge, agent),
    },
    choices: choices.effective,
    budget: budget.effective,
    estimate,
    disclosure: disclosureLines({
      target: target.relpath,
      proposer,
      judge,
      agent,
      privacy: ctx.config.config.privacy,
      dbPath: ctx.paths.dbPath,
    }),
    warnings,
  };
}

async function checkTarget(
  ctx: Context,
  { relpath, existing, warnings }: { relpath: string; existing: ProfileRow | null; warnings: string[] },
): Promise<InitPlan['target']> {
  const file = readTargetText(ctx.profile.rootPath, relpath);
  const inFlight = existing === null ? null : findInFlight(ctx.db, existing.id);
  if (existing !== null && inFlight !== null && existing.targetRelpath !== relpath) {
    throw new KarpathyError(
      'in_flight',
      `Experiment ${inFlight.id} is in flight on ${existing.targetRelpath}; the target can't change now.`,
      {
        hint: `Finish, revert or reject experiment ${inFlight.id} first.`,
      },
    );
  }
  if (relpath === 'SOUL.md') {
    const check = await ctx.checkPrompt(file.text).catch((error: unknown) => {
      warnings.push(
        `What Hermes makes of ${relpath} could not be checked: ${error instanceof Error ? error.message : String(error)}`,
      );
      return null;
    });
    if (check?.blocked || check?.truncated) {
      throw new KarpathyError(
        'blocked_by_host',
        `Hermes ${check.blocked ? 'blocks' : 'truncates'} ${file.path} as it stands: the agent does not see it.`,
        {
          problems: check.findings.map((message) => ({ path: relpath, message })),
          hint: 'Change the file so that Hermes reads the whole of it, then run init again.',
        },
      );
    }
  } else {
    warnings.push(
      `The live window counts sessions whose system prompt contains the new text: make sure that Hermes puts ${relpath} there.`,
    );
  }
  return { relpath, path: file.path, chars: [...file.text].length };
}

interface Choices<P> {
  readonly proposer: P;
  readonly judge: ModelChoice | null;
}

function chooseModels(
  ctx: Context,
  from: { input: InitInput; existing: ProfileRow | null; agent: AgentModel; warnings: string[] },
): { stored: Choices<ModelChoice | null>; effective: Choices<ModelChoice> } {
  const { input, existing, agent, warnings } = from;
  const judge = input.judge === undefined ? (existing?.judge ?? null) : input.judge;
  const overProposer = overridden(ctx, 'models.proposer') ? ctx.config.config.models.proposer : undefined;
  const overJudge = overridden(ctx, 'models.judge') ? ctx.config.config.models.judge : undefined;
  const own: ModelChoice | null = ctx.host === null ? null : { host: true };
  const stored = input.proposer ?? existing?.proposer ?? (overProposer ? null : own);
  const proposer = overProposer ?? stored;
  if (proposer === null) {
    throw new KarpathyError(
      'bad_usage',
      "No proposer model is chosen, and without Hermes in front there is no host's model.",
      {
        hint: 'Give an OpenAI-compatible endpoint (base URL and model), or run the command through `hermes karpathy`.',
      },
    );
  }
  const effective = { proposer, judge: overJudge === undefined ? judge : overJudge };
  for (const [key, over, given] of [
    ['models.proposer', overProposer, input.proposer],
    ['models.judge', overJudge, input.judge],
  ] as const) {
    if (over !== undefined && given !== undefined)
      warnings.push(`${key} is set in config.yaml, which wins over what was given here.`);
  }
  checkModels(ctx, { ...effective, agent, warnings });
  return { stored: { proposer: stored, judge }, effective };
}

function checkModels(ctx: Context, from: Choices<ModelChoice> & { agent: AgentModel; warnings: string[] }): void {
  const { proposer, judge, agent, warnings } = from;
  if (judge !== null && sameModel(expectedIdentity(proposer, agent), expectedIdentity(judge, agent))) {
    throw new KarpathyError('same_model', `Proposer and judge are the same model: ${describeModel(judge, agent)}.`, {
      hint: 'A model is a lenient judge of its own text. Choose another judge, or none: scenarios without judge checks need none.',
    });
  }
  for (const [role, choice] of [
    ['proposer', proposer],
    ['judge', judge],
  ] as const) {
    if (choice === null) continue;
    if ('host' in choice && ctx.host === null) {
      warnings.push(`The ${role} is the host's model, which is only there when Hermes runs the command.`);
    }
    if ('base_url' in choice && choice.api_key_env !== undefined && !ctx.env[choice.api_key_env]) {
      warnings.push(
        `The environment variable ${choice.api_key_env} (key of the ${role}) is not set here; it must be when the ${role} is called.`,
      );
    }
  }
}

function overridden(ctx: Context, leaf: string): boolean {
  const source = ctx.config.sources.get(leaf) ?? 'default';
  return source !== 'default' && source !== 'init';
}

interface Budget {
  readonly usd: number | null;
  readonly tokens: number | null;
}

function chooseBudget(
  ctx: Context,
  from: { input: InitInput; existing: ProfileRow | null; estimate: SetupEstimate; warnings: string[] },
): { stored: Budget; effective: Budget } {
  const { input, existing, estimate, warnings } = from;
  refuseBadAmounts(input);
  const stored = {
    usd: input.budgetUsd === undefined ? (existing?.budgetUsd ?? null) : input.budgetUsd,
    tokens: input.budgetTokens === undefined ? (existing?.budgetTokens ?? null) : input.budgetTokens,
  };
  const { budget } = ctx.config.config;
  const effective = {
    usd: overridden(ctx, 'budget.usd') ? budget.usd : stored.usd,
    tokens: overridden(ctx, 'budget.tokens') ? budget.tokens : stored.tokens,
  };
  const about = `One edit is expected to take about ${estimate.tokens.toLocaleString('en-US')} tokens${estimate.usd === null ? '' : ` ($${estimate.usd.toFixed(2)})`} (${estimate.basis}).`;
  if (effective.usd === null && effective.tokens === null) {
    throw new KarpathyError('bad_usage', 'A budget is needed: tokens or USD over the whole life of one edit.', {
      hint: `${about} For example: ${commandFor(ctx.profile.name)} init --budget-tokens ${roundedUp(estimate.tokens * 1.5)}`,
    });
  }
  const short =
    (effective.tokens !== null && effective.tokens < estimate.tokens) ||
    (effective.usd !== null && estimate.usd !== null && effective.usd < estimate.usd);
  if (short)
    warnings.push(`The budget is below the estimate, so an evaluation may stop before it can decide. ${about}`);
  return { stored, effective };
}

function refuseBadAmounts(input: InitInput): void {
  const amounts = [
    { path: 'budget.usd', value: input.budgetUsd, whole: false },
    { path: 'budget.tokens', value: input.budgetTokens, whole: true },
  ];
  const problems = amounts.flatMap(({ path, value, whole }) => {
    if (value === undefined || value === null) return [];
    const fits = Number.isFinite(value) && value > 0 && (!whole || Number.isSafeInteger(value));
    return fits
      ? []
      : [{ path, value: String(value), message: `must be a ${whole ? 'whole ' : ''}number greater than 0` }];
  });
  if (problems.length > 0)
    throw new KarpathyError('bad_usage', 'The budget is not valid; nothing was changed.', {
      problems,
      hint: 'For example --budget-tokens 5000000, or --budget-usd 2.50.',
    });
}

/** A limit in USD can only be held when every model that is paid has a price. */
function refuseUnpriced(ctx: Context, from: Choices<ModelChoice> & { agent: AgentModel }): void {
  const { proposer, judge, agent } = from;
  const paid = [proposer, ...(judge === null ? [] : [judge])].map((choice) => expectedIdentity(choice, agent).model);
  const unpriced = [...new Set([...paid, agent.model ?? 'unknown'])].filter(
    (model) => ctx.config.config.prices[model] === undefined,
  );
  if (unpriced.length === 0) return;
  throw new KarpathyError(
    'price_unknown',
    `A budget in USD needs a price for every model; unknown: ${unpriced.join(', ')}.`,
    {
      problems: unpriced.map((model) => ({
        path: `prices.${JSON.stringify(model)}`,
        message: 'needs {input, output} in USD per million tokens',
      })),
      hint: "Set the prices in the section plugins.karpathy_self_improve of the root's config.yaml, or give the budget in tokens.",
    },
  );
}

/** Two leading digits, upwards: 4,160,000 becomes 4,200,000. */
export function roundedUp(tokens: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, tokens))) - 1);
  return Math.ceil(tokens / unit) * unit;
}
