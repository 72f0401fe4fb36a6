import {
  constants,
  copyFileSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { SlotSource } from './slot.js';
import { readSlotConfig, SLOT_GUARD_NAME, type SlotConfig } from './slotConfig.js';

/** What every trial of an eval run starts from, as it was when the run began. */
export interface SlotTemplate {
  /** A home without what differs from trial to trial. Only read from. */
  readonly home: string;
  readonly config: SlotConfig;
}

/**
 * Of the profile, so that what the live agent writes meanwhile reaches no trial. The snapshot is the host's own index
 * of the skills, which is good for as long as their times are the same.
 */
const FROZEN = ['skills', 'memories', '.skills_prompt_snapshot.json', '.no-bundled-skills'] as const;

/** Caches that keep a start from fetching catalogues; an empty one would be fetched again. */
export const CACHES = [
  { path: 'models_dev_cache.json', placeholder: '{"karpathy-slot":{}}' },
  { path: 'cache/openrouter_model_metadata.json', placeholder: '{"karpathy/slot":{"context_length":128000}}' },
  { path: 'context_length_cache.yaml', placeholder: null },
] as const;

/** Shares the blocks where the file system can; either way a write to the copy reaches nothing else. */
const COPY = { recursive: true, preserveTimestamps: true, mode: constants.COPYFILE_FICLONE } as const;

/** Where the frozen copies of eval runs lie, each named by its run. */
export function frozenRuns(slotsDir: string): string {
  return join(slotsDir, 'frozen');
}

/** Where the frozen copy of an eval run lies; it outlives an interruption so that a resumed run sees the same. */
export function frozenDir(source: Pick<SlotSource, 'slotsDir' | 'evalRunId'>): string {
  return join(frozenRuns(source.slotsDir), String(source.evalRunId));
}

/**
 * The template of an eval run: made from the profile by the first who asks, taken as it is by a resumed run.
 * @throws KarpathyError `bad_config` when the profile's config.yaml is not YAML
 */
export function slotTemplate(source: SlotSource): SlotTemplate {
  const dir = frozenDir(source);
  const home = join(dir, 'home');
  // There as a whole, and last, so that a copy that was broken off anywhere is made again.
  const settings = join(dir, 'settings.json');
  if (existsSync(settings)) return { home, config: JSON.parse(readFileSync(settings, 'utf8')) as SlotConfig };
  const config = readSlotConfig(source.profileHome);
  rmSync(dir, { recursive: true, force: true });
  try {
    makeTemplate(source, { home, config });
    writeFileSync(`${settings}.part`, JSON.stringify(config), { mode: 0o600 });
    renameSync(`${settings}.part`, settings);
  } catch (error) {
    rmSync(dir, { recursive: true, force: true });
    throw error;
  }
  return { home, config };
}

function makeTemplate(source: SlotSource, { home, config }: SlotTemplate): void {
  mkdirSync(join(home, 'cache'), { recursive: true, mode: 0o700 });
  for (const name of FROZEN) freeze(join(source.profileHome, name), join(home, name));
  // The host brings its own skills up to date at a start, which the profile's last start has done.
  if (existsSync(join(home, 'skills', '.bundled_manifest'))) writeFileSync(join(home, '.no-bundled-skills'), '');
  for (const { path, placeholder } of CACHES) {
    const from = join(source.profileHome, path);
    if (existsSync(from)) copyFileSync(from, join(home, path), constants.COPYFILE_FICLONE);
    else if (placeholder !== null) writeFileSync(join(home, path), placeholder);
  }
  writeFileSync(join(home, 'config.yaml'), stringify(config.config), { mode: 0o600 });
  cpSync(join(source.pluginDir, 'host', 'slot_guard'), join(home, 'plugins', SLOT_GUARD_NAME), {
    ...COPY,
    filter: (path) => !path.endsWith('__pycache__'),
  });
}

/** Links are followed, for what they lead to may change; what is neither file nor directory stays behind. */
function freeze(from: string, to: string): void {
  if (!existsSync(from)) return;
  cpSync(from, to, {
    ...COPY,
    dereference: true,
    filter: (path) => {
      const found = statSync(path, { throwIfNoEntry: false });
      return found !== undefined && (found.isFile() || found.isDirectory());
    },
  });
}

/** How each file and directory of a slot stood when it was laid, by its path below the home. */
export type Laid = ReadonlyMap<string, string>;

/** Copies the template into a home that is empty. */
export function copyTemplate(template: SlotTemplate, home: string): Laid {
  for (const name of readdirSync(template.home)) cpSync(join(template.home, name), join(home, name), COPY);
  return stampsOf(template.home, home);
}

/**
 * Brings a home back to the template, whatever a trial did in it: copies only what is not as it was laid, and removes
 * all else. A change of content, owner or mode changes a file's ctime, which no program can set.
 */
export function restoreTemplate(template: SlotTemplate, home: string, laid: Laid): Laid {
  restoreDirectory({ from: template.home, to: home, laid, path: '' });
  return stampsOf(template.home, home);
}

function restoreDirectory(at: { from: string; to: string; laid: Laid; path: string }): void {
  const wanted = new Map(readdirSync(at.from, { withFileTypes: true }).map((entry) => [entry.name, entry]));
  for (const entry of readdirSync(at.to, { withFileTypes: true })) {
    const same = wanted.get(entry.name);
    const kept = same !== undefined && stampOf(join(at.to, entry.name)) === at.laid.get(join(at.path, entry.name));
    if (!kept) rmSync(join(at.to, entry.name), { recursive: true, force: true });
  }
  for (const [name, entry] of wanted) {
    const next = { from: join(at.from, name), to: join(at.to, name), laid: at.laid, path: join(at.path, name) };
    if (!existsSync(next.to)) cpSync(next.from, next.to, COPY);
    else if (entry.isDirectory()) restoreDirectory(next);
  }
}

function stampsOf(template: string, home: string): Laid {
  const paths = readdirSync(template, { recursive: true }) as string[];
  return new Map(paths.map((path) => [path, stampOf(join(home, path))]));
}

/** Of a directory what is in it is looked at by itself, so only that it is the same one. */
function stampOf(path: string): string {
  const found = lstatSync(path, { bigint: true });
  if (found.isDirectory()) return `directory ${found.ino} ${found.mode}`;
  return `${found.ino} ${found.mode} ${found.size} ${found.ctimeNs}`;
}
