import { HUMAN_PROPOSER } from '../domain/experiment.js';
import type { ProposerIdentity } from '../evaluation/judge.js';
import type { Context } from './context.js';

/** Who must not be the judge of an edit. A person's edit may be graded by any model. */
export function proposerOf(ctx: Context, recorded: string | null): ProposerIdentity {
  if (recorded === HUMAN_PROPOSER || recorded === null) return { configured: null, returned: null };
  const choice = ctx.config.config.models.proposer;
  return { configured: choice === null ? null : ctx.makeModel(choice).configured, returned: recorded };
}
