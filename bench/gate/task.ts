import { randomFrom } from '#src/gate/random.js';
import { CELLS } from './cells.js';

/** Draws `from` up to `to` of one cell; each has its own seed, so the split over workers changes nothing. */
export interface Task {
  readonly cell: string;
  readonly from: number;
  readonly to: number;
}

export interface Sum {
  draws: number;
  sum: number;
  squares: number;
}

export interface TaskResult {
  readonly cell: string;
  readonly sums: Readonly<Record<string, Sum>>;
  readonly milliseconds: number;
}

export function runTask({ cell, from, to }: Task): TaskResult {
  const draw = CELLS[cell];
  if (draw === undefined) throw new RangeError(`there is no cell ${cell}`);
  const started = performance.now();
  const sums: Record<string, Sum> = {};
  for (let i = from; i < to; i += 1) {
    const seed = `${cell}/${i}`;
    for (const [measure, value] of Object.entries(draw(randomFrom(seed), seed))) {
      const sum = (sums[measure] ??= { draws: 0, sum: 0, squares: 0 });
      sum.draws += 1;
      sum.sum += value;
      sum.squares += value * value;
    }
  }
  return { cell, sums, milliseconds: performance.now() - started };
}
