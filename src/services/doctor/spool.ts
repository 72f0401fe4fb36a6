import { existsSync, readdirSync } from 'node:fs';
import { listSpool } from '../../metrics/spoolReader.js';
import { countQuarantine, listQuarantine, spoolCursor } from '../../store/spool.js';
import type { Context } from '../context.js';
import { commandFor } from '../requireProfile.js';
import { findingsOf, type Finding } from './finding.js';

const { ok, warn } = findingsOf('spool');
/** What a busy machine writes in some hours; more means that nothing ingests. */
const LARGE_BACKLOG_BYTES = 5_000_000;

export function spoolFindings(ctx: Context): Finding[] {
  const backlog = backlogBytes(ctx);
  const quarantined = countQuarantine(ctx.db);
  const findings: Finding[] = [];
  if (quarantined > 0) {
    const [last] = listQuarantine(ctx.db, 1);
    findings.push(
      warn(
        `${quarantined} lines of the event spool could not be read and were set aside, the last because: ${last?.reason ?? 'unknown'}.`,
        'They are kept in the controller DB, table spool_quarantine; sessions may be missing from a count.',
      ),
    );
  }
  const strange = noSpoolFiles(ctx);
  if (strange.length > 0) {
    findings.push(
      warn(
        `In ${ctx.paths.spoolDir} there are names of the event spool that are no files of it: ${strange.slice(0, 5).join(', ')}.`,
        'They are not read. Remove them.',
      ),
    );
  }
  findings.push(
    backlog > LARGE_BACKLOG_BYTES
      ? warn(
          `${(backlog / 1e6).toFixed(1)} MB of events wait to be counted.`,
          `Run \`${commandFor(ctx.profile.name)} tick\`.`,
        )
      : ok(
          `Event spool: ${backlog === 0 ? 'everything is counted' : `${Math.ceil(backlog / 1000)} kB wait to be counted`}.`,
        ),
  );
  return findings;
}

/** Directories, pipes and links that are called like files of the spool. */
function noSpoolFiles(ctx: Context): string[] {
  const { spoolDir } = ctx.paths;
  const files = new Set(listSpool(spoolDir).map(({ name }) => name));
  if (!existsSync(spoolDir)) return [];
  return readdirSync(spoolDir).filter((name) => name.endsWith('.ndjson') && !files.has(name));
}

function backlogBytes(ctx: Context): number {
  return listSpool(ctx.paths.spoolDir).reduce(
    (sum, { name, size }) => sum + Math.max(0, size - (spoolCursor(ctx.db, name)?.offset ?? 0)),
    0,
  );
}
