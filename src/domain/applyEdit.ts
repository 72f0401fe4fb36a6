import { KarpathyError } from '../errors.js';
import type { AppliedEdit, StructuredEdit } from './edit.js';
import { describeEdit } from './editMetadata.js';
import {
  deleteVariants,
  insertVariants,
  lineEndingOf,
  rewriteVariants,
  type NewSentence,
  type Variant,
} from './editVariants.js';
import { BOM, placeSentences, withoutBom, type PlacedSentence } from './sentences.js';

export interface ApplyOptions {
  /** Name of the file in the diff; default SOUL.md. */
  readonly path?: string;
}

/**
 * Applies one structured edit. Every byte outside the edited sentence stays, the byte order mark, the line endings
 * and the end of the file included.
 * @throws KarpathyError `bad_edit`: unknown sentence, no change, text that is not exactly one sentence, or a change
 *   that would reach into a neighbouring sentence
 */
export function applyEdit(base: string, edit: StructuredEdit, options: ApplyOptions = {}): AppliedEdit {
  const body = withoutBom(base);
  const sentences = placeSentences(body);
  assertSentenceExists(edit, sentences.length);
  const target = edit.operation === 'insert' ? undefined : sentences[edit.sentence - 1];
  const put = edit.operation === 'delete' ? null : newSentence(edit.text, lineEndingOf(body), target);
  const expected = expectedSentences(sentences, edit, put?.reads ?? null);
  if (put !== null && put.reads === target?.text) throw noChange();
  if (expected.length === 0) {
    throw new KarpathyError('bad_edit', 'Deleting the only sentence would leave the file without any.');
  }
  const variants = variantsOf(body, sentences, { edit, put });
  const fitting = variants.find((variant) => sameTexts(placeSentences(variant.text), expected));
  if (fitting === undefined) throw reachesNeighbours(edit, variants[0], expected.length);
  const candidate = (base.startsWith(BOM) ? BOM : '') + fitting.text;
  const metadata = describeEdit({
    operation: edit.operation,
    base,
    candidate,
    span: target ?? fitting.span,
    before: target?.text ?? null,
    after: put?.reads ?? null,
    path: options.path ?? 'SOUL.md',
  });
  return { candidate, metadata };
}

const SENTENCES = '`hermes karpathy sentences` shows the sentences with their numbers.';

export function noChange(): KarpathyError {
  return new KarpathyError('bad_edit', 'The edit changes nothing: the sentence reads the same afterwards.', {
    hint: SENTENCES,
  });
}

function assertSentenceExists(edit: StructuredEdit, count: number): void {
  const lowest = edit.operation === 'insert' ? 0 : 1;
  if (Number.isInteger(edit.sentence) && edit.sentence >= lowest && edit.sentence <= count) return;
  const allowed = count < lowest ? 'the file has no sentences' : `allowed are ${lowest} to ${count}`;
  const meaning = edit.operation === 'insert' ? ' (0 inserts at the top)' : '';
  throw new KarpathyError(
    'bad_edit',
    `There is no sentence ${edit.sentence} to ${edit.operation}; ${allowed}${meaning}.`,
    { hint: SENTENCES },
  );
}

interface CheckedSentence extends NewSentence {
  /** As `splitSentences` reads it. */
  readonly reads: string;
}

// Control characters would make the file binary, lone surrogates cannot be encoded, and text that changes its direction
// is shown to the person who approves it as another one.
const UNWRITABLE = /(?![\t\n\r])\p{Cc}|[\u202a-\u202e\u2066-\u2069\ufeff]|\p{Surrogate}/u;

function newSentence(text: string, eol: string, target: PlacedSentence | undefined): CheckedSentence {
  const [unwritable] = UNWRITABLE.exec(text) ?? [];
  if (unwritable !== undefined) {
    const point = `U+${(unwritable.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
    throw new KarpathyError('bad_edit', `The text holds control characters or broken Unicode: ${point}.`, {
      hint: 'Type the sentence anew, without what was copied along with it.',
    });
  }
  const block = text.trim().replace(/\r\n|\n|\r/g, eol);
  const found = placeSentences(block);
  const only = found[0];
  if (only === undefined) {
    throw new KarpathyError(
      'bad_edit',
      'The text holds no sentence; an edit is exactly one (use delete to remove one).',
    );
  }
  if (found.length > 1) {
    const list = found.map((s) => JSON.stringify(s.text)).join(', ');
    throw new KarpathyError('bad_edit', `The text is ${found.length} sentences; an edit is exactly one: ${list}.`, {
      hint: 'Propose one of them now and the other one when this change is decided.',
    });
  }
  const hasMarker = only.block.prefix.trim() !== '' || only.block.kind === 'heading';
  if (hasMarker && target !== undefined && target.block.kind !== only.block.kind) {
    throw new KarpathyError(
      'bad_edit',
      `Sentence ${target.number} is part of a ${named(target)}; the text would make it a ${named(only)}. Give the sentence without Markdown markers.`,
    );
  }
  return { body: block.slice(only.start, only.end), block, hasMarker, reads: only.text };
}

function named(sentence: PlacedSentence): string {
  return sentence.block.kind.replace('_', ' ');
}

function expectedSentences(sentences: readonly PlacedSentence[], edit: StructuredEdit, reads: string | null): string[] {
  const texts = sentences.map((s) => s.text);
  const put = reads === null ? [] : [reads];
  if (edit.operation === 'insert') return texts.toSpliced(edit.sentence, 0, ...put);
  return texts.toSpliced(edit.sentence - 1, 1, ...put);
}

function variantsOf(
  body: string,
  sentences: readonly PlacedSentence[],
  what: { edit: StructuredEdit; put: NewSentence | null },
): Variant[] {
  const { edit, put } = what;
  const target = sentences[edit.sentence - 1];
  if (put === null) return deleteVariants(body, sentences, edit.sentence);
  if (edit.operation === 'insert') return insertVariants(body, sentences, { after: edit.sentence, put });
  return target === undefined ? [] : rewriteVariants(body, target, put);
}

export function sameTexts(found: readonly { readonly text: string }[], expected: readonly string[]): boolean {
  return found.length === expected.length && found.every((s, i) => s.text === expected[i]);
}

function reachesNeighbours(edit: StructuredEdit, tried: Variant | undefined, expected: number): KarpathyError {
  const found = tried === undefined ? null : placeSentences(tried.text).length;
  const count = found === null || found === expected ? '' : ` (${found} sentences instead of ${expected})`;
  if (edit.operation === 'delete') {
    return new KarpathyError(
      'bad_edit',
      `Sentence ${edit.sentence} cannot be deleted without changing its neighbours${count}.`,
    );
  }
  return new KarpathyError(
    'bad_edit',
    `Applied at sentence ${edit.sentence}, the text would change more than one sentence${count}: it runs into its neighbours or opens Markdown markup.`,
    { hint: 'End the sentence with punctuation and use no Markdown block markers in it.' },
  );
}
