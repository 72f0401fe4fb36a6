import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { SlotSource } from './slot.js';
import type { SlotConfig } from './slotConfig.js';

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

/** What the model of a trial is called with. */
export interface Credentials {
  /** Lines of the profile's .env with the model's key or endpoint. */
  readonly lines: readonly string[];
  /** The same of the parent's environment, where the .env has no such variable. */
  readonly keys: Readonly<Record<string, string>>;
  /** Names of all variables in the profile's .env. */
  readonly present: ReadonlySet<string>;
  /** Directory whose auth.json holds the login; null where a key is used, or nobody is logged in. */
  readonly login: string | null;
}

/** Looks for the model's key in the profile's .env and the parent's environment, else for a login (OAuth). */
export function findCredentials(
  source: Pick<SlotSource, 'profileHome' | 'env' | 'facts'>,
  slotted: Pick<SlotConfig, 'keyNames' | 'provider'>,
): Credentials {
  const envPath = join(source.profileHome, '.env');
  const written = existsSync(envPath) ? readFileSync(envPath, 'utf8').split(/\r?\n/) : [];
  const wanted = new Set([...slotted.keyNames, ...source.facts.keyEnv]);
  const lines = written.filter((line) => wanted.has(nameOf(line)));
  const taken = new Set(lines.map(nameOf));
  const keys: Record<string, string> = {};
  for (const name of wanted) {
    const value = source.env[name];
    if (!taken.has(name) && value !== undefined) keys[name] = value;
  }
  const byKey = [...taken, ...Object.keys(keys)].some((name) => name.endsWith('_KEY'));
  const oauth = source.facts.authType?.startsWith('oauth') ?? false;
  const byLogin = oauth || (!byKey && !slotted.provider.startsWith('custom'));
  return { lines, keys, present: new Set(written.map(nameOf)), login: byLogin ? loginOf(source.profileHome) : null };
}

function nameOf(line: string): string {
  return /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=/.exec(line)?.[1] ?? '';
}

/** A named profile without an auth.json of its own reads the root's. */
function loginOf(profileHome: string): string | null {
  const parent = dirname(profileHome);
  const root = parent.endsWith('/profiles') ? dirname(parent) : profileHome;
  return [profileHome, root].find((dir) => existsSync(join(dir, 'auth.json'))) ?? null;
}

/**
 * Lays them into the home of a slot; returns the variables that its process needs besides. Login stores are linked: a
 * copied refresh token that rotates would log the live agent out.
 */
export function layCredentials(
  { lines, keys, present, login }: Credentials,
  { home, simulateTools }: { home: string; simulateTools: boolean },
): Record<string, string> {
  const simulated = simulateTools ? SIMULATED_TOOL_KEYS.filter((name) => present.has(name)) : [];
  const all = [...lines, ...simulated.map((name) => `${name}=simulated`)];
  writeFileSync(join(home, '.env'), all.length === 0 ? '' : `${all.join('\n')}\n`, { mode: 0o600 });
  if (login !== null) {
    symlinkSync(join(login, 'auth.json'), join(home, 'auth.json'));
    const lock = join(login, 'auth.lock');
    if (!existsSync(lock)) writeFileSync(lock, '', { mode: 0o600 });
    symlinkSync(lock, join(home, 'auth.lock'));
  }
  return { ...keys };
}
