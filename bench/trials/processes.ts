import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Bytes. A page that several processes share counts in part for each of them in `pss`, and not at all in `uss`. */
export interface Memory {
  readonly pss: number;
  readonly uss: number;
}

/** Ids of the processes whose environment names the directory. */
export function processesIn(root: string): number[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      return readFileSync(join('/proc', name, 'environ'), 'utf8').includes(`=${root}`) ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

export function memoryOf(pids: readonly number[]): Memory {
  let [pss, uss] = [0, 0];
  for (const pid of pids) {
    const lines = textOf(`/proc/${pid}/smaps_rollup`);
    const kilobytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(lines)?.[1] ?? 0);
    pss += kilobytes('Pss') * 1024;
    uss += (kilobytes('Private_Clean') + kilobytes('Private_Dirty')) * 1024;
  }
  return { pss, uss };
}

export function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // it ended meanwhile
  }
}

/** The most that all processes of the directory hold together while `work` runs. */
export async function peakMemory(root: string, work: () => Promise<unknown>): Promise<Memory> {
  let peak: Memory = { pss: 0, uss: 0 };
  const timer = setInterval(() => {
    const now = memoryOf(processesIn(root));
    if (now.pss > peak.pss) peak = now;
  }, 100);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return peak;
}
