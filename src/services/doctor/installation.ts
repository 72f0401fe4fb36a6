import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import * as z from 'zod';
import { PLUGIN_NAME } from '../../hermes/paths.js';
import { listProfiles, pluginPresence } from '../../hermes/profiles.js';
import { listProfileSections } from '../../hermes/configYaml.js';
import type { Context } from '../context.js';
import { commandFor } from '../requireProfile.js';
import { findingsOf, type Finding } from './finding.js';

const { ok, warn, error } = findingsOf('installation');
const SETUP = 'Run `hermes karpathy setup`.';
const LEAST_NODE = [20, 19] as const;

const runtimeSchema = z.object({
  build: z.string(),
  dir: z.string(),
  node: z.string(),
  abi: z.string(),
  version: z.string(),
});
const buildSchema = z.object({ build: z.string(), version: z.string() });

export function installationFindings(ctx: Context): Finding[] {
  return [...nodeFindings(), ...runtimeFindings(ctx), ...presenceFindings(ctx), ...sectionFindings(ctx)];
}

function nodeFindings(): Finding[] {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const recent = major > LEAST_NODE[0] || (major === LEAST_NODE[0] && minor >= LEAST_NODE[1]);
  const what = `Node ${process.versions.node} (ABI ${process.versions.modules}) at ${process.execPath}`;
  return recent
    ? [ok(`${what}.`)]
    : [error(`${what} is too old; 20.19 is the least.`, 'Install a newer Node, then run `hermes karpathy setup`.')];
}

/** The build that runs is either the checkout, built in place, or the runtime that set-up made. */
function runtimeFindings(ctx: Context): Finding[] {
  const own = readJson(join(ctx.pluginDir, 'dist', 'build.json'), buildSchema);
  const current = readJson(join(ctx.paths.runtimeDir, 'current.json'), runtimeSchema);
  if (current === null) {
    return own === null
      ? [warn('No built runtime is recorded: this command runs from sources.', SETUP)]
      : [ok(`Version ${own.version}, build ${own.build}, built in place at ${ctx.pluginDir}.`)];
  }
  const findings: Finding[] = [];
  // Recorded by its full path; after the whole root was moved it lies under the same name here.
  const dirs = [current.dir, join(ctx.paths.runtimeDir, basename(current.dir))];
  if (!dirs.some((dir) => existsSync(join(dir, 'dist', 'worker.mjs'))))
    findings.push(error(`The runtime ${current.dir} is incomplete.`, SETUP));
  if (!existsSync(current.node)) findings.push(error(`The Node recorded at set-up, ${current.node}, is gone.`, SETUP));
  if (current.abi !== process.versions.modules) {
    findings.push(
      error(`The runtime was built for Node ABI ${current.abi}; this Node has ${process.versions.modules}.`, SETUP),
    );
  }
  if (own !== null && own.build !== current.build) {
    findings.push(
      warn(`The runtime is build ${current.build}; the plugin directory was built as ${own.build}.`, SETUP),
    );
  }
  return findings.length > 0
    ? findings
    : [ok(`Version ${current.version}, build ${current.build}, at ${current.dir}.`)];
}

function readJson<T>(path: string, schema: z.ZodType<T>): T | null {
  if (!existsSync(path)) return null;
  try {
    return schema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return null;
  }
}

function presenceFindings(ctx: Context): Finding[] {
  const { name, home } = ctx.profile;
  const here = pluginPresence(home);
  const install =
    name === 'default' ? `hermes plugins install … --enable` : `hermes karpathy install --profile ${name}`;
  const findings: Finding[] = [];
  if (!here.installed) {
    findings.push(
      warn(`The plugin is not installed in the profile ${name}: its sessions are not counted.`, `Run \`${install}\`.`),
    );
  } else if (!here.enabled) {
    findings.push(
      error(
        `The plugin is in ${join(home, 'plugins')} but not in plugins.enabled of the profile ${name}: its hooks don't run.`,
        `Run \`hermes${name === 'default' ? '' : ` -p ${name}`} plugins enable ${PLUGIN_NAME}\`, then restart running Hermes processes.`,
      ),
    );
  } else {
    findings.push(
      ok(
        `Installed and enabled in the profile ${name}${here.linkedTo === null ? '' : ` (a link to ${here.linkedTo})`}.`,
      ),
    );
  }
  return [...findings, ...otherProfiles(ctx)];
}

function otherProfiles(ctx: Context): Finding[] {
  const own = placeOf(ctx.profile.home);
  const others = listProfiles(ctx.paths.root).filter((profile) => profile.rootPath !== ctx.profile.rootPath);
  const found = others
    .map((profile) => ({ name: profile.name, place: placeOf(profile.home) }))
    .filter((o) => o.place !== null);
  const apart = found.filter((o) => own !== null && o.place !== own);
  const shared = found.filter((o) => !apart.includes(o)).map((o) => o.name);
  return [
    ...(shared.length > 0 ? [ok(`Other profiles with the plugin: ${shared.join(', ')}.`)] : []),
    ...apart.map((o) =>
      warn(
        `The profile ${o.name} has another copy of the plugin, at ${o.place ?? ''}; both write to the same controller DB.`,
        `Link it to this one: \`hermes karpathy install --profile ${o.name}\`.`,
      ),
    ),
  ];
}

function placeOf(home: string): string | null {
  try {
    return realpathSync(join(home, 'plugins', PLUGIN_NAME));
  } catch {
    return null;
  }
}

/** `profiles.<name>` in config.yaml for a profile that doesn't exist is most likely a misspelt name. */
function sectionFindings(ctx: Context): Finding[] {
  const known = new Set(listProfiles(ctx.paths.root).map((profile) => profile.name));
  return listProfileSections(ctx.paths.root)
    .filter((name) => !known.has(name))
    .map((name) =>
      warn(
        `config.yaml has settings for a profile ${name}, which does not exist.`,
        `Known profiles: ${[...known].join(', ')}. See \`${commandFor(ctx.profile.name)} config\`.`,
      ),
    );
}
