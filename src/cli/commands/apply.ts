import * as z from 'zod';
import { applyExperiment, requireApplicable } from '../../services/apply.js';
import { ownExperiment } from '../../services/ownExperiment.js';
import { appliedText } from '../../text/applied.js';
import { agree } from '../agree.js';
import { command } from '../command.js';
import { experimentId, flag } from '../inputs.js';
import { outcome } from '../outcome.js';
import { preview } from '../preview.js';

export const applyCommand = command({
  path: 'apply',
  group: 'Decide',
  summary: 'write an approved change into the file',
  details: 'The exact prior bytes are kept first. The change acts from the next session on.',
  arguments: [{ name: '<id>', summary: 'number of the experiment' }],
  options: [{ flags: '--yes', summary: 'do not ask on the terminal' }],
  examples: ['apply 7', 'apply 7 --yes'],
  withoutTerminal: 'Add --yes to skip the question.',
  input: z.object({ id: experimentId, yes: flag }),
  async run(session, { id, yes }) {
    const { ctx } = session;
    const experiment = ownExperiment(ctx, id);
    const { targetRelpath } = experiment;
    await agree(session, {
      what: 'applying a change',
      possible: () => requireApplicable(ctx, experiment),
      question: `Write ${targetRelpath}?`,
      preview: await preview(session, id, `${targetRelpath} is written; new sessions use it`),
      yes,
    });
    return outcome(ctx, id, appliedText(await applyExperiment(ctx, id)));
  },
});
