import type { Split } from './experiment.js';

/** What of a scenario an edit must not repeat. */
export interface SuiteText {
  readonly name: string;
  readonly split: Split;
  /** What the user says in it. */
  readonly inputs: readonly string[];
  /** Texts that its checks look for. */
  readonly literals: readonly string[];
}

export interface EditTexts {
  readonly before: string | null;
  readonly after: string | null;
  readonly editKey: string;
}

export interface EarlierEdit {
  readonly id: number;
  readonly editKey: string;
}

export type RefusalKind = 'tried' | 'overlap' | 'literal';

export interface Refusal {
  readonly kind: RefusalKind;
  /** `refuse` ends the proposal; `warn` is told to the person, whose edit goes on. */
  readonly severity: 'refuse' | 'warn';
  readonly message: string;
  /** The message says something about a hidden scenario, which must be recorded as a disclosure. */
  readonly disclosesHoldout: boolean;
}

const OVERLAP_WORDS = 8;
const LITERAL_CHARS = 12;

/** Says nothing about which scenario, or what of it. */
export const TOO_CLOSE = 'The edit is too close to a hidden scenario.';

/**
 * Why an edit must not be tested: it was tried before, or it teaches the test instead of the behaviour. For a
 * person's edit the latter is a warning. Words the sentence had before are not held against it.
 */
export function findRefusals(
  edit: EditTexts,
  against: { suite: readonly SuiteText[]; tried: readonly EarlierEdit[]; by: 'model' | 'person' },
): Refusal[] {
  const severity = against.by === 'model' ? 'refuse' : 'warn';
  const tried = triedBefore(edit, against.tried);
  const added = edit.after ?? '';
  const leaks: Refusal[] = [];
  for (const scenario of against.suite) {
    const overlap = sharedRun(added, edit.before ?? '', scenario.inputs);
    if (overlap !== null) leaks.push(leak('overlap', severity, { scenario, found: overlap }));
    const literal = ownLiteral(edit, scenario, against.suite);
    if (literal !== null) leaks.push(leak('literal', severity, { scenario, found: literal }));
  }
  const visible = leaks.filter((l) => !l.disclosesHoldout);
  const hidden = leaks.find((l) => l.disclosesHoldout);
  // How many hidden scenarios are close would say more than that one is.
  return [...tried, ...visible, ...(hidden === undefined ? [] : [hidden])];
}

function triedBefore(edit: EditTexts, tried: readonly EarlierEdit[]): Refusal[] {
  const earlier = tried.find((t) => t.editKey === edit.editKey);
  if (earlier === undefined) return [];
  const message = `This edit was tried before, as experiment ${earlier.id}; another try would be a second chance at the same evidence.`;
  return [{ kind: 'tried', severity: 'refuse', message, disclosesHoldout: false }];
}

function leak(
  kind: 'overlap' | 'literal',
  severity: Refusal['severity'],
  what: { scenario: SuiteText; found: string },
): Refusal {
  const { scenario, found } = what;
  if (scenario.split === 'holdout') return { kind, severity, message: TOO_CLOSE, disclosesHoldout: true };
  const message =
    kind === 'overlap'
      ? `The edit repeats ${OVERLAP_WORDS} or more words of what the user says in scenario ${scenario.name}: "${found}".`
      : `The edit contains "${found}", which only a check of scenario ${scenario.name} looks for.`;
  return { kind, severity, message, disclosesHoldout: false };
}

const wordSegmenter = new Intl.Segmenter('en', { granularity: 'word' });

function words(text: string): string[] {
  return [...wordSegmenter.segment(text.normalize('NFKC').toLowerCase())]
    .filter((part) => part.isWordLike === true)
    .map((part) => part.segment);
}

/** The first run of words that the new text shares with an input and that the old text did not have. */
function sharedRun(added: string, before: string, inputs: readonly string[]): string | null {
  const runs = runsOf(words(added));
  if (runs.length === 0) return null;
  const known = new Set(runsOf(words(before)));
  const said = new Set(inputs.flatMap((input) => runsOf(words(input))));
  return runs.find((run) => said.has(run) && !known.has(run)) ?? null;
}

function runsOf(list: readonly string[]): string[] {
  const count = Math.max(0, list.length - OVERLAP_WORDS + 1);
  return Array.from({ length: count }, (_, i) => list.slice(i, i + OVERLAP_WORDS).join(' '));
}

function plain(text: string): string {
  return text.normalize('NFKC').toLowerCase().replace(/\s+/g, ' ').trim();
}

function ownLiteral(edit: EditTexts, scenario: SuiteText, suite: readonly SuiteText[]): string | null {
  const after = plain(edit.after ?? '');
  const before = plain(edit.before ?? '');
  const found = scenario.literals.find((literal) => {
    const wanted = plain(literal);
    if (wanted.length < LITERAL_CHARS || !after.includes(wanted) || before.includes(wanted)) return false;
    return suite.filter((other) => other.literals.some((l) => plain(l) === wanted)).length === 1;
  });
  return found ?? null;
}
