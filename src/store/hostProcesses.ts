import { readFileSync } from 'node:fs';
import { faultCode } from '../errors.js';
import type { Db } from './database.js';

/** A process of the host that loaded the plugin, as it said itself. */
export interface HostProcess {
  readonly pid: number;
  readonly home: string;
  /** When it loaded the plugin. */
  readonly startedAt: number;
  readonly buildId: string | null;
  readonly pluginVersion: string | null;
  readonly hostVersion: string | null;
  readonly argv: string | null;
}

const COLUMNS = `pid, home, started_at AS startedAt, build_id AS buildId, plugin_version AS pluginVersion,
  host_version AS hostVersion, argv`;

/** The version of the host as the newest process of a home said it; null = it said none, or there was no process. */
export function lastHostVersion(db: Db, home: string): string | null {
  const found = db
    .prepare('SELECT host_version FROM host_processes WHERE home = ? ORDER BY started_at DESC LIMIT 1')
    .pluck()
    .get(home) as string | null | undefined;
  return found ?? null;
}

/**
 * Host processes that seem to be running, by what each id said last, newest first. A hint only: an id may belong to
 * another container, or to a program that got it after the host's process ended. One row at a time: each session may
 * have left one.
 */
export function runningHosts(db: Db, seemsAlive: (process: HostProcess) => boolean = isHost): HostProcess[] {
  const latest = db
    .prepare(
      `SELECT ${COLUMNS} FROM host_processes AS h
       WHERE started_at = (SELECT max(started_at) FROM host_processes WHERE pid = h.pid)`,
    )
    .iterate() as IterableIterator<HostProcess>;
  const alive: HostProcess[] = [];
  for (const process of latest) if (seemsAlive(process)) alive.push(process);
  return alive.sort((a, b) => b.startedAt - a.startedAt);
}

function isHost({ pid }: HostProcess): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (faultCode(error) !== 'EPERM') return false;
  }
  try {
    return /hermes/i.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
  } catch {
    // No such file system (macOS), or not readable: the id alone has to do.
    return true;
  }
}
