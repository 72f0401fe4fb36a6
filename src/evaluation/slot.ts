import { createHash } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import type { ScenarioSpec, ToolPolicy } from '../schemas.js';
import type { HostFacts } from './hostFacts.js';
import { findCredentials, layCredentials } from './slotCredentials.js';
import { CACHES, copyTemplate, restoreTemplate, type Laid, type SlotTemplate } from './slotTemplate.js';

/** Where one trial lives. The home's parent is called `profiles`, or the host would look for a sticky profile. */
export interface SlotPaths {
  readonly root: string;
  readonly home: string;
  readonly work: string;
  readonly userHome: string;
  /** TMPDIR: the host's file tools leave files there. */
  readonly temp: string;
  /** What a container has for shared memory. */
  readonly shared: string;
  readonly record: string;
  readonly stateDb: string;
}

export interface SlotSource {
  readonly slotsDir: string;
  readonly pluginDir: string;
  readonly profileHome: string;
  readonly profileName: string;
  readonly evalRunId: number;
  readonly facts: HostFacts;
  /** Variables of the parent's environment; only the model's key is taken from it. */
  readonly env: Readonly<NodeJS.ProcessEnv>;
}

/** What is laid for one trial. */
export interface SlotTrial {
  readonly targetRelpath: string;
  readonly targetContent: Uint8Array;
  readonly spec: ScenarioSpec;
  readonly policy: ToolPolicy;
  readonly realToolsets: readonly string[];
  readonly tokenLimit: number | null;
}

/** Two profiles may be evaluated at the same time; a number alone would make them share a home. */
export function slotKey(profileHome: string): string {
  return createHash('sha256').update(profileHome).digest('hex').slice(0, 8);
}

export function slotPaths(
  source: Pick<SlotSource, 'slotsDir' | 'profileHome' | 'profileName'>,
  slot: number,
): SlotPaths {
  const root = join(source.slotsDir, `${slotKey(source.profileHome)}-${slot}`);
  // Hermes takes `-p default` to be the root itself, and says in its prompt which of the two it runs in.
  const home = source.profileName === 'default' ? join(root, 'hermes') : join(root, 'profiles', source.profileName);
  return {
    root,
    home,
    work: join(root, 'work'),
    userHome: join(root, 'userhome'),
    temp: join(root, 'tmp'),
    shared: join(root, 'shm'),
    record: join(root, 'record.ndjson'),
    stateDb: join(home, 'state.db'),
  };
}

export interface LaidHome {
  readonly paths: SlotPaths;
  /** Variables that the trial's process needs for its model. */
  readonly keys: Record<string, string>;
  /** Hand it over when the slot is laid again: then only what has changed is copied. */
  readonly laid: Laid;
}

/** Removes all slots of the profile; only who holds them may do that. */
export function wipeSlots({ slotsDir, profileHome }: Pick<SlotSource, 'slotsDir' | 'profileHome'>): void {
  for (const name of readdirSync(slotsDir)) {
    if (!name.startsWith(`${slotKey(profileHome)}-`)) continue;
    rmSync(join(slotsDir, name), { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Lays a slot for one trial: the template, and what this trial adds to it. Nothing of an earlier trial is left. */
export function laySlot(
  { source, template }: { source: SlotSource; template: SlotTemplate },
  slot: number,
  { trial, laid }: { trial: SlotTrial; laid?: Laid },
): LaidHome {
  const paths = slotPaths(source, slot);
  const home = layTemplate(template, paths, laid);
  for (const dir of [paths.work, paths.userHome, paths.temp, paths.shared])
    mkdirSync(dir, { recursive: true, mode: 0o700 });
  const options = { home: paths.home, simulateTools: trial.policy !== 'real' };
  const keys = layCredentials(findCredentials(source, template.config), options);
  layMarkers(source, paths.home);
  layWork(paths, trial);
  return { paths, keys, laid: home };
}

function layTemplate(template: SlotTemplate, paths: SlotPaths, laid: Laid | undefined): Laid {
  if (laid !== undefined) {
    try {
      if (clearAround(paths)) return restoreTemplate(template, paths.home, laid);
    } catch {
      // Whatever a trial did to its slot, it can be laid from nothing.
    }
  }
  rmSync(paths.root, { recursive: true, force: true });
  mkdirSync(paths.home, { recursive: true, mode: 0o700 });
  return copyTemplate(template, paths.home);
}

/** Empties the slot but for its home; false when the home isn't the directory that was made. */
function clearAround({ root, home }: SlotPaths): boolean {
  const steps = relative(root, home).split(sep);
  for (let dir = root, index = 0; ; index += 1) {
    if (!lstatSync(dir).isDirectory()) return false;
    const next = steps[index];
    if (next === undefined) return true;
    for (const name of readdirSync(dir)) {
      if (name !== next) rmSync(join(dir, name), { recursive: true, force: true });
    }
    dir = join(dir, next);
  }
}

function layWork(paths: SlotPaths, trial: SlotTrial): void {
  const target = join(paths.home, trial.targetRelpath);
  mkdirSync(dirname(target), { recursive: true });
  writePrivate(target, trial.targetContent);
  for (const [relative, content] of Object.entries(trial.spec.files ?? {})) {
    const file = join(paths.work, relative);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
  writePrivate(
    join(paths.home, 'karpathy-trial.json'),
    JSON.stringify({
      policy: trial.policy,
      work_dir: paths.work,
      record: paths.record,
      state_db: paths.stateDb,
      token_limit: trial.tokenLimit,
      tool_results: trial.spec.tool_results ?? {},
      answers: trial.spec.answers ?? [],
      real_toolsets: trial.realToolsets,
    }),
  );
}

/** What the host goes by when it decides whether to ask somebody: the age of its caches, and when it last asked. */
function layMarkers(source: SlotSource, home: string): void {
  const now = Math.floor(Date.now() / 1000);
  for (const { path } of CACHES) if (existsSync(join(home, path))) utimesSync(join(home, path), now, now);
  writeFileSync(
    join(home, '.update_check'),
    JSON.stringify({ ts: now, behind: 0, rev: source.env.HERMES_REVISION ?? null, ver: source.facts.version }),
  );
  writeFileSync(join(home, '.tirith-install-failed'), 'download_failed');
}

function writePrivate(path: string, content: string | Uint8Array): void {
  writeFileSync(path, content, { mode: 0o600 });
}
