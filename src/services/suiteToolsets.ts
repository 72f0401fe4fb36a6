import type { ScenarioSnapshot } from '../schemas.js';
import type { Context } from './context.js';

/**
 * The scenarios with the toolsets they run with: their own, else `runner.toolsets`. Where tools really run, a person
 * confirmed toolsets by name, and a setting must not add to them.
 */
export function withToolsets(ctx: Context, scenarios: readonly ScenarioSnapshot[]): ScenarioSnapshot[] {
  const { toolsets } = ctx.config.config.runner;
  if (toolsets === null) return [...scenarios];
  return scenarios.map((scenario) => {
    const { spec } = scenario;
    if (spec.toolsets !== undefined || spec.tools === 'real') return scenario;
    return { ...scenario, spec: { ...spec, toolsets: [...toolsets] } };
  });
}

/**
 * Scenarios whose prompts begin alike one after the other, so that a provider that caches prompts is asked for the
 * same one again within minutes. The order is part of the plan, fixed before the first trial and blind to results.
 */
export function inCacheOrder(scenarios: readonly ScenarioSnapshot[]): ScenarioSnapshot[] {
  const byPrefix = new Map<string, ScenarioSnapshot[]>();
  for (const scenario of scenarios) {
    const { toolsets } = scenario.spec;
    const prefix = toolsets === undefined ? '' : JSON.stringify([...toolsets].sort());
    byPrefix.set(prefix, [...(byPrefix.get(prefix) ?? []), scenario]);
  }
  return [...byPrefix.values()].flat();
}
