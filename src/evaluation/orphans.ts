import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { slotKey } from './slot.js';

/** A process as the system knows it; the number alone may be given to another one at any time. */
interface Marked {
  readonly pid: number;
  readonly started: string;
}

/** A process that is killed may just have started another one. */
const ROUNDS = 5;

/**
 * Ends what an executor that died left running in the slots of a profile, and wipes these slots. Only for whoever
 * holds the profile's lease and has not begun yet. A process belongs to a slot when its own environment says so:
 * HERMES_HOME inside the slot and the mark of a trial; anything else is never touched. Returns how many were ended.
 */
export function clearSlots(slotsDir: string, profileHome: string): number {
  const prefix = `${slotKey(profileHome)}-`;
  const slots = namesIn(slotsDir).filter((name) => name.startsWith(prefix));
  if (slots.length === 0) return 0;
  const homes = slots.map((name) => join(slotsDir, name));
  const ended = new Set<number>();
  for (let round = 0; round < ROUNDS; round++) {
    const left = processesIn(homes);
    if (left.length === 0) break;
    for (const found of left) if (kill(found, homes)) ended.add(found.pid);
  }
  for (const home of homes) rmSync(home, { recursive: true, force: true, maxRetries: 3 });
  return ended.size;
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** Looks again at the last moment: the same number, the same start, the same marks. */
function kill({ pid, started }: Marked, homes: readonly string[]): boolean {
  const now = processesIn(homes, pid).find((found) => found.pid === pid);
  if (now?.started !== started) return false;
  try {
    process.kill(pid, 'SIGKILL');
    return true;
  } catch {
    return false;
  }
}

function processesIn(homes: readonly string[], only?: number): Marked[] {
  const all = existsSync(join('/proc', '1', 'stat')) ? fromProc(only) : fromPs(only);
  return all
    .filter(
      ({ pid, has }) =>
        pid !== process.pid && has('KARPATHY_TRIAL=1') && homes.some((home) => has(`HERMES_HOME=${home}/`)),
    )
    .map(({ pid, started }) => ({ pid, started }));
}

interface Seen extends Marked {
  /** Whether a variable of its environment begins like this. */
  readonly has: (variable: string) => boolean;
}

/** Linux. Processes of other users can't be read, and are none of ours. */
function fromProc(only?: number): Seen[] {
  const pids = only === undefined ? namesIn('/proc').filter((name) => /^\d+$/.test(name)) : [String(only)];
  return pids.flatMap((pid) => {
    try {
      const variables = readFileSync(join('/proc', pid, 'environ'), 'utf8').split('\0');
      // The name before it may hold spaces and brackets; the start is the 20th field behind it.
      const fields = readFileSync(join('/proc', pid, 'stat'), 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ');
      if (fields[0] === 'Z') return [];
      const has = (start: string): boolean => variables.some((variable) => variable.startsWith(start));
      return [{ pid: Number(pid), started: fields[19] ?? '', has }];
    } catch {
      return [];
    }
  });
}

/** Elsewhere `ps` appends the environment to the command line of this user's processes. */
function fromPs(only?: number): Seen[] {
  const which = only === undefined ? ['xeww'] : ['eww', '-p', String(only)];
  const { stdout } = spawnSync('ps', [...which, '-o', 'pid=,lstart=,args='], { encoding: 'utf8', timeout: 5000 });
  return (stdout ?? '').split('\n').flatMap((line) => {
    const [, pid = '', started = '', rest = ''] =
      /^\s*(\d+)\s+(\S+\s+\S+\s+\d+\s+\S+\s+\d{4})\s+(.*)$/.exec(line) ?? [];
    return pid === '' ? [] : [{ pid: Number(pid), started, has: (start) => rest.includes(` ${start}`) }];
  });
}
