import * as z from 'zod';
import { errorBudgetView } from '#src/services/errorBudget.js';
import { evidenceFingerprint } from '#src/services/evidence.js';
import { renewErrorBudget, requireRenewable } from '#src/services/evidenceEpochs.js';
import { errorBudgetText } from '#src/text/errorBudget.js';
import { agree } from '../../agree.js';
import { command } from '../../command.js';
import { flag, reason } from '../../inputs.js';

export const errorBudgetRenewCommand = command({
  path: 'error-budget renew',
  group: 'Decide',
  summary: 'open a new error budget, since model, judge or half of the holdout are others now',
  details:
    'Each budget has its own chance of a false keep; `error-budget` shows what they sum to. Refused while an earlier budget still covers what is there now.',
  usage: '--reason TEXT',
  options: [
    { flags: '--reason <text>', summary: 'why; stays on record' },
    { flags: '--yes', summary: 'do not ask on the terminal' },
  ],
  examples: ["error-budget renew --reason 'moved to another model'"],
  withoutTerminal: 'Add --yes to skip the question.',
  input: z.object({ reason, yes: flag }),
  async run(session, { reason: why, yes }) {
    const { ctx, look } = session;
    const evidence = await evidenceFingerprint(ctx);
    await agree(session, {
      what: 'a new error budget',
      possible: () => requireRenewable(ctx, evidence.detail),
      question: 'Open a new error budget beside the earlier ones?',
      preview: errorBudgetText(look, await errorBudgetView(ctx)),
      yes,
    });
    await renewErrorBudget(ctx, { reason: why });
    const view = await errorBudgetView(ctx);
    return {
      data: view,
      text: (shown) =>
        `${shown.colors.green('✓')} Error budget ${view.epoch} is open.\n\n${errorBudgetText(shown, view)}`,
    };
  },
});
