import type { ScenarioSnapshot } from '../schemas.js';

/** How a message speaks of a scenario. A hidden one has no name: messages reach chats, logs and job rows. */
export function described(scenario: Pick<ScenarioSnapshot, 'name' | 'split'>): string {
  return scenario.split === 'holdout' ? 'A holdout scenario' : `Scenario ${scenario.name}`;
}
