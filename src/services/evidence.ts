import { createHash } from 'node:crypto';
import { EVALUATOR_VERSION } from '../evaluation/plan.js';
import { readSlotConfig } from '../evaluation/slot.js';
import { agentModel } from '../hermes/profiles.js';
import { listScenarios } from '../store/scenarios.js';
import type { Context } from './context.js';
import { requireProfile } from './requireProfile.js';

/** What evidence rests on. `sha256` is over everything but `notes`. */
export interface EvidenceFingerprint {
  readonly sha256: string;
  readonly detail: {
    readonly agent: {
      readonly provider: string | null;
      readonly model: string | null;
      readonly baseUrl: string | null;
    };
    readonly judge: string | null;
    readonly evaluator: string;
    /** Content hashes of the holdout scenarios, sorted. */
    readonly holdout: readonly string[];
    /** What differs between a slot and the live agent, in words. */
    readonly notes: readonly string[];
  };
}

/**
 * The evidence epoch: holdout suite, agent model, judge and evaluator. Another fingerprint means that old evidence
 * says nothing any more, and that the family of the error budget is another one.
 * @throws KarpathyError `not_initialised`, `bad_config`
 */
export async function evidenceFingerprint(ctx: Context): Promise<EvidenceFingerprint> {
  const profile = requireProfile(ctx);
  const holdout = listScenarios(ctx.db, profile.id, { split: 'holdout' });
  const judged = holdout.some((scenario) => scenario.spec.checks.some((check) => check.judge !== undefined));
  const { judge } = ctx.config.config.models;
  const counted = {
    agent: agentModel(ctx.profile.home),
    // Who grades only matters where something is graded.
    judge: judged && judge !== null ? JSON.stringify(judge) : null,
    evaluator: EVALUATOR_VERSION,
    holdout: holdout.map((scenario) => scenario.contentSha256).sort(),
  };
  return {
    sha256: createHash('sha256').update(JSON.stringify(counted)).digest('hex'),
    detail: { ...counted, notes: readSlotConfig(ctx.profile.home).differences },
  };
}
