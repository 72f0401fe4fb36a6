import type { Limits } from '../services/budget.js';
import type { ShowView } from '../services/show.js';
import { wordsText } from './diff.js';
import { count, usd } from './figures.js';
import { field, type Look } from './look.js';
import { costLine } from './status.js';
import { verdictText } from './verdict.js';

/** What stands in front of a person who decides: the change, the evidence, what it has cost and may still cost. */
export function decisionText(
  look: Look,
  view: ShowView,
  options: { budget: Limits; remaining: Limits; effect: string },
): string {
  const { bold, dim } = look.colors;
  const verdict =
    view.verdict === null
      ? 'There is no verdict: the change was not tested.'
      : verdictText(look, view.verdict, view.evidence);
  return [
    bold(`Experiment ${view.id}`),
    wordsText(look, view.diff.words),
    dim(view.diff.unified.trimEnd()),
    `${bold('Evidence')}\n${verdict}`,
    [
      field(look, 'so far', costLine(view, options.budget)),
      field(look, 'still', `at most ${remainingText(options.remaining)}`),
      field(look, 'effect', options.effect),
    ].join('\n'),
  ].join('\n\n');
}

function remainingText(remaining: Limits): string {
  const parts = [
    ...(remaining.tokens === null ? [] : [`${count(remaining.tokens)} tokens`]),
    ...(remaining.usd === null ? [] : [usd(remaining.usd)]),
  ];
  return parts.length === 0 ? 'no limit is set' : `${parts.join(' and ')} for the fresh trials of the live window`;
}
