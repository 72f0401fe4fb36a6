import type { ExperimentRow } from '../store/experiments.js';
import type { Context } from './context.js';
import { guardrailReport, type GuardrailReport } from './guardrails.js';

/**
 * Sessions of the applied text against those of the text before it, as far as they were collected; null before the
 * apply. After the verification only the window's own sessions count.
 */
export function windowGuardrails(
  ctx: Pick<Context, 'db' | 'clock'>,
  experiment: ExperimentRow,
): GuardrailReport | null {
  const { id, profileId, appliedAt, baseSha256, candidateSha256 } = experiment;
  if (appliedAt === null || baseSha256 === null || candidateSha256 === null) return null;
  return guardrailReport(ctx, {
    profileId,
    before: { contentSha256: baseSha256, to: appliedAt },
    after: { contentSha256: candidateSha256, from: appliedAt, to: experiment.verifiedAt ?? ctx.clock.now() + 1 },
    seed: `experiment ${id}`,
  });
}
