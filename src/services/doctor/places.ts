import { realpathSync } from 'node:fs';
import { basename, sep } from 'node:path';
import { listProfiles, pluginPresence } from '../../hermes/profiles.js';
import { listProfilePlaces } from '../../store/profileMoves.js';
import type { Context } from '../context.js';
import { lostFix, lostProfiles, lostText } from '../lostProfiles.js';
import { findingsOf, type Finding } from './finding.js';

const { warn } = findingsOf('installation');

/** Whether what is recorded about profiles still lies where the records say. */
export function placeFindings(ctx: Context): Finding[] {
  return [
    ...lostProfiles(ctx).map((lost) => warn(lostText(lost), lostFix(lost))),
    ...withoutPlugin(ctx),
    ...hostBackup(ctx),
  ];
}

/** The host's backup keeps no links, and `profile create` makes none. */
function withoutPlugin(ctx: Context): Finding[] {
  const setUp = new Set(listProfilePlaces(ctx.db).flatMap((place) => (place.enabled ? [place.rootPath] : [])));
  return listProfiles(ctx.paths.root)
    .filter(({ rootPath }) => setUp.has(rootPath) && rootPath !== ctx.profile.rootPath)
    .filter(({ home }) => !pluginPresence(home).installed)
    .map(({ name }) =>
      warn(
        `The profile ${name} is set up, but the plugin is not installed there: its sessions are not counted.`,
        `Run \`hermes karpathy install ${name}\`. Hermes' own backup leaves out links, so this follows an import.`,
      ),
    );
}

/** What `hermes backup` takes: files under the root, and a database as a whole only when it is called so. */
function hostBackup(ctx: Context): Finding[] {
  const { dbPath, root } = ctx.paths;
  const inside = realpathSync(dbPath).startsWith(realpathSync(root) + sep);
  if (inside && basename(dbPath).endsWith('.db')) return [];
  return [
    warn(
      `\`hermes backup\` does not bring ${dbPath} along: ${inside ? 'its name does not end in .db' : 'it lies outside the Hermes root'}.`,
      'Copy it with `hermes karpathy backup FILE`, or change db_path.',
    ),
  ];
}
