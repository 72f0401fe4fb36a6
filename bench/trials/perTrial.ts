import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { createColdRunner } from '../../src/evaluation/coldRunner.js';
import { laySlot } from '../../src/evaluation/slot.js';
import { slotTemplate } from '../../src/evaluation/slotTemplate.js';
import { createWarmRunner } from '../../src/evaluation/warmRunner.js';
import type { TrialRunner } from '../../src/ports.js';
import { peakMemory, type Memory } from './processes.js';
import { median, SILENT, trial, type Bench } from './setUp.js';

export interface PerTrial {
  readonly name: 'warm' | 'cold' | 'shell loop';
  readonly latencyMs: number;
  /** A trial's share of everything, the start of the runner included; ms. */
  readonly wallMs: number;
  readonly cpuMs: number;
  /** Median wall time of a trial once the runner is ready; null where nothing is made ready. */
  readonly readyMs: number | null;
  /** The most that the slot's processes held together. */
  readonly memory: Memory;
}

/** CPU of this process and of every process that it, or a child of it, has waited for; Linux counts in 1/100 s. */
function cpuMs(): number {
  const stat = readFileSync(`/proc/${process.pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) * 10;
}

async function costOf(work: () => Promise<void>): Promise<{ wallMs: number; cpuMs: number }> {
  const [wall, cpu] = [performance.now(), cpuMs()];
  await work();
  return { wallMs: performance.now() - wall, cpuMs: cpuMs() - cpu };
}

/** The same trial, `rounds` times in a row, by each of the three. */
export async function perTrial(bench: Bench, rounds: number): Promise<PerTrial[]> {
  const warm = createWarmRunner({ ...bench.runner, log: SILENT });
  return [
    await runnerCost(bench, { name: 'warm', runner: warm, rounds }),
    await runnerCost(bench, { name: 'cold', runner: createColdRunner(bench.runner), rounds }),
    await loopCost(bench, rounds),
  ];
}

async function runnerCost(
  bench: Bench,
  { name, runner, rounds }: { name: 'warm' | 'cold'; runner: TrialRunner; rounds: number },
): Promise<PerTrial> {
  const times: number[] = [];
  const run = async (index: number): Promise<void> => {
    const began = performance.now();
    const result = await runner.run(trial(index), new AbortController().signal);
    if (result.kind === 'infra') throw new Error(`${name}: ${result.reason}`);
    times.push(performance.now() - began);
  };
  const trials = await costOf(async () => {
    for (let index = 0; index < rounds; index += 1) await run(index);
  });
  // Looking at memory takes CPU itself, so it has a trial of its own.
  const memory = await peakMemory(bench.root, () => run(rounds));
  const closing = await costOf(() => runner.close('finished'));
  if (runner.name !== name) throw new Error(`${name} fell back: ${runner.fellBack ?? ''}`);
  return {
    ...{ name, latencyMs: bench.latencyMs, memory },
    wallMs: trials.wallMs / rounds,
    // Linux tells what the loaded process and its children used when it has ended: one trial more.
    cpuMs: name === 'warm' ? (trials.cpuMs + closing.cpuMs) / (rounds + 1) : trials.cpuMs / rounds,
    readyMs: median(times.slice(1, rounds)),
  };
}

/** What a person would write: the same question again and again in a home with warm caches. */
async function loopCost(bench: Bench, rounds: number): Promise<PerTrial> {
  const facts = { version: bench.version, authType: null, keyEnv: [] };
  const source = { ...bench.runner, facts };
  const { paths } = laySlot({ source, template: slotTemplate(source) }, 1, {
    trial: { ...trial(0), spec: trial(0).scenario.spec, realToolsets: [] },
  });
  writeFileSync(join(paths.home, 'config.yaml'), readFileSync(join(bench.home, 'config.yaml')));
  const line = `"${bench.hermes}" -p dev chat -q "Say hello." -Q --max-turns 20 --source tool </dev/null >/dev/null 2>&1`;
  const env = { PATH: process.env.PATH, HOME: paths.userHome, TMPDIR: paths.temp, HERMES_HOME: paths.home };
  const loop = async (times: number): Promise<void> => {
    const script = `for i in $(seq ${times}); do ${line} || exit 1; done`;
    await execa('sh', ['-c', script], { env, extendEnv: false, cwd: paths.work });
  };
  const all = await costOf(() => loop(rounds));
  const memory = await peakMemory(bench.root, () => loop(1));
  return {
    ...{ name: 'shell loop', latencyMs: bench.latencyMs, memory, readyMs: null },
    wallMs: all.wallMs / rounds,
    cpuMs: all.cpuMs / rounds,
  };
}
