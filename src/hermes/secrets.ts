import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseDocument } from 'yaml';
import { isSecret, SHORTEST_SECRET } from '../domain/secrets.js';

export interface SecretSources {
  /** Hermes homes: of the profile, and the root, whose .env and auth.json a profile falls back to. */
  readonly homes: readonly string[];
  readonly env: Readonly<NodeJS.ProcessEnv>;
  /** Variables that the configuration names as holding a key. */
  readonly keyEnv: readonly string[];
}

/** Where the host keeps logins beside auth.json, by its own list of files that no tool may read. */
const LOGIN_STORES = [
  'auth.json',
  '.anthropic_oauth.json',
  'webhook_subscriptions.json',
  join('auth', 'google_oauth.json'),
  join('cache', 'bws_cache.json'),
];
const LOGIN_DIRECTORY = 'mcp-tokens';

type Look = (name: string, value: unknown) => void;

/**
 * Every secret value that this process could come across: of the environment, and of .env, config.yaml and the logins
 * of the homes. Files that are not there or not readable hold none; one that is malformed is read as far as it goes.
 */
export function findSecrets(sources: SecretSources): Set<string> {
  const found = new Set<string>();
  const look: Look = (given, value) => {
    const name = sources.keyEnv.includes(given) ? 'key' : given;
    for (const secret of secretsIn(name, value)) found.add(secret);
  };
  for (const [name, value] of Object.entries(sources.env)) look(name, value);
  for (const home of sources.homes) {
    for (const [name, value] of dotEnv(read(join(home, '.env')))) look(name, value);
    lookThrough(read(join(home, 'config.yaml')), look);
    for (const store of loginStores(home)) lookThrough(read(store), look);
  }
  return found;
}

function loginStores(home: string): string[] {
  return [...LOGIN_STORES, ...namesIn(join(home, LOGIN_DIRECTORY))].map((name) => join(home, name));
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).map((name) => join(LOGIN_DIRECTORY, name));
  } catch {
    return [];
  }
}

// ── One value ─────────────────────────────────────────────────────────────

const IN_URL = /[a-z][a-z0-9+.-]{0,20}:\/\/([^/\s@:"']*)(?::([^/\s@"']+))?@/gi;
const IN_QUERY = /[?&#]([\w.-]+)=([^&\s"'#]+)/g;

/** What of a value is secret: itself by its name, each of several keys in it, and what stands in a URL. */
function* secretsIn(name: string, value: unknown): Iterable<string> {
  if (typeof value !== 'string' && typeof value !== 'number') return;
  const whole = String(value)
    .trim()
    .replace(/^(bearer|basic|token)\s+/i, '');
  if (isSecret(name, whole)) yield whole;
  // A list of keys, or a key of many lines.
  for (const part of whole.split(/[,;\n]/).map((text) => text.trim())) {
    if (part !== whole && !part.startsWith('-----') && isSecret(name, part)) yield part;
  }
  for (const [, user = '', password] of whole.matchAll(IN_URL)) {
    if (password === undefined) {
      if (isSecret('', user)) yield user;
    } else if (password.length >= SHORTEST_PASSWORD) {
      yield* new Set([password, decoded(password)]);
    }
  }
  for (const [, key = '', text = ''] of whole.matchAll(IN_QUERY)) {
    if (isSecret(key, text)) yield* new Set([text, decoded(text)]);
  }
  if (whole.startsWith('{')) {
    const inner: string[] = [];
    lookThrough(whole, (key, text) => inner.push(...secretsIn(key, text)));
    yield* inner;
  }
}

/** In a URL it is known as one by its place. */
const SHORTEST_PASSWORD = SHORTEST_SECRET / 2;

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// ── Files ─────────────────────────────────────────────────────────────────

/**
 * Names and values of a .env file; quotes and `export` are taken off, and a quoted value may have several lines. What
 * the host would not understand is here as well: it may be a key that was pasted wrong.
 */
export function dotEnv(text: string): [string, string][] {
  const lines = text.split(/\r?\n/).flatMap((line): [string, string][] => {
    const [, name, written = ''] = /([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)$/.exec(line) ?? [];
    if (name === undefined) return [];
    const text = written.trim();
    const quoted = /^(["'])(.*)\1\s*(?:#.*)?$/.exec(text);
    return [[name, quoted?.[2] ?? text.replace(/\s+#.*$/, '').replace(/^["']/, '')]];
  });
  const several = [...text.matchAll(/^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(["'])([^"']*\n[^"']*)\2/gm)];
  const found = [...lines, ...several.map(([, name = '', , value = '']): [string, string] => [name, value])];
  return found.flatMap(([name, value]): [string, string][] => {
    const plain = value.replaceAll(/\\(["'\\n])/g, (_, char: string) => (char === 'n' ? '\n' : char));
    return plain === value
      ? [[name, value]]
      : [
          [name, value],
          [name, plain],
        ];
  });
}

function read(path: string): string {
  try {
    // A named pipe would wait for its writer, a device has no end.
    return statSync(path).isFile() ? readFileSync(path, 'utf8') : '';
  } catch {
    return '';
  }
}

/** `name: value` and `name = value`, however what is around them reads. */
const PAIR = /["']?([A-Za-z_][\w.-]*)["']?\s*[:=]\s*("[^"\n]*"?|'[^'\n]*'?|[^\s,{}\]]+)/g;

/** YAML or JSON. Of a file that is broken, all that looks like a pair: the host reads none of it, and yet it may hold keys. */
function lookThrough(text: string, look: Look): void {
  const document = parseDocument(text, { version: '1.1', uniqueKeys: false, logLevel: 'silent' });
  try {
    walk(document.toJS(), '', look);
    if (document.errors.length === 0) return;
  } catch {
    // An alias without its anchor, for example.
  }
  for (const [, name = '', value = ''] of text.matchAll(PAIR)) look(name, value.replaceAll(/^["'*&!]|["']$/g, ''));
}

/** An item of a list is called what its mapping calls the list, or what the option before it says: `--token`, `abc`. */
function walk(value: unknown, name: string, look: Look): void {
  if (Array.isArray(value)) {
    value.forEach((item: unknown, index) => {
      const before: unknown = value[index - 1];
      walk(item, typeof before === 'string' && /^--?[A-Za-z]/.test(before) ? before : name, look);
    });
  } else if (value !== null && typeof value === 'object') {
    for (const [key, item] of Object.entries(value)) walk(item, key, look);
  } else {
    look(name, value);
    const [, option, text] = typeof value === 'string' ? (/^--?([A-Za-z][\w-]*)=(.*)$/s.exec(value) ?? []) : [];
    if (option !== undefined) look(option, text);
  }
}
