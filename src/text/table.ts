import Table from 'cli-table3';
import { visible, type Look } from './look.js';

/** Rows under a head, without borders; in a chat, one line per row. Widths follow the content, the last column wraps. */
export function table(look: Look, head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  if (look.form === 'plain') return rows.map((row) => row.filter((cell) => cell !== '').join(' · ')).join('\n');
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
    colWidths: lastColumnFits(look, head, rows),
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
  const widest = (column: number) => Math.max(...[head, ...rows].map((row) => [...visible(row[column] ?? '')].length));
  const others = head.slice(0, -1).reduce((sum, _, column) => sum + widest(column) + 2, 0);
  const last = head.length - 1;
  // A word that is wider would be cut off.
  const words = rows.flatMap((row) => visible(row[last] ?? '').split(/\s+/)).map((word) => word.length);
  const rest = Math.max(20, look.width - others, ...words);
  return head.map((_, column) => (column === last && widest(column) > rest ? rest : null));
}
