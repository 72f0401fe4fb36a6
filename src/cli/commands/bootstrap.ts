import * as z from 'zod';
import { bootstrap } from '../../services/bootstrap.js';
import { findingsText } from '../../text/doctor.js';
import { initText } from '../../text/init.js';
import { command } from '../command.js';
import { flag } from '../inputs.js';
import { SETUP_OPTIONS, setupInput, setupShape } from '../setupFlags.js';

export const bootstrapCommand = command({
  path: 'bootstrap',
  group: 'Set up',
  summary: 'set this profile up without questions, with defaults, and check it',
  options: [
    ...SETUP_OPTIONS,
    { flags: '--accept-disclosure', summary: "needed when a text goes to another model than the agent's own" },
  ],
  examples: ['bootstrap', 'bootstrap --budget-tokens 5000000'],
  input: z.object({ ...setupShape, acceptDisclosure: flag }),
  async run({ ctx }, { acceptDisclosure, ...flags }) {
    const result = await bootstrap(ctx, { ...setupInput(flags), acceptDisclosure });
    return {
      data: result,
      text: (look) => `${initText(look, result.init, { withPlan: true })}\n\n${findingsText(look, result.findings)}`,
    };
  },
});
