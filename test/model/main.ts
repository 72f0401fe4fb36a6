import { parseArgs } from 'node:util';
import { runModel } from './harness.js';

/** `npm run test:model [-- --runs 1000 --seed 1 --commands 30]`: exit code 1 when product and model differ. */

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    commands: { type: 'string', default: '30' },
  },
});
const { runs, seed, commands } = values;
console.log(`seed ${seed}: ${runs} sequences of up to ${commands} commands`);
const report = await runModel({ runs: Number(runs), seed: Number(seed), commands: Number(commands) });
console.table(report.counts);
if (report.failure !== null) console.error(`\nFAILED: ${report.failure}`);
console.log(
  `${report.commands} commands in ${Math.round(report.ms / 1000)} s: ${report.failure === null ? 'as the model says' : `not as the model says, seed ${seed}`}`,
);
process.exitCode = report.failure === null ? 0 : 1;
