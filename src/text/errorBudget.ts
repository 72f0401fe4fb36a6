import type { ErrorBudgetView } from '../services/errorBudget.js';
import { plural, timestamp } from './figures.js';
import { field, wrap, type Look } from './look.js';
import { errorBudgetLine, share } from './status.js';
import { table } from './table.js';

/** All error budgets of the profile, and what the next test may spend. */
export function errorBudgetText(look: Look, view: ErrorBudgetView): string {
  const rows = view.epochs.map((epoch) => [
    `${epoch.number}${epoch.number === view.epoch ? ' (in use)' : ''}`,
    timestamp(epoch.openedAt),
    share(epoch.alpha),
    share(epoch.spent),
    `${epoch.consultations}${epoch.deletions === 0 ? '' : ` and ${plural(epoch.deletions, 'deletion')}`}`,
    `${epoch.reason} (${epoch.openedBy})`,
  ]);
  return [
    field(look, 'now', errorBudgetLine(view)),
    ...(view.changes.length === 0 ? [] : [field(look, 'changed', view.changes.join('; '))]),
    ...(rows.length === 0 ? [] : ['', table(look, ['budget', 'opened', 'may err', 'spent', 'tests', 'why'], rows)]),
    '',
    wrap(
      `Of all edits kept under one budget, the chance that any of them helps none of its holdout scenarios is at most what it may err. The budgets so far sum to ${share(view.summedAlpha)}; deletions may err 10 % in each, beside that.`,
      { width: look.width },
    ),
  ].join('\n');
}
