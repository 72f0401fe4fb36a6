import type { AgentModel } from '../hermes/profiles.js';
import type { ModelChoice, ModelIdentity } from '../schemas.js';

/** A model's identity as far as it is known without calling it; `unknown` where the host decides. */
export function expectedIdentity(choice: ModelChoice, agent: AgentModel): ModelIdentity {
  if ('base_url' in choice) return { provider: 'openai-compatible', base_url: choice.base_url, model: choice.model };
  const ownProvider = choice.provider !== undefined && choice.provider !== agent.provider;
  return {
    provider: choice.provider ?? agent.provider ?? 'unknown',
    base_url: ownProvider ? null : agent.baseUrl,
    model: choice.model ?? agent.model ?? 'unknown',
  };
}

/** For a person: `gpt-x at api.example.com`, `the agent's own model (openrouter some/model)`. */
export function describeModel(choice: ModelChoice, agent: AgentModel): string {
  if ('base_url' in choice) return `${choice.model} at ${placeOf(choice.base_url)}`;
  if (choice.model === undefined && choice.provider === undefined)
    return `the agent's own model (${describeAgent(agent)})`;
  const { provider, model } = expectedIdentity(choice, agent);
  return `${model} of ${provider}, through Hermes`;
}

export function describeAgent(agent: AgentModel): string {
  if (agent.model === null && agent.provider === null) return 'as Hermes chooses it';
  const name = [agent.provider, agent.model].filter((part) => part !== null).join(' ');
  return agent.baseUrl === null ? name : `${name} at ${placeOf(agent.baseUrl)}`;
}

function placeOf(baseUrl: string): string {
  const host = URL.canParse(baseUrl) ? new URL(baseUrl).host : baseUrl;
  return isLocal(baseUrl) ? `${host} (this machine)` : host;
}

/** Whether what is sent there stays on this machine. */
export function isLocal(baseUrl: string): boolean {
  if (!URL.canParse(baseUrl)) return false;
  const { hostname } = new URL(baseUrl);
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname);
}
