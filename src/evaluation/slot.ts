import { createHash } from 'node:crypto';
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse, stringify } from 'yaml';
import { KarpathyError } from '../errors.js';
import type { ScenarioSpec, ToolPolicy } from '../schemas.js';
import type { HostFacts } from './hostFacts.js';
import { SLOT_GUARD_NAME, slotConfig, type SlotConfig } from './slotConfig.js';

/** Where one trial lives. The home's parent is called `profiles`, or the host would look for a sticky profile. */
export interface SlotPaths {
  readonly root: string;
  readonly home: string;
  readonly work: string;
  readonly userHome: string;
  /** TMPDIR: the host's file tools leave files there. */
  readonly temp: string;
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

/** Copied once per eval run, so that a skill or memory the live agent writes meanwhile reaches no trial. */
const FROZEN = ['skills', 'memories'] as const;

/** Caches that keep a start from fetching catalogues; an empty one would be fetched again. */
const CACHES = [
  { path: 'models_dev_cache.json', placeholder: '{"karpathy-slot":{}}' },
  { path: 'cache/openrouter_model_metadata.json', placeholder: '{"karpathy/slot":{"context_length":128000}}' },
  { path: 'context_length_cache.yaml', placeholder: null },
] as const;

/** With a placeholder the tools appear as they do in the live agent; their calls are answered, never made. */
const SIMULATED_TOOL_KEYS = [
  'BRAVE_SEARCH_API_KEY',
  'EXA_API_KEY',
  'FAL_KEY',
  'FIRECRAWL_API_KEY',
  'PARALLEL_API_KEY',
  'SEARXNG_URL',
  'TAVILY_API_KEY',
] as const;

export function slotPaths(
  source: Pick<SlotSource, 'slotsDir' | 'profileHome' | 'profileName'>,
  slot: number,
): SlotPaths {
  // Two profiles may be evaluated at the same time; a number alone would make them share a home.
  const key = createHash('sha256').update(source.profileHome).digest('hex').slice(0, 8);
  const root = join(source.slotsDir, `${key}-${slot}`);
  // Hermes takes `-p default` to be the root itself, and says in its prompt which of the two it runs in.
  const home = source.profileName === 'default' ? join(root, 'hermes') : join(root, 'profiles', source.profileName);
  return {
    root,
    home,
    work: join(root, 'work'),
    userHome: join(root, 'userhome'),
    temp: join(root, 'tmp'),
    record: join(root, 'record.ndjson'),
    stateDb: join(home, 'state.db'),
  };
}

/** Where the frozen copies of an eval run lie; they outlive an interruption so that a resumed run sees the same. */
export function frozenDir(source: Pick<SlotSource, 'slotsDir' | 'evalRunId'>): string {
  return join(source.slotsDir, 'frozen', String(source.evalRunId));
}

/** Copies skills and memories of the profile, once per eval run. */
export function freezeProfile(source: SlotSource): void {
  const frozen = frozenDir(source);
  const complete = join(frozen, '.complete');
  if (existsSync(complete)) return;
  rmSync(frozen, { recursive: true, force: true });
  mkdirSync(frozen, { recursive: true, mode: 0o700 });
  for (const name of FROZEN) {
    const from = join(source.profileHome, name);
    if (existsSync(from)) cpSync(from, join(frozen, name), { recursive: true, dereference: true });
  }
  writeFileSync(complete, '');
}

/** Reads the profile's config.yaml. @throws KarpathyError `bad_config` when it is not YAML */
export function readSlotConfig(profileHome: string): SlotConfig {
  const path = join(profileHome, 'config.yaml');
  if (!existsSync(path)) return slotConfig(null);
  try {
    return slotConfig(parse(readFileSync(path, 'utf8')));
  } catch (error) {
    throw new KarpathyError('bad_config', `The profile's ${path} can't be read as YAML.`, { cause: error });
  }
}

/** Lays a slot afresh and returns the variables that the trial's process needs for its model. */
export function laySlot(
  source: SlotSource,
  slot: number,
  trial: SlotTrial,
): { paths: SlotPaths; keys: Record<string, string> } {
  const paths = slotPaths(source, slot);
  rmSync(paths.root, { recursive: true, force: true });
  for (const dir of [paths.home, paths.work, paths.userHome, paths.temp])
    mkdirSync(dir, { recursive: true, mode: 0o700 });
  const frozen = frozenDir(source);
  for (const name of FROZEN) {
    if (existsSync(join(frozen, name))) cpSync(join(frozen, name), join(paths.home, name), { recursive: true });
  }
  const slotted = readSlotConfig(source.profileHome);
  writePrivate(join(paths.home, 'config.yaml'), stringify(slotted.config));
  cpSync(join(source.pluginDir, 'host', 'slot_guard'), join(paths.home, 'plugins', SLOT_GUARD_NAME), {
    recursive: true,
    filter: (path) => !path.endsWith('__pycache__'),
  });
  const keys = layCredentials(source, slotted, { home: paths.home, simulateTools: trial.policy === 'simulated' });
  layCaches(source, paths.home);
  layWork(paths, trial);
  return { paths, keys };
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

/** Only the model's key, from the profile's .env or the parent's environment. OAuth stores are linked: a copied
 * refresh token that rotates would log the live agent out. */
function layCredentials(
  source: SlotSource,
  slotted: SlotConfig,
  options: { home: string; simulateTools: boolean },
): Record<string, string> {
  const envPath = join(source.profileHome, '.env');
  const lines = existsSync(envPath) ? readFileSync(envPath, 'utf8').split(/\r?\n/) : [];
  const nameOf = (line: string): string | undefined => /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=/.exec(line)?.[1];
  const wanted = new Set([...slotted.keyNames, ...source.facts.keyEnv]);
  const kept = lines.filter((line) => wanted.has(nameOf(line) ?? ''));
  const present = new Set(lines.map(nameOf));
  if (options.simulateTools) {
    for (const name of SIMULATED_TOOL_KEYS) if (present.has(name)) kept.push(`${name}=simulated`);
  }
  writePrivate(join(options.home, '.env'), kept.length === 0 ? '' : `${kept.join('\n')}\n`);
  const written = new Set(kept.map(nameOf));
  const keys: Record<string, string> = {};
  for (const name of wanted) {
    const value = source.env[name];
    if (!written.has(name) && value !== undefined) keys[name] = value;
  }
  const byKey = [...written, ...Object.keys(keys)].some((name) => name?.endsWith('_KEY') && wanted.has(name));
  const oauth = source.facts.authType?.startsWith('oauth') ?? false;
  if (oauth || (!byKey && !slotted.provider.startsWith('custom'))) linkAuth(source, options.home);
  return keys;
}

function linkAuth(source: SlotSource, home: string): void {
  // A named profile without an auth.json of its own reads the root's.
  const parent = dirname(source.profileHome);
  const root = parent.endsWith('/profiles') ? dirname(parent) : source.profileHome;
  const owner = [source.profileHome, root].find((dir) => existsSync(join(dir, 'auth.json')));
  if (owner === undefined) return;
  symlinkSync(join(owner, 'auth.json'), join(home, 'auth.json'));
  const lock = join(owner, 'auth.lock');
  if (!existsSync(lock)) writeFileSync(lock, '', { mode: 0o600 });
  symlinkSync(lock, join(home, 'auth.lock'));
}

function layCaches(source: SlotSource, home: string): void {
  mkdirSync(join(home, 'cache'), { recursive: true });
  for (const cache of CACHES) {
    const from = join(source.profileHome, cache.path);
    // A copy has a fresh modification time, which is what the host goes by.
    if (existsSync(from)) copyFileSync(from, join(home, cache.path));
    else if (cache.placeholder !== null) writeFileSync(join(home, cache.path), cache.placeholder);
  }
  const now = Math.floor(Date.now() / 1000);
  writeFileSync(
    join(home, '.update_check'),
    JSON.stringify({ ts: now, behind: 0, rev: source.env.HERMES_REVISION ?? null, ver: source.facts.version }),
  );
  writeFileSync(join(home, '.tirith-install-failed'), 'download_failed');
}

function writePrivate(path: string, content: string | Uint8Array): void {
  writeFileSync(path, content, { mode: 0o600 });
}
