import { createHash } from 'node:crypto';
import * as z from 'zod';
import { modelIdentitySchema, scenarioSnapshotSchema, toolPolicySchema } from '../schemas.js';

/** Grows when trials, checks or the judge's instructions change so that old evidence can't be compared with new. */
export const EVALUATOR_VERSION = 'cold-1';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/**
 * Everything that is fixed before the first trial. Stored with the run and never changed: an interrupted run goes on
 * with the very same plan, whatever was edited meanwhile.
 */
export const evalPlanSchema = z.strictObject({
  v: z.literal(1),
  purpose: z.enum(['train_baseline', 'screen', 'selection', 'veto', 'live_window', 'calibration']),
  evaluator: z.string(),
  /** Draws which arm of a pair runs first. */
  seed: z.string().min(1),
  /** Epochs are numbered from here; an extension continues the numbering of the run it extends. */
  firstEpoch: z.int().min(1),
  epochs: z.int().min(1),
  /**
   * Of a live window: how often it was opened again before this run; another opening asks for fresh trials. Of a
   * calibration: which one.
   */
  round: z.int().min(0),
  looks: z.array(z.strictObject({ epochs: z.int().min(1), share: z.number(), futilityZ: z.number() })),
  /** This consultation's share of the error budget; 0 where none is spent. */
  alpha: z.number(),
  /** A person had it run although the suite was too small to answer: nothing is kept. */
  underpowered: z.boolean(),
  /** What a deletion may cost, in (0, 1); null for an edit that has to help. */
  margin: z.number().nullable(),
  arms: z.array(z.enum(['incumbent', 'candidate'])).min(1),
  targetRelpath: z.string().min(1),
  incumbentSha256: sha256,
  candidateSha256: sha256.nullable(),
  scenarios: z.array(scenarioSnapshotSchema),
  /** Scenarios whose tools may really run, because a person confirmed them. */
  realConfirmed: z.array(z.int()),
  slots: z.int().min(1),
  policy: toolPolicySchema,
  maxTurns: z.int().min(1),
  timeoutMs: z.int().min(1),
  /** A trial that uses more has failed; the same for both arms. */
  tokenCap: z.int().min(1),
  agentModel: z.strictObject({
    provider: z.string().nullable(),
    model: z.string().nullable(),
    base_url: z.string().nullable(),
  }),
  proposer: z.string().nullable(),
  judge: modelIdentitySchema.nullable(),
});
export type EvalPlan = z.infer<typeof evalPlanSchema>;

/** The text that is stored and hashed. */
export function serialisePlan(plan: EvalPlan): { readonly text: string; readonly sha256: string } {
  const text = JSON.stringify(evalPlanSchema.parse(plan));
  return { text, sha256: createHash('sha256').update(text).digest('hex') };
}

/** @throws when the stored text is not the one that was hashed */
export function restorePlan(stored: { readonly plan: string; readonly planSha256: string }): EvalPlan {
  const digest = createHash('sha256').update(stored.plan).digest('hex');
  if (digest !== stored.planSha256) throw new Error('the stored plan of this eval run was altered');
  return evalPlanSchema.parse(JSON.parse(stored.plan));
}
