import type { ScenarioList } from '../services/scenarios.js';
import { shorten } from './figures.js';
import type { Look } from './look.js';
import { table } from './table.js';

export function scenariosText(look: Look, suite: ScenarioList): string {
  const hidden = suite.holdoutShown || suite.holdout === 0 ? [] : [`${suite.holdout} holdout scenarios are hidden.`];
  if (suite.scenarios.length === 0 && hidden.length === 0)
    return 'No scenarios yet. `hermes karpathy scenario add --help` shows how.';
  const rows = suite.scenarios.map((scenario) => [
    scenario.name,
    scenario.split,
    scenario.group === scenario.name ? '' : scenario.group,
    scenario.tools === 'simulated' ? '' : scenario.tools,
    scenario.checks.join(', '),
    shorten(scenario.input, 60),
  ]);
  const listed = rows.length === 0 ? [] : [table(look, ['name', 'split', 'group', 'tools', 'checks', 'input'], rows)];
  return [...listed, ...hidden].join('\n');
}
