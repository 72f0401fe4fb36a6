import type * as fs from 'node:fs';

/** Which of the calls that write fails, counted from 1, and how; 0 = none, only count. */
export const fault = { at: 0, code: '', calls: 0 };

/** What a disk says that is full, over quota, mounted read-only, or not ours. */
export const DISK_CODES = ['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES'] as const;

/** Counts from here; the call with number `at` fails. */
export function failAt(at: number): void {
  Object.assign(fault, { at, code: DISK_CODES[at % DISK_CODES.length], calls: 0 });
}

type Call = (...args: never[]) => unknown;

const WRITES = [
  ...['writeSync', 'writeFileSync', 'mkdirSync', 'renameSync', 'linkSync', 'symlinkSync', 'copyFileSync', 'cpSync'],
  ...['fsyncSync', 'fchmodSync'],
] as const;

/** The real `node:fs`, as `vi.mock` wants it, with the chosen call failing. */
export function faultyFs(real: typeof fs): typeof fs {
  const failing = (name: string, writes: (...args: unknown[]) => boolean): Call => {
    const call = (real as unknown as Record<string, Call>)[name] as (...args: unknown[]) => unknown;
    return (...args: unknown[]) => {
      if (!writes(...args)) return call(...args);
      fault.calls += 1;
      if (fault.calls !== fault.at) return call(...args);
      const path = typeof args[0] === 'string' ? ` '${args[0]}'` : '';
      const message = `${fault.code}: made up for a test, ${name.replace('Sync', '')}${path}`;
      throw Object.assign(new Error(message), { code: fault.code });
    };
  };
  return {
    ...real,
    ...Object.fromEntries(WRITES.map((name) => [name, failing(name, () => true)])),
    openSync: failing('openSync', (_, flags) => typeof flags === 'string' && flags !== 'r') as typeof fs.openSync,
  };
}
