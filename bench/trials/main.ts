/**
 * What a trial costs beyond the model, in one run: wall time, CPU and memory of the warm runner, the cold runner and a
 * plain shell loop of `hermes chat -q`, and a whole evaluation, at several latencies of the model.
 * `npm run bench:trials -- [--rounds N] [--latencies 0,1000] [--trials N] [--slots N] [--write]`; with `--soak N`
 * instead: N warm trials in a row and what they leave behind.
 */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { writeSection } from '../section.js';
import { evaluation, type Evaluation } from './evaluation.js';
import { perTrial, type PerTrial } from './perTrial.js';
import { megabytes, seconds, setUp } from './setUp.js';
import { soak, type Held } from './soak.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '10' },
    latencies: { type: 'string', default: '0,1000,5000' },
    trials: { type: 'string', default: '100' },
    slots: { type: 'string', default: 'auto' },
    soak: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});

/** It takes minutes: what is measured is shown as it comes. */
function tell(measured: unknown): void {
  process.stderr.write(`${JSON.stringify(measured)}\n`);
}

async function compare(): Promise<void> {
  const [rounds, trials] = [Number(values.rounds), Number(values.trials)];
  const slots = values.slots === 'auto' ? 'auto' : Number(values.slots);
  const all: PerTrial[] = [];
  const whole: Evaluation[] = [];
  let version = '';
  for (const latencyMs of values.latencies.split(',').map(Number)) {
    const bench = await setUp(latencyMs);
    try {
      ({ version } = bench);
      const measured = await perTrial(bench, rounds);
      all.push(...measured);
      tell(measured);
      const oneTrialMs = measured.find(({ name }) => name === 'warm')?.readyMs ?? 0;
      if (trials > 0) {
        whole.push(await evaluation(bench, { trials, oneTrialMs, slots }));
        tell(whole.at(-1));
      }
    } finally {
      await bench.close();
    }
  }
  const of = `--rounds ${rounds} --latencies ${values.latencies} --trials ${trials}`;
  const text = [
    `\`npm run bench:trials -- ${of}\`: ${rounds} trials one after another, a model that answers after a fixed time, Hermes ${version}, ${cpus().length} cores. Wall time and CPU of a trial include its share of getting ready: asking the host about itself, loading it, proving the guard. Memory is the most that all processes of the slot hold, shared pages counted once (PSS), and what is theirs alone (USS).`,
    '',
    ...perTrialTable(all),
    '',
    'A whole evaluation through plan, scheduler, checks and controller DB, from the first question to the host to the last slot wiped:',
    '',
    '| model | trials | slots | wall | of ceil(trials / slots) × one trial |',
    '|---|---|---|---|---|',
    ...whole.map(
      (one) =>
        `| ${one.latencyMs / 1000} s | ${one.trials} | ${one.slots} | ${seconds(one.wallMs)} s | ${one.ratio.toFixed(2)} |`,
    ),
  ].join('\n');
  process.stdout.write(`${text}\n`);
  if (values.write) writeSection('bench:trials', { title: 'What a trial costs beyond the model', text });
}

function perTrialTable(all: readonly PerTrial[]): string[] {
  return [
    '| model | | wall per trial | a trial once ready | CPU per trial | of the loop’s | PSS | USS | of the loop’s PSS |',
    '|---|---|---|---|---|---|---|---|---|',
    ...all.map((one) => {
      const loop = all.find((other) => other.name === 'shell loop' && other.latencyMs === one.latencyMs) ?? one;
      const ready = one.readyMs === null ? '–' : `${seconds(one.readyMs)} s`;
      const { pss, uss } = one.memory;
      return [
        '',
        `${one.latencyMs / 1000} s`,
        one.name,
        `${seconds(one.wallMs)} s`,
        ready,
        `${seconds(one.cpuMs)} s`,
        (one.cpuMs / loop.cpuMs).toFixed(2),
        `${megabytes(pss)} MB`,
        `${megabytes(uss)} MB`,
        (pss / loop.memory.pss).toFixed(2),
        '',
      ]
        .join(' | ')
        .trim();
    }),
  ];
}

async function endure(trials: number): Promise<void> {
  const bench = await setUp(0);
  const rows: Held[] = [];
  const began = performance.now();
  try {
    const every = Math.max(1, Math.round(trials / 10));
    await soak(bench, {
      ...{ trials, every },
      onHeld: (held) => {
        rows.push(held);
        tell(held);
      },
    });
  } finally {
    await bench.close();
  }
  const text = [
    `\`npm run bench:trials -- --soak ${trials}\`: ${trials} warm trials in a row in one slot, ${seconds((performance.now() - began) / trials)} s each, Hermes ${bench.version}. What is held between two trials; afterwards no process is left.`,
    '',
    '| trials | loaded Hermes, USS | its descriptors | worker, USS | its descriptors | processes of the slot | files of slot and profile | same process |',
    '|---|---|---|---|---|---|---|---|',
    ...rows.map(
      (held) =>
        `| ${held.trials} | ${megabytes(held.loadedUss)} MB | ${held.loadedFds} | ${megabytes(held.workerUss)} MB | ${held.workerFds} | ${held.processes} | ${held.files} | ${held.sameProcess ? 'yes' : 'no'} |`,
    ),
  ].join('\n');
  process.stdout.write(`${text}\n`);
  if (values.write) writeSection('bench:soak', { title: 'Warm trials in a row', text });
}

await (values.soak === undefined ? compare() : endure(Number(values.soak)));
