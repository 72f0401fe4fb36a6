import type { HostServices, LanguageModel } from '../ports.js';
import type { ModelChoice } from '../schemas.js';
import { hostModel } from './hostModel.js';
import { openAiCompatible, type EndpointOptions } from './openAiCompatible.js';

export interface ModelOptions extends EndpointOptions {
  readonly host: HostServices | null;
}

/** The model a profile chose for its proposer or judge. Nothing is called or checked before `complete`. */
export function createModel(choice: ModelChoice, options: ModelOptions): LanguageModel {
  return 'base_url' in choice ? openAiCompatible(choice, options) : hostModel(choice, options.host);
}
