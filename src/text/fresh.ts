import type { FreshView } from '../services/verdictEvidence.js';
import { dotPlot } from './dotPlot.js';
import { costText, plural, points } from './figures.js';
import { wrap, type Look } from './look.js';
import { percentFine } from './verdict.js';

/** What the fresh trials of a live window say: the effect on record, and a picture. In a chat only the words. */
export function freshText(look: Look, view: FreshView): string {
  const paragraph = wrap(freshParagraph(view), { width: look.width });
  const plot = dotPlot(look, { differences: view.differences, mean: view.effect, interval: view.interval });
  return plot === '' ? paragraph : `${paragraph}\n\n${plot}`;
}

export function freshParagraph(view: FreshView): string {
  const { effect, interval, groups, newGroups, epochs, pHarm } = view;
  const fresh = newGroups === 0 ? '' : `, ${newGroups} of them new since the keep`;
  const range =
    interval !== null
      ? ` (90 % interval ${points(interval[0])} to ${points(interval[1])})`
      : view.extended
        ? ' (no interval: it was asked twice because of what it showed first)'
        : '';
  const figure = effect === null ? '' : `On record: ${points(effect)}${range}.`;
  const harm =
    pHarm === null
      ? ''
      : ` A change that does no harm would look this bad with a chance of ${percentFine(pHarm)}; at 2 % it is taken back.`;
  return [
    `After the apply both texts ran again on ${plural(groups, 'hidden scenario group')}${fresh}, ${plural(epochs, 'time')} each, on fresh trials.`,
    `${figure}${harm}`,
    `Result: ${view.verdict}, ${view.reason}. It took ${costText(view.cost)}.`,
  ]
    .filter((sentence) => sentence !== '')
    .join(' ');
}
