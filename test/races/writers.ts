import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { PROJECT_DIR } from '../support/project.js';

const SCRIPT = join(PROJECT_DIR, 'test/integration/spool/many_events.py');

export interface Writing {
  readonly home: string;
  /** A directory for what the writers acknowledge. */
  readonly scratch: string;
  /** Events of one process. */
  readonly events: number;
  readonly name: string;
}

/** A Hermes process that takes turns through the real hooks, two events a turn, and ends. */
export async function writeEvents({ home, scratch, events, name }: Writing): Promise<void> {
  const child = spawn('python3', ['-B', SCRIPT, PROJECT_DIR, join(scratch, name), name, String(events)], {
    env: { PATH: process.env.PATH, HERMES_HOME: home },
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  child.stdin.end();
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`the writer ${name} ended with ${code}`);
}

/** Writers that come one after the other, spread over the time that is left. */
export async function writeInTurn(
  slices: readonly Writing[],
  during: { readonly from: number; readonly until: number },
): Promise<void> {
  for (const [index, slice] of slices.entries()) {
    const due = during.from + (index / slices.length) * (during.until - during.from);
    await delay(Math.max(0, due - Date.now()));
    await writeEvents(slice);
  }
}

export interface SpooledEvent {
  readonly id: string;
  readonly hook: string;
  readonly session_id: string;
}

/** What the hooks have written, as it lies in the files. */
export function spooled(spoolDir: string): SpooledEvent[] {
  return readdirSync(spoolDir)
    .flatMap((name) => readFileSync(join(spoolDir, name), 'utf8').split('\n').slice(0, -1))
    .map((line) => JSON.parse(line) as SpooledEvent)
    .filter(({ hook }) => hook !== 'process');
}
