import { readdirSync } from 'node:fs';
import { createWarmRunner } from '../../src/evaluation/warmRunner.js';
import { descriptorsOf, memoryOf, processesIn } from './processes.js';
import { SILENT, trial, type Bench } from './setUp.js';

/** What is held between two trials. */
export interface Held {
  /** Trials that were run before. */
  readonly trials: number;
  /** The loaded Hermes; bytes. */
  readonly loadedUss: number;
  readonly loadedFds: number;
  /** This process, which is the worker; bytes. */
  readonly workerUss: number;
  readonly workerFds: number;
  /** Processes of the slot, and files and directories below the slots' directory. */
  readonly processes: number;
  readonly files: number;
  /** Whether it is still the process that was loaded at first. */
  readonly sameProcess: boolean;
}

/** One trial after the other in one slot; looks at what is held after the first, every so many, and at the end. */
export async function soak(
  bench: Bench,
  { trials, every, onHeld }: { trials: number; every: number; onHeld: (held: Held) => void },
): Promise<void> {
  const runner = createWarmRunner({ ...bench.runner, log: SILENT });
  let first: number | undefined;
  for (let index = 0; index < trials; index += 1) {
    const result = await runner.run(trial(index), new AbortController().signal);
    if (result.kind === 'infra') throw new Error(`trial ${index + 1}: ${result.reason}`);
    const done = index + 1;
    if (done !== 1 && done % every !== 0 && done !== trials) continue;
    global.gc?.();
    const pids = processesIn(bench.root);
    const [loaded = 0] = pids;
    first ??= loaded;
    onHeld({
      trials: done,
      loadedUss: memoryOf([loaded]).uss,
      loadedFds: descriptorsOf(loaded),
      workerUss: memoryOf([process.pid]).uss,
      workerFds: descriptorsOf(process.pid),
      processes: pids.length,
      files: readdirSync(bench.root, { recursive: true }).length,
      sameProcess: loaded === first,
    });
  }
  await runner.close('finished');
  const left = processesIn(bench.root);
  if (left.length > 0) throw new Error(`${left.length} processes are left`);
}
