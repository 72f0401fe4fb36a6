import { KarpathyError } from '../errors.js';
import { noChange, sameTexts } from './applyEdit.js';
import type { AppliedEdit, StructuredEdit } from './edit.js';
import { describeEdit } from './editMetadata.js';
import { lineEndingOf } from './editVariants.js';
import { BOM, placeSentences, withoutBom, type PlacedSentence } from './sentences.js';

export interface EditedFile {
  readonly edit: StructuredEdit;
  /** With the person's own layout of the sentence, and everything else as it was. */
  readonly applied: AppliedEdit;
}

/**
 * Finds the one sentence by which a person's version of the file differs. What an editor changes by itself (line
 * endings, byte order mark, newlines at the end) is not taken over.
 * @throws KarpathyError `bad_edit` naming how many sentences differ, or what else was changed
 */
export function editFromCandidate(base: string, candidate: string): StructuredEdit {
  return matchCandidate(base, candidate).edit;
}

/** As `editFromCandidate`, with the candidate that results. */
export function matchCandidate(base: string, candidate: string, options: { path?: string } = {}): EditedFile {
  const body = withoutBom(base);
  const wanted = conform(body, withoutBom(candidate));
  const before = placeSentences(body);
  const after = placeSentences(wanted);
  if (
    wanted === body ||
    (sameTexts(
      after,
      before.map((s) => s.text),
    ) &&
      blankless(wanted) === blankless(body))
  ) {
    throw noChange();
  }
  const changes = singleChanges(before, after);
  const change = changes.find((c) => restIsEqual({ body, wanted, before, after, change: c }));
  if (change === undefined) throw restDiffers(changes[0]?.prefix ?? 0);
  const { removed, added } = change;
  const edit: StructuredEdit = {
    operation: removed === undefined ? 'insert' : added === undefined ? 'delete' : 'rewrite',
    sentence: removed?.number ?? change.prefix,
    text: added === undefined ? '' : wanted.slice(added.start, added.end),
    rationale: '',
  };
  const full = (base.startsWith(BOM) ? BOM : '') + wanted;
  const gap = before[change.prefix - 1]?.end ?? 0;
  const metadata = describeEdit({
    operation: edit.operation,
    base,
    candidate: full,
    span: removed ?? { start: gap, end: gap },
    before: removed?.text ?? null,
    after: added?.text ?? null,
    path: options.path ?? 'SOUL.md',
  });
  return { edit, applied: { candidate: full, metadata } };
}

function blankless(text: string): string {
  return text.replace(/\s+/g, '');
}

/** The candidate with the base's line endings and end of file. */
function conform(body: string, candidate: string): string {
  const eol = lineEndingOf(body);
  const uniform = !/\r|\n/.test(body.replaceAll(eol, ''));
  const endings = uniform ? candidate.replace(/\r\n|\n|\r/g, eol) : candidate;
  const tail = /[\r\n\s]*$/.exec(body)?.[0] ?? '';
  return endings.trimEnd() + tail;
}

interface SingleChange {
  /** Sentences before the change, equal in both. */
  readonly prefix: number;
  /** Sentences after the change, equal in both. */
  readonly suffix: number;
  readonly removed: PlacedSentence | undefined;
  readonly added: PlacedSentence | undefined;
}

/** More than one only where equal sentences stand side by side, so that any of them may be the new one. */
function singleChanges(before: readonly PlacedSentence[], after: readonly PlacedSentence[]): SingleChange[] {
  const shorter = Math.min(before.length, after.length);
  let prefix = 0;
  while (prefix < shorter && before[prefix]?.text === after[prefix]?.text) prefix += 1;
  let suffix = 0;
  while (suffix < shorter && before.at(-1 - suffix)?.text === after.at(-1 - suffix)?.text) suffix += 1;
  const longer = Math.max(before.length, after.length);
  if (longer - shorter > 1 || prefix + suffix < longer - 1) {
    throw severalDiffer(before.slice(prefix), after.slice(prefix), { prefix, suffix });
  }
  if (before.length === after.length) {
    return [{ prefix, suffix, removed: before[prefix], added: after[prefix] }];
  }
  return Array.from({ length: prefix + suffix - shorter + 1 }, (_, i) => {
    const at = prefix - i;
    const rest = shorter - at;
    return before.length > after.length
      ? { prefix: at, suffix: rest, removed: before[at], added: undefined }
      : { prefix: at, suffix: rest, removed: undefined, added: after[at] };
  });
}

function severalDiffer(
  before: readonly PlacedSentence[],
  after: readonly PlacedSentence[],
  equal: { prefix: number; suffix: number },
): KarpathyError {
  const suffix = Math.min(equal.suffix, before.length, after.length);
  const removed = before.slice(0, before.length - suffix);
  const added = after.slice(0, after.length - suffix);
  return new KarpathyError(
    'bad_edit',
    `The file differs in ${differing(removed, added)} sentences; an edit is exactly one. The first is sentence ${equal.prefix + 1}: ${JSON.stringify((removed[0] ?? added[0])?.text ?? '')}.`,
    { hint: 'Test one change at a time: leave the other sentences as they are and propose them afterwards.' },
  );
}

/** Sentences that have no equal on the other side, each pair of a rewrite counted once. */
function differing(removed: readonly PlacedSentence[], added: readonly PlacedSentence[]): number {
  const left = added.map((s) => s.text);
  const gone = removed.filter(({ text }) => {
    const at = left.indexOf(text);
    if (at === -1) return true;
    left.splice(at, 1);
    return false;
  });
  return Math.max(gone.length, left.length, 2);
}

/** Outside the sentence only the white space and the marker next to it may differ. */
function restIsEqual(found: {
  body: string;
  wanted: string;
  before: readonly PlacedSentence[];
  after: readonly PlacedSentence[];
  change: SingleChange;
}): boolean {
  const { body, wanted, before, after, change } = found;
  const old = around(body, before, { change, own: change.removed });
  const now = around(wanted, after, { change, own: change.added });
  return old.head === now.head && old.tail === now.tail && old.gap === now.gap;
}

function restDiffers(prefix: number): KarpathyError {
  const where = prefix === 0 ? 'at the top' : `near sentence ${prefix}`;
  return new KarpathyError(
    'bad_edit',
    `Besides one sentence the file differs ${where} in text that is no sentence (code, a table, a comment, front matter) or in white space elsewhere.`,
    { hint: 'Leave everything but the one sentence as it is, or use --rewrite, --insert-after or --delete.' },
  );
}

function around(
  text: string,
  sentences: readonly PlacedSentence[],
  options: { change: SingleChange; own: PlacedSentence | undefined },
): { head: string; tail: string; gap: string } {
  const { change, own } = options;
  const from = sentences[change.prefix - 1]?.end ?? 0;
  const to = change.suffix === 0 ? text.length : (sentences.at(-change.suffix)?.start ?? text.length);
  const gap = own === undefined ? text.slice(from, to) : text.slice(from, own.start) + text.slice(own.end, to);
  // What may come and go with a sentence: white space, and the markers of its block.
  return {
    head: text.slice(0, from),
    tail: text.slice(to),
    gap: gap.replace(/\d{1,9}[.)]|\[[ xX]\]|[\s>#*+\-=]/g, ''),
  };
}
