import { chmodSync, mkdirSync } from 'node:fs';
import { KarpathyError } from '../errors.js';
import { requireRoom } from '../ratchet/room.js';
import { agentModel } from '../hermes/profiles.js';
import type { ModelChoice } from '../schemas.js';
import { immediate } from '../store/database.js';
import { findProfile, saveProfile, type ProfileRow } from '../store/profiles.js';
import type { Context } from './context.js';
import { planInit, roundedUp, type InitInput, type InitPlan } from './initPlan.js';
import { refreshMarkers } from './markers.js';
import { describeAgent } from './modelNames.js';
import { commandFor } from './requireProfile.js';
import { rowsNeed } from './room.js';
import { setupEstimate, type SetupEstimate } from './setupEstimate.js';

export interface InitResult extends InitPlan {
  readonly row: ProfileRow;
  readonly created: boolean;
  /** Commands that make sense now. */
  readonly next: readonly string[];
}

/**
 * Sets a profile up, or changes its set-up. Everything is checked before anything is written.
 * `acceptDisclosure`: a person has read who will see which text. Asked again only when a model changed.
 * @throws KarpathyError what `planInit` throws; `needs_person` without the agreement
 */
export async function initProfile(
  ctx: Context,
  input: InitInput & { readonly acceptDisclosure: boolean },
): Promise<InitResult> {
  const plan = await planInit(ctx, input);
  if (input.acceptDisclosure && ctx.surface.agentShell && earlierAgreement(plan) === null) {
    throw new KarpathyError(
      'needs_person',
      "An agent's own shell can't agree for a person to who will see which text.",
      {
        hint: 'Run init in a terminal of your own.',
      },
    );
  }
  const agreedAt = earlierAgreement(plan) ?? (input.acceptDisclosure ? ctx.clock.now() : null);
  if (agreedAt === null) {
    throw new KarpathyError(
      'needs_person',
      'Before a profile is set up a person agrees to who will see which text; nothing was changed.',
      {
        problems: plan.disclosure.map((message) => ({ path: 'disclosure', message })),
        hint: `If you agree: ${commandFor(ctx.profile.name)} init --accept-disclosure (with the other options as before).`,
      },
    );
  }
  requireRoom([rowsNeed(ctx, 0), { what: 'the data directory', path: ctx.paths.dataDir, bytes: 0 }]);
  mkdirSync(ctx.paths.dataDir, { recursive: true, mode: 0o700 });
  chmodSync(ctx.paths.dataDir, 0o700);
  const row = immediate(ctx.db, () =>
    saveProfile(ctx.db, {
      rootPath: ctx.profile.rootPath,
      name: ctx.profile.name,
      targetRelpath: plan.target.relpath,
      ...plan.stored,
      disclosureAcceptedAt: agreedAt,
      at: ctx.clock.now(),
    }),
  );
  refreshMarkers(ctx);
  return { ...plan, row, created: plan.existing === null, next: nextCommands(ctx, plan) };
}

/** An agreement holds for the models it was given for. */
function earlierAgreement(plan: InitPlan): number | null {
  const { existing, stored } = plan;
  if (existing === null) return null;
  const same = JSON.stringify([existing.proposer, existing.judge]) === JSON.stringify([stored.proposer, stored.judge]);
  return same ? existing.disclosureAcceptedAt : null;
}

function nextCommands(ctx: Context, plan: InitPlan): string[] {
  const command = commandFor(ctx.profile.name);
  const isNew = plan.existing === null;
  return [...(isNew ? [`${command} scenario import FILE`, `${command} doctor`] : []), `${command} status`];
}

/** What the guided set-up suggests for each of its questions. */
export interface InitDefaults {
  readonly existing: ProfileRow | null;
  readonly target: string;
  /** The agent's model in words. */
  readonly agent: string;
  /** Null when there is nothing to suggest: without Hermes in front an endpoint has to be given. */
  readonly proposer: ModelChoice | null;
  readonly judge: ModelChoice | null;
  readonly budgetTokens: number;
  readonly budgetUsd: number | null;
  readonly estimate: SetupEstimate;
}

export function initDefaults(ctx: Context): InitDefaults {
  const existing = findProfile(ctx.db, ctx.profile.rootPath);
  const { models, budget } = ctx.config.config;
  const estimate = setupEstimate(ctx, existing);
  return {
    existing,
    target: existing?.targetRelpath ?? 'SOUL.md',
    agent: describeAgent(agentModel(ctx.profile.home)),
    proposer: models.proposer ?? existing?.proposer ?? (ctx.host === null ? null : { host: true }),
    judge: models.judge ?? existing?.judge ?? null,
    budgetTokens: budget.tokens ?? existing?.budgetTokens ?? roundedUp(estimate.tokens * 1.5),
    budgetUsd: budget.usd ?? existing?.budgetUsd ?? null,
    estimate,
  };
}
