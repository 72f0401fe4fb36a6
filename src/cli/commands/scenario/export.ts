import * as z from 'zod';
import { exportScenarios } from '#src/services/scenarios.js';
import { plural } from '#src/text/figures.js';
import { command } from '../../command.js';
import { writeOutput } from '../../files.js';
import { flag } from '../../inputs.js';
import { agreeToHoldout } from './holdout.js';

export const scenarioExportCommand = command({
  path: 'scenario export',
  group: 'Set up',
  summary: 'the suite as a YAML file',
  options: [
    { flags: '--out <file>', summary: 'write a new file instead of printing' },
    { flags: '--include-holdout', summary: 'export the holdout too; each view is recorded' },
    { flags: '--yes', summary: 'do not ask on the terminal' },
  ],
  examples: ['scenario export --out suite.yaml', 'scenario export --include-holdout --out all.yaml'],
  withoutTerminal: 'Add --yes to skip the question.',
  input: z.object({ out: z.string().optional(), includeHoldout: flag, yes: flag }),
  async run(session, { out, includeHoldout, yes }) {
    const { yaml, count } = exportScenarios(session.ctx, await agreeToHoldout(session, { includeHoldout, yes }));
    if (out === undefined) return { data: { count, yaml }, text: () => yaml };
    const path = writeOutput(session.io, out, yaml);
    return {
      data: { count, path },
      text: (look) => `${look.colors.green('✓')} ${plural(count, 'scenario')} in ${path}`,
    };
  },
});
