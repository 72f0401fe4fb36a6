import childProcess from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import Database from 'better-sqlite3';

/**
 * Puts a point before and after everything this process does to the world: each system call that changes a file,
 * each writing SQL statement, each BEGIN and COMMIT, each start of a program. At the point with number `killAt` the
 * process kills itself with SIGKILL: nothing runs afterwards, no `finally`, no exit handler. The code under test
 * knows nothing of it.
 */
export interface Instrument {
  /** Counts from here; null = only count. */
  arm(killAt: number | null): void;
  /** What was passed since `arm`, in order. */
  passed(): readonly string[];
  /** The end of counting. With `dies: 'work'`: whether the work died, after the programs it had started have ended. */
  disarm(): Promise<boolean>;
}

/** Thrown at the point of death, and at every later one: `catch` and `finally` run, but can't change the world. */
export class Killed extends Error {
  override readonly name = 'Killed';
}

export interface InstrumentOptions {
  /** `work`: the process lives on, for many deaths in one; only what the work does to the world ends. */
  readonly dies: 'process' | 'work';
}

const FILE_CALLS = [
  ...['openSync', 'writeSync', 'writeFileSync', 'appendFileSync', 'copyFileSync', 'cpSync', 'mkdirSync', 'linkSync'],
  ...['renameSync', 'unlinkSync', 'rmSync', 'fsyncSync', 'closeSync', 'chmodSync', 'fchmodSync', 'fchownSync'],
] as const;
const PROGRAM_CALLS = ['spawn', 'spawnSync', 'execFile', 'execFileSync'] as const;

type Call = (this: unknown, ...args: unknown[]) => unknown;

export function instrument({ dies }: InstrumentOptions = { dies: 'process' }): Instrument {
  let armed = false;
  let dead = false;
  let killAt: number | null = null;
  let points: string[] = [];
  let programs: Promise<unknown>[] = [];
  const pass = (name: string): void => {
    if (!armed) return;
    if (dead) throw new Killed();
    points.push(name);
    if (points.length !== killAt) return;
    if (dies === 'process') process.kill(process.pid, 'SIGKILL');
    dead = true;
    throw new Killed();
  };
  const around = (owner: Record<string, unknown>, name: string, label: (self: unknown) => string | null): void => {
    const original = owner[name] as Call;
    owner[name] = function (this: unknown, ...args: unknown[]) {
      const what = label(this);
      if (what !== null) pass(`before ${what}`);
      const result = original.apply(this, args);
      if (armed && result instanceof childProcess.ChildProcess)
        programs.push(once(result, 'exit').catch(() => undefined));
      if (what !== null) pass(`after ${what}`);
      return result;
    };
  };

  for (const name of FILE_CALLS) around(fs, name, () => name);
  for (const name of PROGRAM_CALLS) around(childProcess, name, () => name);
  syncBuiltinESMExports();

  const probe = new Database(':memory:');
  const statement = Object.getPrototypeOf(probe.prepare('SELECT 1')) as Record<string, unknown>;
  probe.close();
  for (const name of ['run', 'get', 'all']) around(statement, name, (self) => sqlPoint(self as Database.Statement));
  around(Database.prototype as unknown as Record<string, unknown>, 'exec', () => 'exec');

  return {
    arm(at) {
      armed = true;
      dead = false;
      killAt = at;
      points = [];
      programs = [];
    },
    passed: () => points,
    async disarm() {
      await Promise.all(programs);
      armed = false;
      return dead;
    },
  };
}

const TRANSACTION = /^\s*(BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE)\b/i;

/** Reading changes nothing, so a kill there is a kill at the next point. */
function sqlPoint(statement: Database.Statement): string | null {
  if (statement.readonly && !TRANSACTION.test(statement.source)) return null;
  return statement.source.trim().split(/\s+/).slice(0, 3).join(' ');
}
