import type { Goal } from './goals.js';
import type { Sum, TaskResult } from './task.js';

/** A mean over draws with its Monte Carlo standard error. */
export interface Figure {
  readonly mean: number;
  readonly error: number;
  readonly draws: number;
}

/** All figures of a run, by cell and measure. */
export class Results {
  private readonly sums = new Map<string, Sum>();

  add(result: TaskResult): void {
    for (const [measure, { draws, sum, squares }] of Object.entries(result.sums)) {
      const key = `${result.cell}: ${measure}`;
      const known = this.sums.get(key) ?? { draws: 0, sum: 0, squares: 0 };
      this.sums.set(key, {
        draws: known.draws + draws,
        sum: known.sum + sum,
        squares: known.squares + squares,
      });
    }
  }

  figure(cell: string, measure: string): Figure {
    const found = this.sums.get(`${cell}: ${measure}`);
    if (found === undefined) throw new RangeError(`nothing was measured for ${cell}: ${measure}`);
    const { draws, sum, squares } = found;
    const mean = sum / draws;
    return { mean, error: Math.sqrt(Math.max(0, squares / draws - mean * mean) / draws), draws };
  }
}

/** @param tolerance Monte Carlo errors by which the figure may miss the goal: 0 at full size */
export function reaches({ mean, error }: Figure, goal: Goal, tolerance: number): boolean {
  const slack = tolerance * error;
  if (goal.is === 'within') return Math.abs(mean) <= goal.value + slack;
  return goal.is === 'at least' ? mean + slack >= goal.value : mean - slack <= goal.value;
}
