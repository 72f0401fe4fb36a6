import { bodyStart, type Block } from './markdownBlocks.js';
import type { PlacedSentence } from './sentences.js';

/**
 * The ways in which an edit can be laid out in a text, the most natural one first. The caller takes the first that
 * leaves every other sentence as it was. Texts are without BOM; nothing outside the edited place changes.
 */
export interface Variant {
  readonly text: string;
  /** Where the edit acts in the text it was made from. */
  readonly span: { readonly start: number; readonly end: number };
}

/** One sentence to put in: `body` without markers, `block` with those it was written with. */
export interface NewSentence {
  readonly body: string;
  readonly block: string;
  /** It was written as a block of its own: a list item, a heading or a quote. */
  readonly hasMarker: boolean;
}

const CJK_END = /[\u3000-\u303f\u3040-\u30ff\u3400-\u9fff\uff00-\uffef]$/;

/** The line ending a text mostly uses. */
export function lineEndingOf(text: string): '\n' | '\r\n' | '\r' {
  const crlf = text.match(/\r\n/g)?.length ?? 0;
  const lf = (text.match(/\n/g)?.length ?? 0) - crlf;
  const cr = (text.match(/\r/g)?.length ?? 0) - crlf;
  if (crlf > lf && crlf >= cr) return '\r\n';
  return cr > lf ? '\r' : '\n';
}

function splice(text: string, span: { start: number; end: number }, put: string): Variant {
  return { text: text.slice(0, span.start) + put + text.slice(span.end), span };
}

export function rewriteVariants(text: string, sentence: PlacedSentence, put: NewSentence): Variant[] {
  return [splice(text, sentence, put.body)];
}

export function insertVariants(
  text: string,
  sentences: readonly PlacedSentence[],
  place: { after: number; put: NewSentence },
): Variant[] {
  const { after, put } = place;
  const previous = sentences[after - 1];
  if (previous === undefined) return [atTop(text, put)];
  const next = sentences[after];
  const last = next === undefined || next.block !== previous.block;
  const inline = splice(text, at(previous.end), (CJK_END.test(previous.text) ? '' : ' ') + put.body);
  const block = ownBlock(text, previous.block, put);
  if (!last) return put.hasMarker ? [] : [inline];
  if (previous.block.kind === 'list_item') {
    const item = listItem(text, previous.block, { next: next?.block, put });
    return continuesIndented(text, previous.block) ? [inline, block] : [item, inline, block];
  }
  if (put.hasMarker || previous.block.kind === 'heading') return [block];
  return [inline, block];
}

function at(offset: number): { start: number; end: number } {
  return { start: offset, end: offset };
}

function endsLine(text: string, offset: number): boolean {
  return offset === 0 || /[\r\n]$/.test(text.slice(0, offset));
}

function atTop(text: string, put: NewSentence): Variant {
  const eol = lineEndingOf(text);
  const start = bodyStart(text);
  const blank = /^(?:[ \t]*(?:\r\n|\n|\r))*/.exec(text.slice(start))?.[0].length ?? 0;
  const offset = start + blank;
  const open = endsLine(text, offset) ? '' : eol;
  const rest = text.slice(offset);
  if (rest === '') return splice(text, at(offset), open + put.block + (text === '' || open !== '' ? '' : eol));
  return splice(text, at(offset), open + put.block + eol + eol);
}

function ownBlock(text: string, block: Block, put: NewSentence): Variant {
  const eol = lineEndingOf(text);
  if (!endsLine(text, block.outerEnd)) return splice(text, at(block.outerEnd), eol + eol + put.block);
  const rest = text.slice(block.outerEnd);
  const close = rest === '' || /^[ \t]*(?:\r|\n)/.test(rest) ? eol : eol + eol;
  return splice(text, at(block.outerEnd), eol + put.block + close);
}

/** A paragraph or code that belongs to the item stands below it. */
function continuesIndented(text: string, block: Block): boolean {
  return /^(?:[ \t]*(?:\r\n|\n|\r))*(?: {2,}|\t)[ \t]*(?![-*+][ \t]|\d+[.)][ \t])\S/.test(text.slice(block.outerEnd));
}

function indentOf(prefix: string): number {
  return /^\s*/.exec(prefix)?.[0].length ?? 0;
}

function listItem(text: string, block: Block, options: { next: Block | undefined; put: NewSentence }): Variant {
  const { next, put } = options;
  const eol = lineEndingOf(text);
  const gap = next === undefined ? '' : text.slice(block.outerEnd, next.outerStart);
  const nextIsItem = next?.kind === 'list_item' && gap.trim() === '';
  // Before the children of an item a new one must be their sibling, or it would take them over.
  const child = nextIsItem && indentOf(next.prefix) > indentOf(block.prefix);
  const marker = child ? unchecked(next.prefix) : following(block.prefix);
  const loose = nextIsItem && !child && gap !== '' ? eol : '';
  if (!endsLine(text, block.outerEnd)) return splice(text, at(block.outerEnd), eol + marker + put.body);
  return splice(text, at(block.outerEnd), loose + marker + put.body + eol);
}

function unchecked(prefix: string): string {
  return prefix.replace(/\[[xX]\]/, '[ ]');
}

/** The marker after this one: `1.` is followed by `2.`. */
function following(prefix: string): string {
  return unchecked(prefix).replace(/\d+/, (n) => String(Number(n) + 1));
}

export function deleteVariants(text: string, sentences: readonly PlacedSentence[], number: number): Variant[] {
  const sentence = sentences[number - 1];
  if (sentence === undefined) return [];
  const previous = sentences[number - 2];
  const next = sentences[number];
  const { block } = sentence;
  if (previous?.block === block) return [splice(text, { start: previous.end, end: sentence.end }, '')];
  if (next?.block === block) return [splice(text, { start: sentence.start, end: next.start }, '')];
  const lines = { start: block.outerStart, end: block.outerEnd };
  return [withBlankLines(text, block), splice(text, lines, ''), splice(text, lines, lineEndingOf(text))];
}

/** Removes a block with the blank lines that set it off on one side, keeping the end of the file as it was. */
function withBlankLines(text: string, block: Block): Variant {
  const before = text.slice(0, block.outerStart);
  const after = text.slice(block.outerEnd);
  if (after.trim() === '') {
    const kept = before.trimEnd();
    const ending = /\s*$/.exec(text)?.[0] ?? '';
    return { text: kept + ending, span: { start: kept.length, end: text.length } };
  }
  const blankBefore = before === '' || /(?:\r\n|\n|\r)[ \t]*(?:\r\n|\n|\r)$/.test(before);
  const blanks = blankBefore ? (/^(?:[ \t]*(?:\r\n|\n|\r))*/.exec(after)?.[0].length ?? 0) : 0;
  return splice(text, { start: block.outerStart, end: block.outerEnd + blanks }, '');
}
