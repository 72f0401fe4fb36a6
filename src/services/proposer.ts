import { sameModel } from '../domain/models.js';
import { KarpathyError } from '../errors.js';
import { agentModel } from '../hermes/profiles.js';
import type { ChatMessage, Completion } from '../ports.js';
import { checkKind, type ModelChoice, type ModelIdentity } from '../schemas.js';
import { listScenarios } from '../store/scenarios.js';
import { assertPriced, reservationFor } from './budget.js';
import { chargedCall } from './chargedCall.js';
import type { Context } from './context.js';
import { expectedIdentity } from './modelNames.js';
import { commandFor, requireProfile } from './requireProfile.js';

/** Room for models that think before they answer; the edit itself takes a tenth of it. */
const OUTPUT_TOKENS = 4_000;
/** Below the average of English prose, so that the bound is not too small. */
const CHARS_PER_TOKEN = 3;

/** config.yaml decides; what it does not set comes from `init`. @throws KarpathyError `bad_config` without any */
export function proposerChoice(ctx: Context): ModelChoice {
  const choice = ctx.config.config.models.proposer ?? requireProfile(ctx).proposer;
  if (choice !== null) return choice;
  throw new KarpathyError('bad_config', `The profile ${ctx.profile.name} has no proposer model.`, {
    hint: `Choose one with \`${commandFor(ctx.profile.name)} init\` or set models.proposer in config.yaml; your own sentence needs none (propose --rewrite).`,
  });
}

export function judgeChoice(ctx: Context): ModelChoice | null {
  return ctx.config.config.models.judge ?? requireProfile(ctx).judge;
}

/** Name under which the proposer's price and history are found; null while only the host knows it. */
function modelName(ctx: Context, choice: ModelChoice): string | null {
  const { model } = expectedIdentity(choice, agentModel(ctx.profile.home));
  return model === 'unknown' ? null : model;
}

/**
 * What can be refused before any row is written or token spent.
 * @throws KarpathyError `bad_config`, `price_unknown`, `same_model`
 */
export function assertProposerUsable(ctx: Context): void {
  const choice = proposerChoice(ctx);
  const model = modelName(ctx, choice);
  const { usd } = reservationFor(ctx, { purpose: 'proposer', model, bound: { inputTokens: 1, outputTokens: 1 } });
  assertPriced(ctx, { model, usd });
  const judge = judgeChoice(ctx);
  if (judge === null || !usesJudge(ctx)) return;
  const agent = agentModel(ctx.profile.home);
  const [a, b]: ModelIdentity[] = [expectedIdentity(choice, agent), expectedIdentity(judge, agent)];
  if (a !== undefined && b !== undefined && sameModel(a, b)) {
    throw new KarpathyError(
      'same_model',
      `The proposer and the judge are the same model, ${a.model}: it would grade its own work.`,
      {
        hint: 'Choose another models.judge or models.proposer, or take the judge checks out of the scenarios.',
      },
    );
  }
}

/**
 * Asks the proposer's endpoint whether it is there: train trials are paid for before the proposer is called.
 * @throws KarpathyError `model_failed`, `bad_config`, `interrupted`
 */
export async function assertProposerThere(ctx: Context): Promise<void> {
  await ctx.makeModel(proposerChoice(ctx)).reach?.(ctx.signal);
}

/** What one call has to have in reserve. */
export function proposerReservation(ctx: Context): { readonly tokens: number; readonly usd: number | null } {
  const model = modelName(ctx, proposerChoice(ctx));
  return reservationFor(ctx, { purpose: 'proposer', model, bound: { inputTokens: 0, outputTokens: OUTPUT_TOKENS } });
}

function usesJudge(ctx: Context): boolean {
  return listScenarios(ctx.db, requireProfile(ctx).id).some((s) => s.spec.checks.some((c) => checkKind(c) === 'judge'));
}

/**
 * Asks the proposer once, within the budget of the experiment, or of the calibration for null.
 * @throws KarpathyError `budget`, `price_unknown`, `model_failed`, `model_limit`, `host_failed`, `interrupted`
 */
export async function askProposer(
  ctx: Context,
  call: { experimentId: number | null; messages: readonly ChatMessage[] },
): Promise<Completion> {
  const choice = proposerChoice(ctx);
  const model = modelName(ctx, choice);
  const chars = call.messages.reduce((sum, message) => sum + message.content.length, 0);
  const bound = { inputTokens: Math.ceil(chars / CHARS_PER_TOKEN) + 200, outputTokens: OUTPUT_TOKENS };
  return chargedCall(ctx, { experimentId: call.experimentId, purpose: 'proposer', model, bound }, () =>
    ctx.makeModel(choice).complete({
      messages: call.messages,
      maxTokens: OUTPUT_TOKENS,
      purpose: 'karpathy.propose',
      signal: ctx.signal,
    }),
  );
}
