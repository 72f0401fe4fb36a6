import { newestBaseline, recordWatch, type Baseline } from '../store/baselines.js';
import { immediate } from '../store/database.js';
import { getExperiment } from '../store/experiments.js';
import { findProfile } from '../store/profiles.js';
import { startOfNthSession } from '../store/sessionTags.js';
import { collectMetrics } from './collect.js';
import type { Context } from './context.js';
import { alarmsOf, guardrailReport, type GuardrailReport } from './guardrails.js';
import { targetSha256 } from './targetStatus.js';

/** So many new sessions are looked at together; fewer would show only the coarsest drift. */
export const WATCHED_SESSIONS = 20;
/** A session whose last turn is older is taken as it is. */
const SETTLED_MS = 60 * 60 * 1000;

/** The verified text that is in force, and what became of its evidence. */
export interface Watched {
  readonly experimentId: number;
  readonly recordedAt: number;
  /** Model, judge, suite or evaluator are others than at the verification. */
  readonly expired: boolean;
  /** Sessions since the verification were not as in the live window; null = nothing was noticed. */
  readonly drift: GuardrailReport | null;
}

/** The baseline of the text that the target holds now; null when that text was never verified. */
export function watchedText(ctx: Context): Watched | null {
  const baseline = baselineInForce(ctx);
  if (baseline === null || baseline.experimentId === null) return null;
  return {
    experimentId: baseline.experimentId,
    recordedAt: baseline.recordedAt,
    expired: baseline.evidenceExpiredAt !== null,
    // Written below from a GuardrailReport.
    drift: baseline.drift as GuardrailReport | null,
  };
}

function baselineInForce(ctx: Context): Baseline | null {
  const profile = findProfile(ctx.db, ctx.profile.rootPath);
  const contentSha256 = profile === null ? null : targetSha256(profile);
  if (profile === null || contentSha256 === null) return null;
  return newestBaseline(ctx.db, { profileId: profile.id, contentSha256 });
}

/**
 * Goes on watching a verified text: each block of new sessions is compared once with those of its live window, by the
 * same guardrails. Costs one look-up until a block is full. A drift says that something is another than at the
 * verification, not that the text is why: it asks for a re-evaluation and changes nothing.
 */
export function watchVerified(ctx: Context): void {
  const baseline = baselineInForce(ctx);
  if (baseline === null || baseline.experimentId === null || baseline.drift !== null) return;
  const { profileId, contentSha256, watchedUntil: after } = baseline;
  const settledBefore = ctx.clock.now() - SETTLED_MS;
  const block = { profileId, contentSha256, after, settledBefore, count: WATCHED_SESSIONS };
  const until = startOfNthSession(ctx.db, block);
  if (until === null) return;
  const { appliedAt, verifiedAt } = getExperiment(ctx.db, baseline.experimentId);
  if (appliedAt === null || verifiedAt === null) return;
  collectMetrics(ctx);
  const report = guardrailReport(ctx, {
    profileId,
    before: { contentSha256, from: appliedAt, to: verifiedAt },
    after: { contentSha256, from: after + 1, to: until + 1 },
    seed: `baseline ${baseline.id} until ${until}`,
  });
  const drift = alarmsOf(report).length > 0 ? report : null;
  immediate(ctx.db, () => recordWatch(ctx.db, { id: baseline.id, watchedUntil: until, drift, at: ctx.clock.now() }));
}
