import * as z from 'zod';
import { finish, requireEndedWindow } from '../../services/finish.js';
import { ownExperiment } from '../../services/ownExperiment.js';
import { agree } from '../agree.js';
import { command } from '../command.js';
import { experimentId, flag, reason } from '../inputs.js';
import { outcome } from '../outcome.js';
import { preview } from '../preview.js';

const DONE = {
  keep: (id: number) => `Experiment ${id} is kept as verified by your decision.`,
  revert: (id: number) => `Experiment ${id} is reverted: the file has its prior bytes back.`,
  again: (id: number) => `The live window of experiment ${id} starts again.`,
} as const;

const QUESTIONS = {
  keep: (id: number) => `Keep experiment ${id} although the live window had too little data?`,
  revert: (id: number) => `Put the file back as it was before experiment ${id}?`,
  again: (id: number) => `Start the live window of experiment ${id} again?`,
} as const;

export const finishCommand = command({
  path: 'finish',
  group: 'Decide',
  summary: 'decide about a live window that ended with too little data',
  usage: '<id> --keep REASON | --revert | --again',
  arguments: [{ name: '<id>', summary: 'number of the experiment' }],
  options: [
    { flags: '--keep <reason>', summary: 'keep the change; the reason stays on record' },
    { flags: '--revert', summary: 'put the prior bytes back' },
    { flags: '--again', summary: 'start the live window again' },
    { flags: '--yes', summary: 'do not ask on the terminal' },
  ],
  examples: ["finish 7 --keep 'few users, but they like it'", 'finish 7 --revert', 'finish 7 --again'],
  withoutTerminal: 'Add --yes to skip the question.',
  input: z
    .object({ id: experimentId, keep: reason.optional(), revert: flag, again: flag, yes: flag })
    .refine((given) => [given.keep !== undefined, given.revert, given.again].filter(Boolean).length === 1, {
      error: 'needs exactly one of --keep REASON, --revert, --again',
    }),
  async run(session, { id, keep, revert, again, yes }) {
    const { ctx } = session;
    const experiment = ownExperiment(ctx, id);
    const choice = keep !== undefined ? 'keep' : revert ? 'revert' : 'again';
    await agree(session, {
      what: 'ending a live window',
      possible: () => requireEndedWindow(ctx, experiment),
      question: QUESTIONS[choice](id),
      preview: await preview(session, id, DONE[choice](id)),
      yes,
    });
    await finish(ctx, id, {
      ...(keep === undefined ? {} : { keep }),
      ...(revert ? { revert } : {}),
      ...(again ? { again } : {}),
    });
    return outcome(ctx, id, DONE[choice](id));
  },
});
