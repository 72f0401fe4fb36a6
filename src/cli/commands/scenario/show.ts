import * as z from 'zod';
import { showScenario } from '#src/services/scenarios.js';
import { command } from '../../command.js';
import { flag } from '../../inputs.js';
import { agreeToHoldout } from './holdout.js';

export const scenarioShowCommand = command({
  path: 'scenario show',
  group: 'Set up',
  summary: 'one scenario as YAML',
  arguments: [{ name: '<name>', summary: 'name of the scenario' }],
  options: [
    { flags: '--include-holdout', summary: 'needed for a holdout scenario; each view is recorded' },
    { flags: '--yes', summary: 'do not ask on the terminal' },
  ],
  examples: ['scenario show refund'],
  withoutTerminal: 'Add --yes to skip the question.',
  input: z.object({ name: z.string(), includeHoldout: flag, yes: flag }),
  async run(session, { name, includeHoldout, yes }) {
    const shown = showScenario(session.ctx, name, await agreeToHoldout(session, { includeHoldout, yes }));
    return { data: shown, text: () => shown.yaml };
  },
});
