import * as z from 'zod';
import { conflictView } from '../../services/conflictView.js';
import { ownExperiment } from '../../services/ownExperiment.js';
import { requireConflict, resolveConflict } from '../../services/resolve.js';
import { conflictText } from '../../text/conflict.js';
import { nextText } from '../../text/next.js';
import { agree } from '../agree.js';
import { command, type Answer, type Session } from '../command.js';
import { experimentId, flag } from '../inputs.js';
import { outcome } from '../outcome.js';

export const resolveCommand = command({
  path: 'resolve',
  group: 'Decide',
  summary: 'decide about a file that a person edited while a change was live',
  details: 'Without an option it shows what was changed by whom and what each choice would do, and changes nothing.',
  usage: '<id> [--keep-mine | --restore]',
  arguments: [{ name: '<id>', summary: 'number of the experiment' }],
  options: [
    { flags: '--keep-mine', summary: 'the edited text stays and is the new incumbent; the file is not touched' },
    {
      flags: '--restore',
      summary: 'the text from before the change comes back; the edited bytes are kept as a snapshot',
    },
    { flags: '--yes', summary: 'do not ask on the terminal' },
  ],
  examples: ['resolve 7', 'resolve 7 --keep-mine', 'resolve 7 --restore'],
  withoutTerminal: 'Add --yes to skip the question.',
  input: z
    .object({ id: experimentId, keepMine: flag, restore: flag, yes: flag })
    .refine((given) => !(given.keepMine && given.restore), { error: 'takes --keep-mine or --restore, not both' }),
  async run(session, { id, keepMine, restore, yes }) {
    const { ctx, look } = session;
    const experiment = ownExperiment(ctx, id);
    const { targetRelpath } = experiment;
    if (!keepMine && !restore) return showOnly(session, id);
    const done = keepMine
      ? `${targetRelpath} stays as the person left it; experiment ${id} is ${experiment.state === 'verified' ? 'still verified' : 'closed'}.`
      : `${targetRelpath} has the bytes from before experiment ${id}; the edited bytes are kept as a snapshot.`;
    const possible = () => void requireConflict(ctx, experiment);
    await agree(session, {
      what: 'resolving a conflict',
      possible,
      question: keepMine
        ? `Keep the edited ${targetRelpath}?`
        : `Put ${targetRelpath} back as it was before experiment ${id}?`,
      preview: () => conflictText(look, conflictView(ctx, id)),
      yes,
    });
    await resolveConflict(ctx, id, keepMine ? { keepMine: true } : { restore: true });
    return outcome(ctx, id, done);
  },
});

function showOnly({ ctx }: Session, id: number): Answer {
  const view = conflictView(ctx, id);
  const next = {
    say: 'Nothing was changed. Decide with:',
    commands: [`resolve ${id} --keep-mine`, `resolve ${id} --restore`],
  };
  return { data: { conflict: view, next }, text: (look) => `${conflictText(look, view)}\n\n${nextText(look, next)}` };
}
