import * as z from 'zod';
import { budgetLimits } from '../../services/budget.js';
import { show } from '../../services/show.js';
import { showText } from '../../text/show.js';
import { command } from '../command.js';
import { experimentId, flag } from '../inputs.js';
import { agreeToHoldout } from './scenario/holdout.js';
import { whichExperiment } from '../../services/whichExperiment.js';

export const showCommand = command({
  path: 'show',
  group: 'Look',
  summary: 'one experiment: the change by words, both arms per scenario, the verdict in plain words',
  details: 'Without ID: the experiment in flight. Holdout scenarios stay unnamed unless --include-holdout is given.',
  arguments: [{ name: '[id]', summary: 'number of the experiment' }],
  options: [
    { flags: '--include-holdout', summary: 'name the holdout scenarios; each view is recorded' },
    { flags: '--yes', summary: 'do not ask on the terminal' },
  ],
  examples: ['show', 'show 7', '--json show 7'],
  withoutTerminal: 'Add --yes to skip the question.',
  input: z.object({ id: experimentId.optional(), includeHoldout: flag, yes: flag }),
  async run(session, { id, includeHoldout, yes }) {
    const { ctx } = session;
    const which = whichExperiment(ctx, id);
    const view = await show(ctx, which, await agreeToHoldout(session, { includeHoldout, yes }));
    return {
      data: view,
      text: (look) => showText(look, view, { now: ctx.clock.now(), budget: budgetLimits(ctx) }),
    };
  },
});
