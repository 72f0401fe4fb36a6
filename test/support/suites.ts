import type { ScenarioSpec } from '../../src/schemas.js';
import { insertScenario } from '../../src/store/scenarios.js';
import type { TestContext } from './context.js';

export interface AddedScenarios {
  readonly names: readonly string[];
  readonly split: 'train' | 'holdout';
  /** Over `Do NAME.` and a check for the word `units`. */
  readonly spec?: Partial<ScenarioSpec> | ((name: string) => Partial<ScenarioSpec>);
}

/** Adds scenarios that are alike, each a group of its own; returns their ids. */
export function addScenarios(
  fixture: Pick<TestContext, 'db' | 'profileId' | 'clock'>,
  { names, split, spec = {} }: AddedScenarios,
): number[] {
  return names.map((name) => {
    const own = typeof spec === 'function' ? spec(name) : spec;
    return insertScenario(fixture.db, {
      profileId: fixture.profileId,
      name,
      split,
      group: name,
      spec: { input: `Do ${name}.`, checks: [{ must_contain: 'units' }], ...own },
      realToolsConfirmedBy: null,
      at: fixture.clock.now(),
    });
  });
}
