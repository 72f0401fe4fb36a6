import type { Sentence } from './edit.js';
import { markdownBlocks, type Block } from './markdownBlocks.js';

/** A sentence with the block it stands in. */
export interface PlacedSentence extends Sentence {
  readonly block: Block;
}

export const BOM = '\ufeff';

export function withoutBom(text: string): string {
  return text.startsWith(BOM) ? text.slice(1) : text;
}

/**
 * Splits a Markdown text into its sentences. `text` of a sentence is how it reads: line breaks and the markers of
 * continued lines are one space. Headings and list items without punctuation are one sentence each; front matter,
 * code, tables, HTML comments and rules hold none.
 */
export function splitSentences(text: string): Sentence[] {
  return placeSentences(text).map(({ number, text: body, start, end }) => ({ number, text: body, start, end }));
}

/** `splitSentences` with the blocks, for whoever edits them. Offsets are into the text without its BOM. */
export function placeSentences(text: string): PlacedSentence[] {
  const body = withoutBom(text);
  const sentences: PlacedSentence[] = [];
  for (const block of markdownBlocks(body)) {
    for (const span of segment(body, block)) {
      const number = sentences.length + 1;
      sentences.push({ number, text: reading(body, block, span), start: span.start, end: span.end, block });
    }
  }
  return sentences;
}

interface Span {
  readonly start: number;
  readonly end: number;
}

/** The parts of a block's lines that a span covers, joined as they read. */
function reading(text: string, block: Block, span: Span): string {
  return block.lines
    .map((line) => text.slice(Math.max(line.start, span.start), Math.min(line.end, span.end)))
    .filter((part) => part !== '')
    .join(' ')
    .replace(/\s+/g, ' ')
    .trim();
}

const segmenter = new Intl.Segmenter('en', { granularity: 'sentence' });

function segment(text: string, block: Block): Span[] {
  const first = block.lines[0];
  const last = block.lines.at(-1);
  if (first === undefined || last === undefined) return [];
  if (block.kind === 'heading') return [{ start: first.start, end: last.end }];
  const masked = mask(text, block, { start: first.start, end: last.end });
  const spans = [...segmenter.segment(masked)].map((part) => ({
    start: first.start + part.index,
    end: first.start + part.index + part.segment.length,
  }));
  return joinWrongSplits(
    text,
    spans.map((span) => trimmed(text, block, span)).filter((s) => s.end > s.start),
  );
}

/** The block's text with everything between its line parts, and code spans, made harmless; offsets stay. */
function mask(text: string, block: Block, span: Span): string {
  let masked = '';
  let at = span.start;
  for (const line of block.lines) {
    masked += ' '.repeat(line.start - at) + text.slice(line.start, line.end);
    at = line.end;
  }
  const opaque = (match: string) => 'x'.repeat(match.length);
  // Emphasis that closes after the full stop belongs to the sentence, as a closing bracket does.
  const closers = masked.replace(/(?<=[.!?。！？…])[*_~]+/gu, (match) => ')'.repeat(match.length));
  return closers.replace(/(`+)[^`]+?\1/g, opaque).replace(/https?:\/\/\S*[^\s.,;:!?)\]]/g, opaque);
}

function trimmed(text: string, block: Block, span: Span): Span {
  const parts = block.lines
    .map((line) => ({ start: Math.max(line.start, span.start), end: Math.min(line.end, span.end) }))
    .map((part) => {
      const body = text.slice(part.start, Math.max(part.start, part.end));
      return { start: part.start + body.length - body.trimStart().length, end: part.start + body.trimEnd().length };
    })
    .filter((part) => part.end > part.start);
  return { start: parts[0]?.start ?? span.start, end: parts.at(-1)?.end ?? span.start };
}

/** Abbreviations after which a sentence goes on, whatever follows; the segmenter knows them in no locale. */
const ABBREVIATION =
  /(?:^|[\s(["'“‘])(?:(?:[Ee]\.g|[Ii]\.e|[Cc]f|[Vv]s|[Vv]iz|[Aa]pprox|[Rr]esp|[Ii]ncl|[Ff]ig|[Ss]ec|[Ee]q|[Vv]ol|Dr|Mr|Mrs|Ms|Prof|St|Jr|Sr|a\.k\.a|U\.S|U\.K|[Zz]\.\s?B|[Dd]\.\s?h|[Bb]zw|[Cc]a)|[A-HJ-Z])\.$/;

/** Abbreviations that end a sentence just as well: what follows decides. */
const MAY_END = /(?:^|[\s(["'“‘])(?:etc|[Ii]nc|[Ll]td|[Cc]o|[Cc]orp|[Nn]o|[Nn]r|[Ee]st|usw)\.$/;

function joinWrongSplits(text: string, spans: readonly Span[]): Span[] {
  const joined: Span[] = [];
  for (const span of spans) {
    const previous = joined.at(-1);
    if (previous !== undefined && belongsTogether(text, previous, span)) {
      joined[joined.length - 1] = { start: previous.start, end: span.end };
    } else joined.push(span);
  }
  return joined;
}

function belongsTogether(text: string, before: Span, after: Span): boolean {
  const head = text.slice(before.start, before.end);
  const tail = text.slice(after.start, after.end);
  // Closing marks and emoji left over after the full stop.
  if (!/[\p{L}\p{N}]/u.test(tail)) return true;
  // A number such as `1.` or an opening mark alone is no sentence.
  if (!/\p{L}/u.test(head) && /^[\W\d_]{1,6}$/u.test(head)) return true;
  return ABBREVIATION.test(head) || (MAY_END.test(head) && /^[\p{Ll}\d]/u.test(tail));
}
