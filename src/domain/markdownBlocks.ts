/**
 * The part of Markdown's block structure that decides where a sentence can begin and end. Everything that is not
 * prose (front matter, code, tables, HTML comments, rules, link definitions) is left out: it holds no sentences.
 */
export type BlockKind = 'paragraph' | 'heading' | 'list_item' | 'quote';

/** A run of text outside the markup. Offsets are UTF-16 code units. */
export interface Block {
  readonly kind: BlockKind;
  /** Lines of the block with their text part: markers, indentation and line endings lie outside it. */
  readonly lines: readonly { readonly start: number; readonly end: number }[];
  /** Whole lines of the block with their endings, the underline of a heading included. */
  readonly outerStart: number;
  readonly outerEnd: number;
  /** What stands before the text of the first line, for example `  - `. */
  readonly prefix: string;
}

interface Line {
  readonly start: number;
  /** Without the line ending. */
  readonly end: number;
  readonly next: number;
  readonly text: string;
}

function splitLines(text: string): Line[] {
  const lines: Line[] = [];
  for (const match of text.matchAll(/([^\r\n]*)(\r\n|\n|\r|$)/g)) {
    if (match[0] === '') break;
    const start = match.index;
    const body = match[1] ?? '';
    lines.push({ start, end: start + body.length, next: start + match[0].length, text: body });
  }
  return lines;
}

