import type { VerdictEvidence } from '../services/verdictEvidence.js';
import type { VerdictView } from '../services/verdictView.js';
import { dotPlot } from './dotPlot.js';
import { costText, percent, plural, points, probability } from './figures.js';
import { field, wrap, type Look } from './look.js';
import { selectionBiasText } from './selectionBias.js';

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

/** The verdict for a person: a paragraph, the figures, and the groups as a picture. In a chat the paragraph. */
export function verdictText(look: Look, view: VerdictView, evidence: VerdictEvidence | null): string {
  const paragraph = wrap(verdictParagraph(view, evidence), { width: look.width });
  if (look.form === 'plain') return paragraph;
  const plot =
    evidence === null
      ? ''
      : dotPlot(look, {
          differences: evidence.differences,
          mean: view.effect,
          interval: view.interval,
          intervalName: '90 % interval, were it a fixed sample',
        });
  return [paragraph, figuresText(look, view, evidence), plot].filter((part) => part !== '').join('\n\n');
}

/** What was compared, how sure it is, what it cost, and what would change the answer. */
export function verdictParagraph(view: VerdictView, evidence: VerdictEvidence | null = null): string {
  return [
    compared(view),
    found(view),
    CONCLUSION[view.verdict](view, evidence),
    cost(evidence),
    CHANGES[view.verdict](view, evidence),
  ]
    .filter((sentence) => sentence !== '')
    .join(' ');
}

function compared({ groups, epochs, stage }: VerdictView): string {
  if (groups === null || epochs === null) return '';
  return `The text with and without the change ran on ${groupsText({ stage }, groups)}, ${plural(epochs, 'time')} each.`;
}

function found({ effect }: VerdictView): string {
  if (effect === null) return '';
  const of = Math.round(effect * 100);
  if (of === 0) return 'With it as many trials passed as without.';
  return `With it ${Math.abs(of)} of 100 ${of > 0 ? 'more' : 'fewer'} passed.`;
}

const CONCLUSION: Readonly<
  Record<VerdictView['verdict'], (view: VerdictView, evidence: VerdictEvidence | null) => string>
> = {
  keep: (view, evidence) => {
    const chance = view.p === null ? 'an unknown chance' : `a chance of ${percentFine(view.p)}`;
    const allowed = evidence?.allowedP ?? view.alpha;
    const limit = allowed === null ? '' : `; the limit was ${percentFine(allowed)}`;
    return view.margin !== null
      ? `A text that loses ${percent(view.margin)} would do this well with ${chance}${limit}. Nothing is claimed beyond these scenarios.`
      : `A change that does nothing would look this good with ${chance}${limit}. The gain reads too high, since it is what got the change chosen; the fresh trials of the live window are the record.`;
  },
  discard: (view) => `It is not worth keeping: ${view.reason}.`,
  undecided: (view) => `That settles nothing: ${view.reason}.`,
};

function cost(evidence: VerdictEvidence | null): string {
  return evidence === null || evidence.cost.trials === 0 ? '' : `Testing it took ${costText(evidence.cost)}.`;
}

/** What would change the answer. */
const CHANGES: typeof CONCLUSION = {
  keep: (view) =>
    view.margin === null
      ? 'What would still change the answer: fresh trials after the apply that show harm, or twice no gain.'
      : 'What would still change the answer: fresh trials after the apply that show harm, or twice too large a loss.',
  discard: (view, evidence) => {
    if (view.stage === 'train') {
      return 'What would change the answer: other words. The hidden scenarios were not asked, so nothing of the error budget is spent.';
    }
    const early = evidence !== null && view.look !== null && view.look < evidence.looks;
    const stopped = early
      ? ` The test stopped at look ${view.look ?? '?'} of ${evidence.looks}, to spend no more.`
      : '';
    return `What would change the answer: other words, or, for a gain too small to show here, more scenario groups.${stopped}`;
  },
  undecided: (view, evidence) => {
    if (view.p === null) return 'What would change the answer: what is missing, as said, and another test.';
    const groups = evidence?.groupsForProof ?? null;
    const enough = groups === null || view.groups === null || groups <= view.groups ? null : groups;
    const hope =
      enough === null
        ? 'more scenario groups or epochs'
        : `about ${enough} scenario groups, if the difference stays as it is`;
    return `What would change the answer: ${hope}. Another test takes fresh trials and the next share of the error budget.`;
  },
};

function figuresText(look: Look, view: VerdictView, evidence: VerdictEvidence | null): string {
  const bias = view.verdict === 'keep' && view.margin === null ? ` (in the benchmark ${selectionBiasText()})` : '';
  const rows: [string, string | null][] = [
    [
      'gain',
      view.effect === null
        ? null
        : `${points(view.effect)} at selection${bias === '' ? '' : `, too high by construction${bias}`}`,
    ],
    [
      'sure',
      view.p === null
        ? null
        : `${probability(view.p)}${evidence?.allowedP == null ? '' : `, at most ${percentFine(evidence.allowedP)} allowed at look ${view.look ?? '?'} of ${evidence.looks}`}${view.alpha === null || view.alpha === 0 ? '' : `; ${percentFine(view.alpha)} for the whole test`}`,
    ],
    [
      'tested on',
      view.groups === null || view.epochs === null
        ? null
        : `${groupsText(view, view.groups)}, ${plural(view.epochs, 'epoch')}${view.coverage === null ? '' : `, ${percent(view.coverage)} of the pairs complete`}`,
    ],
    ['took', evidence === null ? null : costText(evidence.cost)],
    ['why', view.reason === '' ? null : view.reason],
  ];
  return rows.flatMap(([label, text]) => (text === null ? [] : [field(look, label, text)])).join('\n');
}

function groupsText({ stage }: Pick<VerdictView, 'stage'>, groups: number): string {
  return plural(groups, stage === 'train' ? 'train scenario group' : 'hidden scenario group');
}

export function percentFine(value: number): string {
  return value < 0.0001 ? 'under 0.01 %' : value < 0.1 ? `${Number((value * 100).toPrecision(2))} %` : percent(value);
}
