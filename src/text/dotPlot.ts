import type { Look } from './look.js';

/** Dots in a column before one stands for several groups. */
const HIGHEST = 8;
const WIDEST = 61;
const TICKS = [-100, -50, 0, 50, 100] as const;

const UNICODE = { dot: '●', part: '○', axis: '─', tick: '┴', from: '├', to: '┤', line: '─', mean: '◆' };
const ASCII: typeof UNICODE = { dot: 'o', part: '.', axis: '-', tick: '+', from: '[', to: ']', line: '-', mean: '*' };

export interface Dots {
  /** One per group, in [-1, 1]. */
  readonly differences: readonly number[];
  readonly mean: number | null;
  readonly interval: readonly [number, number] | null;
  /** What the interval is; default `90 % interval`. */
  readonly intervalName?: string;
}

/**
 * Differences as stacked dots over an axis from -100 to +100 points, with mean and interval below: sorted by nature, and
 * nothing tells which dot is which group. Empty in a chat, where columns don't line up.
 */
export function dotPlot(look: Look, { differences, mean, interval, intervalName = '90 % interval' }: Dots): string {
  if (look.form === 'plain' || differences.length === 0) return '';
  const signs = look.unicode ? UNICODE : ASCII;
  const room = Math.min(WIDEST, look.width - 8);
  // So that the ticks stand at even distances.
  const columns = room - ((room - 1) % 4);
  const columnOf = (value: number): number => Math.round(((Math.min(1, Math.max(-1, value)) + 1) / 2) * (columns - 1));
  const counts = new Array<number>(columns).fill(0);
  for (const difference of differences) counts[columnOf(difference)] = (counts[columnOf(difference)] ?? 0) + 1;
  const perDot = Math.ceil(Math.max(...counts) / HIGHEST);
  const height = Math.ceil(Math.max(...counts) / perDot);
  const rows = Array.from({ length: height }, (_, index) => {
    const level = height - index;
    return paintSides(
      look,
      counts.map((n) => (n >= level * perDot ? signs.dot : n > (level - 1) * perDot ? signs.part : ' ')),
    );
  });
  const ticks = new Set(TICKS.map((points) => columnOf(points / 100)));
  const axis = counts.map((_, column) => (ticks.has(column) ? signs.tick : signs.axis)).join('');
  const bar = mean === null ? '' : barOf({ mean, interval }, { columns, columnOf, signs });
  const labels = labelRow(columns, columnOf);
  const each = `each dot: ${perDot === 1 ? 'one group' : `${perDot} groups`}`;
  const legend = [
    perDot === 1 ? each : `${each}, ${signs.part} fewer`,
    ...(mean === null ? [] : [`${signs.mean} mean`]),
    ...(interval === null || mean === null ? [] : [`${signs.from}${signs.to} ${intervalName}`]),
  ].join('; ');
  return [
    ...rows.map((row) => `    ${row}`),
    `    ${axis}`,
    labels,
    ...(bar === '' ? [] : [`    ${bar}`]),
    `    ${look.colors.dim(legend)}`,
  ]
    .map((line) => line.trimEnd())
    .join('\n');
}

/** Worse is red, better is green, no difference neither. */
function paintSides({ colors }: Look, cells: readonly string[]): string {
  const middle = (cells.length - 1) / 2;
  return [
    colors.red(cells.slice(0, middle).join('')),
    cells[middle] ?? '',
    colors.green(
      cells
        .slice(middle + 1)
        .join('')
        .trimEnd(),
    ),
  ].join('');
}

function barOf(
  { mean, interval }: Pick<Dots, 'interval'> & { mean: number },
  on: { columns: number; columnOf: (value: number) => number; signs: typeof UNICODE },
): string {
  const { columnOf, signs } = on;
  const cells = new Array<string>(on.columns).fill(' ');
  if (interval !== null) {
    const [from, to] = [columnOf(interval[0]), columnOf(interval[1])];
    cells.fill(signs.line, from, to + 1);
    cells[from] = signs.from;
    cells[to] = signs.to;
  }
  cells[columnOf(mean)] = signs.mean;
  return cells.join('').trimEnd();
}

function labelRow(columns: number, columnOf: (value: number) => number): string {
  const cells = new Array<string>(columns + 8).fill(' ');
  for (const points of TICKS) {
    const label = points > 0 ? `+${points}` : String(points);
    const at = 4 + columnOf(points / 100) - Math.floor(label.length / 2);
    for (const [index, character] of [...label].entries()) cells[at + index] = character;
  }
  return cells.join('').trimEnd();
}
