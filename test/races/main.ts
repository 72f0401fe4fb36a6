import { parseArgs } from 'node:util';
import { runRaces } from './harness.js';

/** `npm run test:races [-- --seconds 60 --processes 8 --seed 1 --events 100000]`: exit code 1 when anything is wrong. */

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    processes: { type: 'string', default: '8' },
    seed: { type: 'string', default: '1' },
    events: { type: 'string', default: '100000' },
  },
});
const { seconds, processes, seed, events } = values;
console.log(`seed ${seed}: ${processes} processes for ${seconds} s, ${events} events`);
const report = await runRaces({
  seconds: Number(seconds),
  processes: Number(processes),
  seed: Number(seed),
  events: Number(events),
});
console.table(report.counts);
console.table({ given: report.given });
console.table({ refused: report.refused });
for (const failure of report.failures) console.error(`\nFAILED: ${failure}`);
const found = report.failures.length;
console.log(
  `${Math.round(report.ms / 1000)} s: ${found === 0 ? 'nothing lost, nothing doubled' : `${found} failures with seed ${seed}`}`,
);
process.exitCode = found === 0 ? 0 : 1;
