/**
 * `npm run bench:gate`: the tables of docs/gate-numbers.md by simulation, on all cores. Exits with 1 when a goal is
 * missed. `--quick` is for CI: fewer draws, goals may be missed by three Monte Carlo errors, and nothing is written.
 * `--draws N` sets the draws of each cell.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CELLS } from './cells.js';
import { decisionTime } from './decisionTime.js';
import { runAll } from './pool.js';
import { reportOf } from './report.js';
import type { Task } from './task.js';

const FULL_DRAWS = 4000;
const QUICK_DRAWS = 300;
const QUICK_TOLERANCE = 3;
/** Draws of a task: small enough that the cores end together. */
const CHUNK = 100;

const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false }, draws: { type: 'string' } } });
const draws = Number(values.draws ?? (values.quick ? QUICK_DRAWS : FULL_DRAWS));
if (!Number.isInteger(draws) || draws < 1) throw new RangeError('--draws takes a whole number from 1');

const tasks = Object.keys(CELLS).flatMap((cell) =>
  Array.from({ length: Math.ceil(draws / CHUNK) }, (_, i): Task => {
    return { cell, from: i * CHUNK, to: Math.min(draws, (i + 1) * CHUNK) };
  }),
);
const started = Date.now();
const results = await runAll(tasks, (done) => {
  if (process.stderr.isTTY) process.stderr.write(`\r${done} of ${tasks.length} tasks`);
});
if (process.stderr.isTTY) process.stderr.write('\n');
const { text, missed } = reportOf(results, { draws, tolerance: values.quick ? QUICK_TOLERANCE : 0 });
process.stdout.write(`${text}\n${decisionTime()}\n`);
if (!values.quick) writeFileSync(fileURLToPath(new URL('../../docs/gate-numbers.md', import.meta.url)), text);
process.stderr.write(`${tasks.length} tasks in ${Math.round((Date.now() - started) / 1000)} s\n`);
if (missed.length > 0) {
  process.stderr.write(`Missed: ${missed.join('; ')}\n`);
  process.exitCode = 1;
}
