import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PROJECT_DIR } from './project.js';

const SCRIPT = `
const [dbPath, mark, ms] = process.argv.slice(1);
const db = require('better-sqlite3')(dbPath);
db.exec('BEGIN IMMEDIATE');
require('node:fs').writeFileSync(mark, '');
const end = () => { db.exec('ROLLBACK'); process.exit(0); };
process.stdin.on('end', end).resume();
if (ms !== 'until told') setTimeout(end, Number(ms));
`;

/** Another process that holds the write lock of a database. */
export interface LockHolder {
  /** Lets go of it, and waits until the process has ended. */
  release(): Promise<void>;
}

/**
 * Starts a process that takes the write lock, and returns once it has it: without a turn of the event loop, so that
 * it can also be called in the middle of a synchronous step. `ms`: it lets go by itself after that time.
 */
export function holdLock(dbPath: string, options: { readonly ms?: number } = {}): LockHolder {
  const scratch = mkdtempSync(join(tmpdir(), 'karpathy-lock-'));
  const mark = join(scratch, 'held');
  const child = spawn(process.execPath, ['-e', SCRIPT, dbPath, mark, String(options.ms ?? 'until told')], {
    cwd: PROJECT_DIR,
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const ended = once(child, 'exit');
  const beat = new Int32Array(new SharedArrayBuffer(4));
  for (let waited = 0; !existsSync(mark); waited += 5) {
    if (waited > 20_000) throw new Error('the process that should hold the lock does not get it');
    Atomics.wait(beat, 0, 0, 5);
  }
  return {
    async release() {
      child.stdin.end();
      await ended;
      rmSync(scratch, { recursive: true, force: true });
    },
  };
}
