import * as z from 'zod';
import { ownExperiment } from '../../services/ownExperiment.js';
import { requireConflict, resolveConflict } from '../../services/resolve.js';
import { agree } from '../agree.js';
import { command } from '../command.js';
import { experimentId, flag } from '../inputs.js';
import { outcome } from '../outcome.js';

export const resolveCommand = command({
  path: 'resolve',
  group: 'Decide',
  summary: 'decide about a file that a person edited while a change was live',
  usage: '<id> --keep-mine | --restore',
  arguments: [{ name: '<id>', summary: 'number of the experiment' }],
  options: [
    { flags: '--keep-mine', summary: 'the edited text stays and is the new incumbent; the file is not touched' },
    {
      flags: '--restore',
      summary: 'the text from before the change comes back; the edited bytes are kept as a snapshot',
    },
    { flags: '--yes', summary: 'do not ask on the terminal' },
  ],
  examples: ['resolve 7 --keep-mine', 'resolve 7 --restore'],
  withoutTerminal: 'Add --yes to skip the question.',
  input: z
    .object({ id: experimentId, keepMine: flag, restore: flag, yes: flag })
    .refine((given) => given.keepMine !== given.restore, { error: 'needs either --keep-mine or --restore' }),
  async run(session, { id, keepMine, yes }) {
    const { ctx } = session;
    const experiment = ownExperiment(ctx, id);
    const { targetRelpath } = experiment;
    const effect = keepMine
      ? `${targetRelpath} stays as the person left it; experiment ${id} is closed.`
      : `${targetRelpath} gets the bytes from before experiment ${id}; the edited bytes are kept as a snapshot.`;
    await agree(session, {
      what: 'resolving a conflict',
      possible: () => void requireConflict(ctx, experiment),
      question: keepMine
        ? `Keep the edited ${targetRelpath}?`
        : `Put ${targetRelpath} back as it was before experiment ${id}?`,
      preview: effect,
      yes,
    });
    await resolveConflict(ctx, id, keepMine ? { keepMine: true } : { restore: true });
    return outcome(ctx, id, effect);
  },
});
