import * as z from 'zod';
import { errorBudgetView } from '#src/services/errorBudget.js';
import { errorBudgetText } from '#src/text/errorBudget.js';
import { command } from '../../command.js';

export const errorBudgetShowCommand = command({
  path: 'error-budget show',
  group: 'Look',
  summary: 'what is left of the chance of a false keep, and what earlier tests have spent',
  isDefault: true,
  examples: ['error-budget', '--json error-budget show'],
  input: z.object({}),
  async run({ ctx }) {
    const view = await errorBudgetView(ctx);
    return { data: view, text: (look) => errorBudgetText(look, view) };
  },
});
