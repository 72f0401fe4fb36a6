import { KarpathyError } from '../errors.js';
import type { ModelChoice, ScenarioSnapshot } from '../schemas.js';
import { findScenarioById } from '../store/scenarios.js';
import type { Context } from './context.js';
import { described } from './scenarioNames.js';

/**
 * Refuses scenarios that can't be run and graded here. Costs nothing: call it before anything is spent on them, or on
 * what leads to them.
 * @returns ids of the scenarios whose tools a person let run for real
 * @throws KarpathyError `bad_scenario`, `bad_config`
 */
export async function requireRunnable(ctx: Context, scenarios: readonly ScenarioSnapshot[]): Promise<number[]> {
  await requireContainable(ctx, scenarios);
  chosenJudge(ctx, scenarios);
  return scenarios.flatMap((scenario) => {
    if (scenario.spec.tools !== 'real') return [];
    if (findScenarioById(ctx.db, scenario.id)?.realToolsConfirmedBy != null) return [scenario.id];
    throw new KarpathyError(
      'bad_scenario',
      `${described(scenario)} lets tools really run, and nobody has confirmed it.`,
      { hint: '`karpathy scenario edit` asks for the names of the toolsets.' },
    );
  });
}

const OTHERWISE = '`tools: simulated`';

/** @throws KarpathyError `bad_scenario` where a scenario asks for contained tools, and they can't run here */
export async function requireContainable(ctx: Context, scenarios: readonly ScenarioSnapshot[]): Promise<void> {
  const asking = scenarios.find((scenario) => scenario.spec.tools === 'contained');
  if (asking === undefined) return;
  const found = await ctx.findContainer();
  if (found.kind !== null) return;
  throw new KarpathyError(
    'bad_scenario',
    `${described(asking)} asks for contained tools, which can't run here: ${found.problem}.`,
    { hint: found.fix.includes(OTHERWISE) ? found.fix : `${found.fix} Or use ${OTHERWISE}.` },
  );
}

/** Who grades, as chosen; null where nothing asks for a judge. @throws KarpathyError `bad_config` when none is chosen */
export function chosenJudge(ctx: Context, scenarios: readonly ScenarioSnapshot[]): ModelChoice | null {
  const asking = scenarios.find((scenario) => scenario.spec.checks.some((check) => check.judge !== undefined));
  if (asking === undefined) return null;
  const choice = ctx.config.config.models.judge;
  if (choice !== null) return choice;
  throw new KarpathyError('bad_config', `${described(asking)} asks for a judge, and no judge is set up.`, {
    hint: 'Set models.judge in the root config.yaml, or run `karpathy init` again.',
  });
}
