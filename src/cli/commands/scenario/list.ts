import * as z from 'zod';
import { listSuite } from '#src/services/scenarios.js';
import { scenariosText } from '#src/text/scenarios.js';
import { command } from '../../command.js';
import { flag } from '../../inputs.js';
import { agreeToHoldout } from './holdout.js';

export const scenarioListCommand = command({
  path: 'scenario list',
  group: 'Set up',
  summary: 'the suite; holdout scenarios are counted, not listed',
  options: [
    { flags: '--include-holdout', summary: 'list the holdout too; each view is recorded' },
    { flags: '--yes', summary: 'do not ask on the terminal' },
  ],
  examples: ['scenario list', 'scenario list --include-holdout'],
  withoutTerminal: 'Add --yes to skip the question.',
  input: z.object({ includeHoldout: flag, yes: flag }),
  async run(session, { includeHoldout, yes }) {
    const suite = listSuite(session.ctx, await agreeToHoldout(session, { includeHoldout, yes }));
    return { data: suite, text: (look) => scenariosText(look, suite) };
  },
});
