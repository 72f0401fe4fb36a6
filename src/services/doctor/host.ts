import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runnerInUse } from '../../evaluation/runnerInUse.js';
import { hermesVersion } from '../../hermes/hermesCommand.js';
import { pluginPresence } from '../../hermes/profiles.js';
import { runningHermes } from '../../hermes/processes.js';
import { runningHosts } from '../../store/hostProcesses.js';
import type { Context } from '../context.js';
import { findingsOf, type Finding } from './finding.js';

const { ok, warn, error } = findingsOf('host');
/** A process that started this recently may not have reported yet. */
const SETTLING_MS = 60_000;
/** The least version whose middleware lets a trial be contained. */
const LEAST = [0, 19] as const;

export async function hostFindings(ctx: Context): Promise<Finding[]> {
  return [...(await executableFindings(ctx)), ...processFindings(ctx)];
}

async function executableFindings(ctx: Context): Promise<Finding[]> {
  if (ctx.hermes === null) {
    return [
      error(
        'No Hermes executable was found: nothing can be evaluated.',
        "Put `hermes` on PATH, or set runner.hermes in the root's config.yaml to its path.",
      ),
    ];
  }
  const version = await hermesVersion(ctx.hermes, ctx.signal);
  const command = ctx.hermes.command.join(' ');
  if (version === null)
    return [error(`${command} does not say its version.`, 'Run it with --version and see what is wrong.')];
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < LEAST[0] || (major === LEAST[0] && minor < LEAST[1])) {
    return [error(`Hermes ${version} is too old for trials; 0.19 is the least.`, 'Update Hermes.')];
  }
  return [
    ok(`Hermes ${version}: ${command} (Python ${ctx.hermes.python}).`),
    runnerFinding(ctx),
    await containerFinding(ctx),
  ];
}

function runnerFinding(ctx: Context): Finding {
  const { name, why } = runnerInUse(ctx.config.config.runner.kind, process.platform);
  const text = `Trials run ${name}: ${why}.`;
  const asked = ctx.config.config.runner.kind;
  return asked === 'warm' && name === 'cold' ? warn(text, 'Set runner.kind to auto or cold.') : ok(text);
}

/** Only a suite that asks for contained tools needs one, and says so. */
async function containerFinding(ctx: Context): Promise<Finding> {
  const found = await ctx.findContainer();
  if (found.kind === null) {
    return ok(`\`tools: contained\` is not available: ${found.problem}.`, found.fix);
  }
  const as = found.isolation.asRoot ? 'as a user of its own, not as root' : 'in a user namespace';
  return ok(`\`tools: contained\` runs in bubblewrap ${found.version} (${found.program}), ${as}.`);
}

/** Hints: process ids say little across containers. */
function processFindings(ctx: Context): Finding[] {
  const reported = runningHosts(ctx.db);
  const current = currentBuild(ctx);
  const stale = reported.filter((p) => current !== null && p.buildId !== null && p.buildId !== current);
  const known = new Set(reported.map((p) => p.pid));
  const silent = pluginPresence(ctx.profile.home).enabled
    ? runningHermes().filter((p) => p.ageMs > SETTLING_MS && !known.has(p.pid))
    : [];
  return [
    ...stale.map((p) =>
      warn(
        `Process ${p.pid} (${p.argv ?? 'hermes'}) loaded build ${p.buildId ?? '?'} of the plugin; the current one is ${current ?? '?'}.`,
        'Restart it.',
      ),
    ),
    ...silent.map((p) =>
      warn(
        `Process ${p.pid} (${p.command}) seems to be a Hermes that started before the plugin: its sessions are not counted.`,
        'Restart it, if it belongs to one of your profiles.',
      ),
    ),
  ];
}

function currentBuild(ctx: Context): string | null {
  for (const file of [join(ctx.paths.runtimeDir, 'current.json'), join(ctx.pluginDir, 'dist', 'build.json')]) {
    if (!existsSync(file)) continue;
    const read: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof read === 'object' && read !== null && 'build' in read && typeof read.build === 'string')
      return read.build;
  }
  return null;
}
