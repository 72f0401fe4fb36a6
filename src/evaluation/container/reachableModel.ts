import { isKarpathyError, toKarpathyError } from '../../errors.js';
import type { HermesCommand } from '../../ports.js';
import { askContainerFacts, askHostFacts } from '../hostFacts.js';
import { readSlotConfig } from '../slotConfig.js';
import { findCredentials } from '../slotCredentials.js';
import { trialEnv } from '../trialEnv.js';
import type { Container } from './container.js';
import { endpointOf } from './forwarder.js';

export const NEEDS_A_KEY =
  'Give the profile a provider with an API key, or use `tools: simulated` for these scenarios.';

export interface ModelOfProfile {
  readonly hermes: HermesCommand;
  readonly pluginDir: string;
  readonly profileHome: string;
  readonly env: Readonly<NodeJS.ProcessEnv>;
  readonly signal?: AbortSignal;
}

/**
 * The container, unless the profile's model can't be called from within it: a login can't be taken along, and neither
 * proxies nor every address can be forwarded. Asks the installed Hermes; nothing is called. Throws only when stopped.
 */
export async function withReachableModel(container: Container, of: ModelOfProfile): Promise<Container> {
  if (container.kind === null) return container;
  const env = trialEnv(of.env, of.profileHome);
  try {
    const slotted = readSlotConfig(of.profileHome);
    const facts = await askHostFacts(slotted.provider, { ...of, env });
    const { login, keys } = findCredentials({ ...of, facts }, slotted);
    if (login !== null) {
      return { kind: null, problem: 'the model is called with a login (OAuth), not with a key', fix: NEEDS_A_KEY };
    }
    endpointOf((await askContainerFacts({ ...of, env: { ...env, ...keys } })).base_url, of.env);
    return container;
  } catch (error) {
    if (isKarpathyError(error) && error.code === 'interrupted') throw error;
    const { message, hint } = toKarpathyError(error);
    const problem = `${message.charAt(0).toLowerCase()}${message.slice(1).replace(/\.$/, '')}`;
    return { kind: null, problem, fix: hint ?? '`karpathy doctor` looks for the cause.' };
  }
}
