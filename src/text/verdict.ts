import type { VerdictView } from '../services/verdictView.js';
import { percent, plural, points, probability } from './figures.js';
import type { Look } from './look.js';

const WORDS = { keep: 'KEEP', discard: 'DISCARD', undecided: 'UNDECIDED' } as const;

/** The verdict's word, in its colour. */
export function verdictWord(look: Look, verdict: VerdictView['verdict']): string {
  const { green, red, yellow, bold } = look.colors;
  const paint = { keep: green, discard: red, undecided: yellow }[verdict];
  return bold(paint(WORDS[verdict]));
}

/** One line: the word and what it rests on. */
export function verdictLine(look: Look, view: VerdictView | null): string {
  if (view === null) return 'no verdict yet';
  const figures = [
    view.effect === null ? '' : points(view.effect),
    view.p === null ? '' : probability(view.p),
    view.groups === null ? '' : groupsText(view, view.groups),
    view.epochs === null ? '' : `${view.epochs} × each`,
  ].filter((figure) => figure !== '');
  return `${verdictWord(look, view.verdict)}${figures.length === 0 ? '' : ` (${figures.join(', ')})`}`;
}

/** The verdict in plain words: what was compared, how sure, why. */
export function verdictParagraph(view: VerdictView): string {
  const compared =
    view.groups === null || view.epochs === null
      ? ''
      : `The text with and without the change ran on ${groupsText(view, view.groups)}, ${plural(view.epochs, 'time')} each. `;
  const found =
    view.effect === null
      ? ''
      : `With it ${Math.abs(Math.round(view.effect * 100))} percentage points ${view.effect >= 0 ? 'more' : 'fewer'} passed${view.interval === null ? '' : ` (90 % interval ${points(view.interval[0])} to ${points(view.interval[1])})`}. `;
  return `${compared}${found}${CONCLUSION[view.verdict](view)}`;
}

const CONCLUSION: Readonly<Record<VerdictView['verdict'], (view: VerdictView) => string>> = {
  keep: (view) =>
    view.margin !== null
      ? `That a text with a loss of ${percent(view.margin)} would do this well has ${view.p === null ? 'an unknown chance' : `a chance of ${percentFine(view.p)}`}${view.alpha === null ? '' : `; the limit was ${percentFine(view.alpha)}`}. Nothing is claimed beyond these scenarios.`
      : `A change that does nothing would look this good with ${view.p === null ? 'an unknown chance' : `a chance of ${percentFine(view.p)}`}${view.alpha === null ? '' : `; the limit was ${percentFine(view.alpha)}`}. The gain seen here reads somewhat too high, since it is what got the change chosen; the fresh trials of the live window are the record.`,
  discard: (view) => `It is not worth keeping: ${view.reason}.`,
  undecided: (view) => `That settles nothing: ${view.reason}.`,
};

function groupsText(view: VerdictView, groups: number): string {
  return plural(groups, view.stage === 'train' ? 'train scenario group' : 'hidden scenario group');
}

function percentFine(value: number): string {
  return value < 0.001 ? 'under 0.1 %' : value < 0.1 ? `${Number((value * 100).toPrecision(2))} %` : percent(value);
}
