import * as z from 'zod';
import { applyExperiment } from '../../services/apply.js';
import { approve, requireApprovable } from '../../services/approve.js';
import { ownExperiment } from '../../services/ownExperiment.js';
import { appliedText, autoRevertText } from '../../text/applied.js';
import { agree } from '../agree.js';
import { command } from '../command.js';
import { experimentId, flag, reason } from '../inputs.js';
import { outcome } from '../outcome.js';
import { preview } from '../preview.js';

export const approveCommand = command({
  path: 'approve',
  group: 'Decide',
  summary: 'agree to a change that the evidence supports',
  details:
    'Needs the verdict keep, an unchanged file and evidence that still holds. Approving also agrees that the change is\nput back without asking again when fresh trials prove harm, unless --no-auto-revert is given.',
  arguments: [{ name: '<id>', summary: 'number of the experiment' }],
  options: [
    { flags: '--apply', summary: 'write the file at once' },
    { flags: '--override <reason>', summary: 'approve although the verdict is undecided; the reason stays on record' },
    { flags: '--no-auto-revert', summary: 'never revert without asking, whatever the live window shows' },
    { flags: '--yes', summary: 'do not ask on the terminal' },
  ],
  examples: ['approve 7', 'approve 7 --apply', "approve 7 --override 'wording rule of our team'"],
  withoutTerminal: 'Add --yes to skip the question.',
  input: z.object({
    id: experimentId,
    apply: flag,
    override: reason.optional(),
    autoRevert: z.boolean().default(true),
    yes: flag,
  }),
  async run(session, { id, apply, override, autoRevert, yes }) {
    const { ctx } = session;
    const experiment = ownExperiment(ctx, id);
    const { targetRelpath } = experiment;
    const overriding = override === undefined ? {} : { override };
    await agree(session, {
      what: 'approving a change',
      possible: () => requireApprovable(experiment, overriding),
      question: `Approve experiment ${id}${apply ? ` and write ${targetRelpath}` : ''}?`,
      preview: await preview(
        session,
        id,
        `${apply ? `${targetRelpath} is written; new sessions use it` : 'nothing is written yet'}; ${autoRevertText(autoRevert)}`,
      ),
      yes,
    });
    await approve(ctx, id, { ...overriding, autoRevert });
    const approved = `Experiment ${id} is approved.${apply ? ` ${appliedText(await applyExperiment(ctx, id))}` : ''}`;
    return outcome(ctx, id, `${approved}\nAgreed: ${autoRevertText(autoRevert)}.`);
  },
});
