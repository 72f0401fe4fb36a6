import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { runFaults, SHARES, type OperationName } from './harness.js';

/**
 * `npm run test:faults [-- --kills 1200 --seed 1 --only apply,revert]`: exit code 1 when anything was lost.
 * `--every-point`: each numbered point of these operations once, instead of a sample and random times.
 */

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '1200' },
    seed: { type: 'string', default: '1' },
    lanes: { type: 'string', default: String(Math.min(4, cpus().length)) },
    only: { type: 'string' },
    'every-point': { type: 'boolean', default: false },
  },
});
const known = Object.keys(SHARES) as OperationName[];
const operations = values.only === undefined ? known : known.filter((name) => values.only?.split(',').includes(name));

const everyPoint = values['every-point'];
const what = everyPoint ? 'every point' : `seed ${values.seed}, ${values.kills} kills`;
console.log(`${what}, ${values.lanes} at a time`);
const report = await runFaults({
  kills: Number(values.kills),
  seed: Number(values.seed),
  lanes: Number(values.lanes),
  operations,
  everyPoint,
  onKill: ({ kills, of }) => {
    if (kills % 100 === 0) console.log(`${kills} of ${of}`);
  },
  onFailure: ({ operation, how, what }) => console.error(`\nFAILED: ${operation}, ${how}\n${what}`),
});
console.table(report.counts);
console.log(
  `${report.kills} kills in ${Math.round(report.ms / 1000)} s: ${report.failures.length === 0 ? 'nothing lost' : `${report.failures.length} failures`}`,
);
process.exitCode = report.failures.length === 0 ? 0 : 1;
