import * as z from 'zod';
import { removeScenario } from '#src/services/scenarios.js';
import { command } from '../../command.js';

export const scenarioRmCommand = command({
  path: 'scenario rm',
  group: 'Set up',
  summary: 'take a scenario out of the suite; results that used it keep their copy',
  arguments: [{ name: '<name>', summary: 'name of the scenario' }],
  examples: ['scenario rm refund'],
  input: z.object({ name: z.string() }),
  async run({ ctx }, { name }) {
    const removed = removeScenario(ctx, name);
    return { data: { removed }, text: (look) => `${look.colors.green('✓')} ${name} is out of the suite.` };
  },
});
