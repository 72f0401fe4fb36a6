import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
} from 'node:fs';
import type { Stats } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import Database from 'better-sqlite3';

/** Everything below a directory: by path, the kind, permissions, owner and bytes. */
export type Tree = ReadonlyMap<string, string>;

/** A file that was written anew with the same bytes is another one; git rewrites its index when it looks at files. */
const MAY_BE_REWRITTEN = /(^|\/)\.git(\/|$)/;

export function treeOf(place: string): Tree {
  const found = new Map<string, string>();
  const visit = (path: string): void => {
    const stats = lstatSync(path);
    const name = relative(place, path);
    const inode = MAY_BE_REWRITTEN.test(name) || !stats.isFile() ? '' : ` inode ${stats.ino}`;
    found.set(
      name,
      `${kindOf(stats)} ${(stats.mode & 0o7777).toString(8)} ${stats.uid} ${contentOf(path, stats)}${inode}`,
    );
    if (stats.isDirectory()) for (const entry of readdirSync(path)) visit(join(path, entry));
  };
  visit(place);
  return found;
}

function kindOf(stats: Stats): string {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'link';
  if (stats.isFIFO()) return 'FIFO';
  return stats.isSocket() ? 'socket' : 'device';
}

function contentOf(path: string, stats: Stats): string {
  if (stats.isSymbolicLink()) return readlinkSync(path);
  return stats.isFile() ? createHash('sha256').update(readFileSync(path)).digest('hex') : '';
}

/** What is another after than before, one line each; empty when nothing is. */
export function differences(before: Tree, after: Tree, except: (path: string) => boolean = () => false): string[] {
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((path) => before.get(path) !== after.get(path) && !except(path))
    .map((path) => `${path}: ${before.get(path) ?? 'absent'} -> ${after.get(path) ?? 'gone'}`);
}

/** Brings `place` to what `template` is and `wanted` lists, touching only what differs: most cases leave little behind. */
export function mend(place: string, template: string, wanted: Tree): void {
  const found = existsSync(place) ? withoutInodes(treeOf(place)) : new Map<string, string>();
  for (const [path, is] of found)
    if (wanted.get(path) !== is) rmSync(join(place, path), { recursive: true, force: true });
  for (const path of wanted.keys()) {
    const from = join(template, path);
    const to = join(place, path);
    if (lstatSync(to, { throwIfNoEntry: false }) !== undefined) continue;
    const stats = lstatSync(from);
    if (stats.isDirectory()) mkdirSync(to, { mode: stats.mode & 0o7777 });
    else copyFileSync(from, to);
  }
}

/** The same for a copy. */
export function withoutInodes(tree: Tree): Tree {
  return new Map([...tree].map(([path, found]) => [path, found.replace(/ inode \d+$/, '')]));
}

/** The rows of every table of a DB file, read from a copy, so that reading it changes nothing. */
export function tablesOf(path: string): ReadonlyMap<string, string> {
  const directory = mkdtempSync(join(tmpdir(), 'karpathy-dump-'));
  try {
    for (const suffix of ['', '-wal']) {
      if (existsSync(path + suffix)) copyFileSync(path + suffix, join(directory, `copy${suffix}`));
    }
    const db = new Database(join(directory, 'copy'));
    try {
      const names = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").pluck().all();
      return new Map(
        (names as string[]).map((name) => [name, JSON.stringify(db.prepare(`SELECT * FROM "${name}"`).raw().all())]),
      );
    } finally {
      db.close();
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
