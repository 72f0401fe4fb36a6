import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import Database from 'better-sqlite3';

/** Secrets by name, each of them in one place only, so that a leak says where it came from. */
export type Canaries = Readonly<Record<string, string>>;

/** Put together at run time: scanners look for keys in sources. Quotes and signs make every form another one. */
export function canary(name: string): string {
  return ['cnry', name, `7f3"Qa+/9Zk1Lm5Xw8`].join('-');
}

/** Where a canary was found. */
export interface Leak {
  readonly name: string;
  readonly path: string;
}

/** How a text travels. Written down here again, so that a form which the product forgets is found. */
function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  // Of Base64 the middle, wherever in the text around it the secret begins.
  const encoded = [0, 1, 2].map((before) =>
    Buffer.concat([Buffer.alloc(before), bytes])
      .toString('base64')
      .slice(4, -4),
  );
  return [
    secret,
    JSON.stringify(secret).slice(1, -1),
    JSON.stringify(JSON.stringify(secret)).slice(3, -3),
    encodeURIComponent(secret),
    ...encoded,
    ...encoded.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
  ];
}

const searched = new Map<string, readonly string[]>();

/** All forms, and the first and the last three quarters. */
function searchedFor(secret: string): readonly string[] {
  const known = searched.get(secret);
  if (known !== undefined) return known;
  const most = Math.ceil(secret.length * 0.75);
  const forms = [...new Set([...formsOf(secret), secret.slice(0, most), secret.slice(-most)])];
  searched.set(secret, forms);
  return forms;
}

/** The names of the canaries that a text holds in any form, or of which it holds the first or last three quarters. */
export function canariesIn(text: string, canaries: Canaries): string[] {
  return Object.entries(canaries).flatMap(([name, secret]) =>
    searchedFor(secret).some((form) => text.includes(form)) ? [name] : [],
  );
}

/**
 * Looks through everything below a path: names, bytes, what is packed, and each value of a database. What links lead
 * to is somewhere else.
 */
export function canariesInFiles(path: string, canaries: Canaries): Leak[] {
  const named = canariesIn(path, canaries).map((name) => ({ name, path }));
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return named;
  if (found.isDirectory()) {
    return [...named, ...readdirSync(path).flatMap((name) => canariesInFiles(join(path, name), canaries))];
  }
  if (!found.isFile()) return named;
  const bytes = readFileSync(path);
  const texts = [bytes.toString('latin1'), ...unpacked(bytes), ...valuesOf(path, bytes)];
  const names = new Set(texts.flatMap((text) => canariesIn(text, canaries)));
  return [...named, ...[...names].map((name) => ({ name, path }))];
}

function unpacked(bytes: Buffer): string[] {
  return bytes.subarray(0, 2).toString('hex') === '1f8b' ? [gunzipSync(bytes).toString('latin1')] : [];
}

/** A value may lie in pieces on pages of its own: then only a query sees it whole. */
function valuesOf(path: string, bytes: Buffer): string[] {
  if (!bytes.subarray(0, 15).equals(Buffer.from('SQLite format 3'))) return [];
  const db = new Database(path, { readonly: true });
  try {
    const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").pluck().all() as string[];
    return tables.map((table) =>
      db
        .prepare(`SELECT * FROM "${table}"`)
        .raw()
        .all()
        .flat()
        .map((value) => (Buffer.isBuffer(value) ? value.toString('utf8') : String(value)))
        .join('\n'),
    );
  } finally {
    db.close();
  }
}

/** Of every process there is now, what its arguments say; nothing on systems without /proc. */
export function runningCommands(): string[] {
  if (!existsSync(join('/proc', '1', 'cmdline'))) return [];
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      return [readFileSync(join('/proc', name, 'cmdline'), 'utf8').replaceAll('\0', ' ')];
    } catch {
      return [];
    }
  });
}

/** Whether others than its owner could read a file below `root`: by its own mode, and that of every directory above. */
export function isOpen(path: string, root: string): boolean {
  for (let at = path; at.startsWith(root); at = dirname(at)) {
    const found = lstatSync(at, { throwIfNoEntry: false });
    if (found === undefined || (found.mode & 0o077) === 0) return false;
  }
  return true;
}
