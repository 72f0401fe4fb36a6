import { agentModel } from '../hermes/profiles.js';
import type { PlannedAgent } from '../store/trialCosts.js';
import type { Context } from './context.js';

/** The agent's model as it stands now, in the form that plans keep. */
export function plannedAgent(ctx: Pick<Context, 'profile'>): PlannedAgent {
  const { provider, model, baseUrl } = agentModel(ctx.profile.home);
  return { provider, model, base_url: baseUrl };
}
