import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
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

function backlogBytes(ctx: Context): number {
  const { spoolDir } = ctx.paths;
  if (!existsSync(spoolDir)) return 0;
  return readdirSync(spoolDir)
    .filter((name) => name.endsWith('.ndjson'))
    .reduce((sum, name) => {
      const size = statSync(join(spoolDir, name), { throwIfNoEntry: false })?.size ?? 0;
      return sum + Math.max(0, size - (spoolCursor(ctx.db, name)?.offset ?? 0));
    }, 0);
}