const LIST_MARKER = /^(\s*)([-*+]|\d{1,9}[.)])(?:[ \t]+(?:\[[ xX]\][ \t]+)?|$)/;
const HEADING_MARKER = /^ {0,3}#{1,6}(?:[ \t]+|$)/;
const QUOTE_MARKER = /^ {0,3}(?:>[ \t]?)+/;
const FENCE = /^\s*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?(?:>[ \t]?)*(`{3,}|~{3,})/;
const RULE = /^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const SETEXT = /^ {0,3}(?:=+|-+)[ \t]*$/;
const TABLE_DELIMITER = /^\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/;
const LINK_DEFINITION = /^ {0,3}\[[^\]]+\]:\s*\S/;
const INDENTED_CODE = /^(?: {4}|\t)/;

function isBlank(text: string): boolean {
  return text.trim() === '';
}

/** The index of the first line after the front matter; 0 without one. */
function frontMatterEnd(lines: readonly Line[]): number {
  if (lines[0]?.text.trimEnd() !== '---') return 0;
  const close = lines.findIndex((line, i) => i > 0 && /^(?:---|\.\.\.)\s*$/.test(line.text));
  return close === -1 ? 0 : close + 1;
}

/** Where the front matter ends: the first offset at which a new block may stand. */
export function bodyStart(text: string): number {
  const lines = splitLines(text);
  const first = frontMatterEnd(lines);
  return first === 0 ? 0 : (lines[first - 1]?.next ?? text.length);
}

/** Line by line, in order; blocks never overlap. */
export function markdownBlocks(text: string): Block[] {
  const lines = splitLines(text);
  const blocks: Block[] = [];
  let at = frontMatterEnd(lines);
  while (at < lines.length) {
    const skipped = skipNonProse(lines, at, blocks.at(-1));
    if (skipped > at) {
      at = skipped;
      continue;
    }
    const { block, next } = readBlock(lines, at);
    if (block !== null) blocks.push(block);
    at = next;
  }
  return blocks;
}

/** Returns the index after whatever is not prose at `at`, or `at` itself. */
function skipNonProse(lines: readonly Line[], at: number, previous: Block | undefined): number {
  const text = lines[at]?.text ?? '';
  if (isBlank(text)) return at + 1;
  const fence = FENCE.exec(text)?.[1];
  if (fence !== undefined) return afterFence(lines, at, fence);
  if (/^\s*<!--/.test(text)) return afterComment(lines, at);
  if (RULE.test(text) || LINK_DEFINITION.test(text)) return at + 1;
  if (text.includes('|') && TABLE_DELIMITER.test(lines[at + 1]?.text ?? '') && !isBlank(lines[at + 1]?.text ?? '')) {
    return afterTable(lines, at);
  }
  // Inside a list, deep indentation is a continuation or a nested item.
  if (INDENTED_CODE.test(text) && previous?.kind !== 'list_item') return at + 1;
  return at;
}

function afterFence(lines: readonly Line[], at: number, fence: string): number {
  const closing = new RegExp(`^\\s*(?:>[ \\t]?)*${fence[0]}{${fence.length},}\\s*$`);
  for (let i = at + 1; i < lines.length; i += 1) if (closing.test(lines[i]?.text ?? '')) return i + 1;
  return lines.length;
}

function afterComment(lines: readonly Line[], at: number): number {
  for (let i = at; i < lines.length; i += 1) if ((lines[i]?.text ?? '').includes('-->')) return i + 1;
  return lines.length;
}

function afterTable(lines: readonly Line[], at: number): number {
  let i = at + 2;
  while (i < lines.length && !isBlank(lines[i]?.text ?? '') && (lines[i]?.text ?? '').includes('|')) i += 1;
  return i;
}

function readBlock(lines: readonly Line[], at: number): { block: Block | null; next: number } {
  const first = lines[at];
  if (first === undefined) return { block: null, next: at + 1 };
  const heading = HEADING_MARKER.exec(first.text);
  if (heading !== null) {
    const closing = /[ \t]+#+[ \t]*$/.exec(first.text)?.[0].length ?? 0;
    return { block: build('heading', [first], { prefix: heading[0], trim: closing }), next: at + 1 };
  }
  const kind: BlockKind = QUOTE_MARKER.test(first.text)
    ? 'quote'
    : LIST_MARKER.test(first.text)
      ? 'list_item'
      : 'paragraph';
  let next = at + 1;
  while (next < lines.length && continues(kind, lines, next)) next += 1;
  const body = lines.slice(at, next);
  const underline = lines[next];
  if (kind === 'paragraph' && underline !== undefined && SETEXT.test(underline.text)) {
    return { block: build('heading', body, { underline }), next: next + 1 };
  }
  return { block: build(kind, body, {}), next };
}

/** A soft-wrapped line goes on with the block; anything that opens a block of its own ends it. */
function continues(kind: BlockKind, lines: readonly Line[], at: number): boolean {
  const text = lines[at]?.text ?? '';
  if (isBlank(text) || HEADING_MARKER.test(text) || RULE.test(text) || FENCE.test(text)) return false;
  if (/^\s*<!--/.test(text) || LIST_MARKER.test(text)) return false;
  if (kind === 'paragraph' && SETEXT.test(text)) return false;
  if (text.includes('|') && TABLE_DELIMITER.test(lines[at + 1]?.text ?? '') && !isBlank(lines[at + 1]?.text ?? '')) {
    return false;
  }
  if (kind === 'quote') return QUOTE_MARKER.test(text) && !isBlank(text.replace(QUOTE_MARKER, ''));
  return !QUOTE_MARKER.test(text);
}

function linePrefix(kind: BlockKind, text: string): string {
  const quote = kind === 'quote' ? (QUOTE_MARKER.exec(text)?.[0] ?? '') : '';
  const rest = text.slice(quote.length);
  const list = kind === 'list_item' || kind === 'quote' ? (LIST_MARKER.exec(rest)?.[0] ?? '') : '';
  const inner = rest.slice(list.length);
  return text.slice(0, quote.length + list.length + (inner.length - inner.trimStart().length));
}

function build(
  kind: BlockKind,
  lines: readonly Line[],
  options: { prefix?: string; trim?: number; underline?: Line },
): Block | null {
  const first = lines[0];
  const last = options.underline ?? lines.at(-1);
  if (first === undefined || last === undefined) return null;
  const spans = lines
    .map((line) => {
      const prefix = options.prefix ?? linePrefix(kind, line.text);
      const body = line.text.slice(0, line.text.length - (options.trim ?? 0)).trimEnd();
      const start = line.start + Math.min(prefix.length, body.length);
      return { start, end: line.start + body.length };
    })
    .filter((span) => span.end > span.start);
  if (spans.length === 0) return null;
  const prefix = options.prefix ?? linePrefix(kind, first.text);
  return { kind, lines: spans, outerStart: first.start, outerEnd: last.next, prefix };
}
