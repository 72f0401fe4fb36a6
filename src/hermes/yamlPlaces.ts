import { isAlias, isMap, isSeq, type Document, type LineCounter } from 'yaml';

/**
 * Finds the line of a problem's path (`scenarios[2].checks[0].regex`) in a parsed document; for what is missing, the
 * line of the nearest thing around it. 1-based; null in an empty document.
 */
export function lineFinder(document: Document, lines: LineCounter): (path: string) => number | null {
  return (path) => {
    const offset = offsetOf(document, path);
    return offset === null ? null : lines.linePos(offset).line;
  };
}

function offsetOf(document: Document, path: string): number | null {
  let node: unknown = document.contents;
  let offset = startOf(node);
  let rest = path;
  while (rest !== '') {
    if (isAlias(node)) node = node.resolve(document);
    const step = isSeq(node) ? intoSequence(node.items, rest) : isMap(node) ? intoMapping(node.items, rest) : null;
    if (step === null) return offset;
    offset = startOf(step.at) ?? offset;
    node = step.node;
    rest = step.rest;
  }
  return offset;
}

interface Step {
  /** What marks the place: a key, or an item of a list. */
  readonly at: unknown;
  readonly node: unknown;
  readonly rest: string;
}

function intoSequence(items: readonly unknown[], path: string): Step | null {
  const [, index, rest = ''] = /^\[(\d+)\](.*)$/s.exec(path) ?? [];
  const node = index === undefined ? undefined : items[Number(index)];
  return node === undefined ? null : { at: node, node, rest };
}

/** A key may itself contain dots (`gpt-4.1`): the longest one that fits is meant. */
function intoMapping(items: readonly { readonly key: unknown; readonly value: unknown }[], path: string): Step | null {
  const wanted = path.replace(/^\./, '');
  const fits = (key: string): boolean => wanted === key || wanted.startsWith(`${key}.`) || wanted.startsWith(`${key}[`);
  const pair = items
    .filter((p) => fits(keyText(p.key)))
    .sort((a, b) => keyText(b.key).length - keyText(a.key).length)[0];
  return pair === undefined ? null : { at: pair.key, node: pair.value, rest: wanted.slice(keyText(pair.key).length) };
}

function startOf(node: unknown): number | null {
  const range = typeof node === 'object' && node !== null && 'range' in node ? node.range : null;
  return Array.isArray(range) ? Number(range[0]) : null;
}

function keyText(key: unknown): string {
  return typeof key === 'object' && key !== null && 'value' in key ? String(key.value) : String(key);
}
