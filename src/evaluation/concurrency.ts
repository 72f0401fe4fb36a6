import { availableParallelism, freemem, totalmem } from 'node:os';

export interface Machine {
  readonly cores: number;
  /** Bytes that can be taken without swapping. */
  readonly memory: number;
}

/** What one slot holds at most by itself, in bytes (docs/performance.md measures it). */
const PER_SLOT = 300 * 1024 * 1024;
/** Past this a provider's rate limit is met sooner than the machine's. */
const MOST = 4;

/**
 * Trials at the same time: as configured, else one per core as far as half of the free memory goes, at most four.
 */
export function slotsFor(configured: number | 'auto', machine: Machine = thisMachine()): number {
  if (configured !== 'auto') return configured;
  return Math.max(1, Math.min(MOST, machine.cores, Math.floor(machine.memory / 2 / PER_SLOT)));
}

/** Elsewhere than on Linux what is called free leaves out what the system gives back at once. */
function thisMachine(): Machine {
  const memory = process.platform === 'linux' ? Math.min(freemem(), constrained()) : totalmem() / 2;
  return { cores: availableParallelism(), memory };
}

/** A container's limit, where there is one. */
function constrained(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? limit : Infinity;
}
