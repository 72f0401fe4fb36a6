import { databaseFindings } from './doctor/database.js';
import { hostFindings } from './doctor/host.js';
import { installationFindings } from './doctor/installation.js';
import { modelFindings } from './doctor/models.js';
import { placeFindings } from './doctor/places.js';
import { spoolFindings } from './doctor/spool.js';
import { budgetFindings, suiteFindings } from './doctor/suite.js';
import { targetFindings } from './doctor/target.js';
import type { DoctorCheck, Finding } from './doctor/finding.js';
import type { Context } from './context.js';
import { toKarpathyError } from '../errors.js';

export type { Finding } from './doctor/finding.js';

export interface DoctorOptions {
  /** Call no model; a call costs a few tokens. */
  readonly skipModels?: boolean;
}

const CHECKS: readonly { readonly area: Finding['area']; readonly check: DoctorCheck }[] = [
  { area: 'installation', check: installationFindings },
  { area: 'host', check: hostFindings },
  { area: 'database', check: databaseFindings },
  { area: 'installation', check: placeFindings },
  { area: 'target', check: targetFindings },
  { area: 'models', check: modelFindings },
  { area: 'suite', check: suiteFindings },
  { area: 'budget', check: budgetFindings },
  { area: 'spool', check: spoolFindings },
];

/**
 * Looks at everything an evaluation depends on and says what to do about each finding. Works before `init` too.
 * Changes nothing but the permissions of the plugin's own DB and data directory. Never throws: a check that fails is
 * itself a finding.
 */
export async function doctor(ctx: Context, options: DoctorOptions = {}): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { area, check } of CHECKS) {
    try {
      findings.push(...(await check(ctx, { skipModels: options.skipModels === true })));
    } catch (error) {
      const { message, hint, problems } = toKarpathyError(error);
      const details = problems.map((p) => ` ${p.path}: ${p.message}.`).join('');
      findings.push({
        level: 'error',
        area,
        message: `${message}${details}`,
        ...(hint === undefined ? {} : { fix: hint }),
      });
    }
  }
  // They repeat what other programs say.
  return findings.map((finding) => ctx.scrub.deep(finding));
}
