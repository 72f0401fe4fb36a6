import { readFileSync } from 'node:fs';
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

/** What each process id last said, newest first. */
export function latestHostProcesses(db: Db): HostProcess[] {
  return db
    .prepare(
      `SELECT ${COLUMNS} FROM host_processes AS p
       WHERE started_at = (SELECT max(started_at) FROM host_processes WHERE pid = p.pid)
       ORDER BY started_at DESC`,
    )
    .all() as HostProcess[];
}

/**
 * Host processes that seem to be running. A hint only: an id may belong to another container, or to a program that
 * got it after the host's process ended.
 */
export function runningHosts(db: Db, seemsAlive: (process: HostProcess) => boolean = isHost): HostProcess[] {
  return latestHostProcesses(db).filter(seemsAlive);
}

function isHost({ pid }: HostProcess): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false;
  }
  try {
    return /hermes/i.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
  } catch {
    // No such file system (macOS), or not readable: the id alone has to do.
    return true;
  }
}
