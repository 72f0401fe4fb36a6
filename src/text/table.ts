import Table from 'cli-table3';
import { visible, type Look } from './look.js';

/** The time that the library takes grows with the square of the rows. */
const ROWS_AT_ONCE = 200;

/** Rows under a head, without borders; in a chat, one line per row. Widths follow the content, the last column wraps. */
export function table(look: Look, head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  if (look.form === 'plain') return rows.map((row) => row.filter((cell) => cell !== '').join(' · ')).join('\n');
  const widths = lastColumnFits(look, head, rows);
  if (rows.length <= ROWS_AT_ONCE) return draw(look, { head, rows, widths });
  // A long list is drawn in parts, each as wide as the widest row of all.
  const fixed = widths.map((width, column) => width ?? widest(head, rows, column));
  const parts: string[] = [];
  for (let from = 0; from < rows.length; from += ROWS_AT_ONCE) {
    const part = { head: from === 0 ? head : [], rows: rows.slice(from, from + ROWS_AT_ONCE), widths: fixed };
    parts.push(draw(look, part));
  }
  return parts.join('\n');
}

interface Part {
  /** Empty = none is drawn. */
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Null = as wide as its content. */
  readonly widths: readonly (number | null)[];
}

function draw(look: Look, { head, rows, widths }: Part): string {
  const blank = Object.fromEntries(
    // Every border character is left out; a gap of two spaces keeps the columns apart.
    ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right']
      .concat(['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid'])
      .map((name) => [name, '']),
  );
  const drawn = new Table({
    head: head.map((title) => look.colors.dim(title)),
    chars: { ...blank, middle: '  ' },
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true },
    colWidths: [...widths],
    wordWrap: true,
  });
  drawn.push(...rows.map((row) => [...row]));
  return drawn
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

function lastColumnFits(look: Look, head: readonly string[], rows: readonly (readonly string[])[]): (number | null)[] {
  const others = head.slice(0, -1).reduce((sum, _, column) => sum + widest(head, rows, column) + 2, 0);
  const last = head.length - 1;
  let rest = Math.max(20, look.width - others);
  // A word that is wider would be cut off.
  for (const row of rows) for (const word of visible(row[last] ?? '').split(/\s+/)) rest = Math.max(rest, word.length);
  return head.map((_, column) => (column === last && widest(head, rows, column) > rest ? rest : null));
}

function widest(head: readonly string[], rows: readonly (readonly string[])[], column: number): number {
  let most = 0;
  for (const row of [head, ...rows]) most = Math.max(most, [...visible(row[column] ?? '')].length);
  return most;
}
