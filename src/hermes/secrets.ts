import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { isSecret } from '../domain/secrets.js';

export interface SecretSources {
  /** Hermes homes: of the profile, and the root, whose .env and auth.json a profile falls back to. */
  readonly homes: readonly string[];
  readonly env: Readonly<NodeJS.ProcessEnv>;
  /** Variables that the configuration names as holding a key. */
  readonly keyEnv: readonly string[];
}

/**
 * Every secret value that this process could come across: of the environment, and of .env, config.yaml and auth.json
 * of the homes. Files that are not there or not readable hold none.
 */
export function findSecrets(sources: SecretSources): Set<string> {
  const found = new Set<string>();
  const look = (name: string, value: unknown) => {
    if (typeof value !== 'string') return;
    const trimmed = value.trim().replace(/^(bearer|basic|token)\s+/i, '');
    if (isSecret(name, trimmed)) found.add(trimmed);
    const password = /^[a-z][a-z0-9+.-]*:\/\/[^/\s@:]*:([^/\s@]{4,})@/i.exec(trimmed)?.[1];
    if (password !== undefined) found.add(password);
  };
  for (const [name, value] of Object.entries(sources.env)) look(sources.keyEnv.includes(name) ? 'key' : name, value);
  for (const home of sources.homes) {
    for (const [name, value] of dotEnv(read(join(home, '.env'))))
      look(sources.keyEnv.includes(name) ? 'key' : name, value);
    walk(parsed(read(join(home, 'config.yaml')), parse), '', look);
    walk(parsed(read(join(home, 'auth.json')), JSON.parse), '', look);
  }
  return found;
}

/** Names and values of a .env file; quotes and `export` are taken off. */
export function dotEnv(text: string): [string, string][] {
  return text.split(/\r?\n/).flatMap((line): [string, string][] => {
    const [, name, written = ''] = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)$/.exec(line) ?? [];
    if (name === undefined) return [];
    const quoted = /^(["'])(.*)\1\s*(?:#.*)?$/.exec(written.trim());
    return [[name, quoted?.[2] ?? written.trim().replace(/\s+#.*$/, '')]];
  });
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function parsed(text: string, parser: (text: string) => unknown): unknown {
  try {
    return parser(text);
  } catch {
    return null;
  }
}

/** A list is called what its mapping calls it; what lies below a secret name is secret as well. */
function walk(value: unknown, name: string, look: (name: string, value: unknown) => void): void {
  if (Array.isArray(value)) for (const item of value) walk(item, name, look);
  else if (value !== null && typeof value === 'object') {
    for (const [key, item] of Object.entries(value)) walk(item, key, look);
  } else look(name, value);
}
