import { chmodSync, existsSync, statSync } from 'node:fs';
import type { Context } from '../context.js';
import { databaseHealth } from '../../store/health.js';
import { findingsOf, type Finding } from './finding.js';

const { ok, warn, error } = findingsOf('database');

export function databaseFindings(ctx: Context): Finding[] {
  const { dbPath, dataDir } = ctx.paths;
  return [
    ...healthFindings(ctx),
    ...modeFindings(dbPath, 0o600),
    ...(existsSync(dataDir) ? modeFindings(dataDir, 0o700) : []),
  ];
}

function healthFindings(ctx: Context): Finding[] {
  const { journalMode, problems } = databaseHealth(ctx.db);
  const findings: Finding[] = [];
  if (problems.length > 0) {
    findings.push(
      error(
        `The controller DB ${ctx.paths.dbPath} is damaged: ${problems.slice(0, 3).join('; ')}.`,
        `Stop everything that uses it and put a backup in its place. The prior bytes of every edit also lie in ${ctx.paths.snapshotsDir}.`,
      ),
    );
  }
  if (journalMode !== 'wal') {
    findings.push(
      warn(
        `The controller DB runs in journal mode "${journalMode}" instead of WAL: the file system doesn't grant it (NFS?).`,
        'Put it on a local disk with KARPATHY_DB_PATH or db_path; readers and writers wait for each other otherwise.',
      ),
    );
  }
  return findings.length > 0 ? findings : [ok(`Controller DB ${ctx.paths.dbPath}: intact, WAL.`)];
}

/** Others have no business there; what is too open is closed at once. */
function modeFindings(path: string, wanted: number): Finding[] {
  const mode = statSync(path).mode & 0o777;
  if ((mode & ~wanted) === 0) return [];
  chmodSync(path, wanted);
  return [warn(`${path} was open to others (mode ${mode.toString(8)}); it is ${wanted.toString(8)} now.`)];
}
