import { chmodSync, existsSync, statSync } from 'node:fs';
import type { Context } from '../context.js';
import { commandFor } from '../requireProfile.js';
import { databaseHealth } from '../../store/health.js';
import { openFileOperations, reconciledFileOperations, type FileOperationRow } from '../../store/fileOperations.js';
import { findingsOf, type Finding } from './finding.js';

const { ok, warn, error } = findingsOf('database');

export function databaseFindings(ctx: Context): Finding[] {
  const { dbPath, dataDir } = ctx.paths;
  return [
    ...healthFindings(ctx),
    ...modeFindings(dbPath, 0o600),
    ...(existsSync(dataDir) ? modeFindings(dataDir, 0o700) : []),
    ...operationFindings(ctx),
  ];
}

const SHOWN = 3;
const ENDED: Readonly<Record<FileOperationRow['phase'], string>> = {
  intent: 'found it',
  done: 'finished it',
  cancelled: 'cancelled it, and the file is as it was',
  conflict: "found a person's edit and wrote nothing",
};

/** What interrupted operations came to. Every start ends them, so one that is open now could not be ended. */
function operationFindings(ctx: Context): Finding[] {
  const name = ({ kind, experimentId }: FileOperationRow) => `The ${kind} of experiment ${experimentId}`;
  return [
    ...openFileOperations(ctx.db).map((operation) =>
      error(
        `${name(operation)} was interrupted and cannot be ended: ${operation.path}.`,
        'Check that its directory is writable and has space left; the next command tries again.',
      ),
    ),
    ...reconciledFileOperations(ctx.db, SHOWN).map((operation) => {
      const when = new Date(operation.reconciledAt ?? 0).toISOString();
      return ok(`${name(operation)} was interrupted; a later start ${ENDED[operation.phase]} (${when}).`);
    }),
  ];
}

function healthFindings(ctx: Context): Finding[] {
  const { journalMode, problems } = databaseHealth(ctx.db);
  const findings: Finding[] = [];
  if (problems.length > 0) {
    findings.push(
      error(
        `The controller DB ${ctx.paths.dbPath} is damaged: ${problems.slice(0, 3).join('; ')}.`,
        `Put a backup in its place: \`${commandFor(ctx.profile.name)} restore FILE\`. The prior bytes of every edit also lie in ${ctx.paths.snapshotsDir}.`,
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
  return findings.length > 0
    ? findings
    : [ok(`Controller DB ${ctx.paths.dbPath}: intact, WAL; every state follows from its audit log.`)];
}

/** Others have no business there; what is too open is closed at once. */
function modeFindings(path: string, wanted: number): Finding[] {
  const mode = statSync(path).mode & 0o777;
  if ((mode & ~wanted) === 0) return [];
  chmodSync(path, wanted);
  return [warn(`${path} was open to others (mode ${mode.toString(8)}); it is ${wanted.toString(8)} now.`)];
}
