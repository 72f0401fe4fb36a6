import { accessSync, constants, statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { KarpathyError, whyNotWritten, type Problem } from '../errors.js';

/** Something that is about to be written. */
export interface Need {
  /** In a person's words: "a copy of the prior text". */
  readonly what: string;
  /** The file or directory; what is missing of its path will be made. */
  readonly path: string;
  /** At most. */
  readonly bytes: number;
}

/** Directory entries and the like. */
const SLACK_BYTES = 64 * 1024;
/** A file system that has room, but no numbers left for new files. */
const LEAST_FILES = 16;

/**
 * Looks before anything is written whether all of it can be: every place writable, and enough room on each file
 * system for everything that goes there. A quota is not seen here; the write itself then says so.
 * @throws KarpathyError `io` with each place, what it lacks and the way out
 */
export function requireRoom(needs: readonly Need[]): void {
  const places = needs.map((need) => ({ ...need, directory: nearestDirectory(need.path) }));
  const problems = places.flatMap(({ path, what, directory }) => {
    const reason = whyNotWritable(path, directory);
    return reason === null ? [] : [{ path: directory, message: `${reason}, and ${what} would be written there` }];
  });
  if (problems.length > 0) throw noRoom(problems, 'Make it writable for this user, then run the command again.');
  const full = [...byFileSystem(places).values()].flatMap(lackOf);
  if (full.length > 0) throw noRoom(full, 'Free some space there, then run the command again.');
}

function noRoom(problems: readonly Problem[], hint: string): KarpathyError {
  const said = problems.map(({ path, message }) => `${path} ${message}`).join('; ');
  return new KarpathyError('io', `Nothing was changed: ${said}.`, { hint, problems });
}

function nearestDirectory(path: string): string {
  for (let at = path; ; at = dirname(at)) {
    if (isDirectory(at) || at === dirname(at)) return at;
  }
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false; // not there, or behind one that may not be entered
  }
}

function whyNotWritable(path: string, directory: string): string | null {
  try {
    accessSync(directory, constants.W_OK | constants.X_OK);
    return null;
  } catch (error) {
    return whyNotWritten(error) ?? `is not there for ${path}`;
  }
}

type Place = Need & { readonly directory: string };

function byFileSystem(places: readonly Place[]): Map<number, Place[]> {
  const found = new Map<number, Place[]>();
  for (const place of places) {
    const { dev } = statSync(place.directory);
    found.set(dev, [...(found.get(dev) ?? []), place]);
  }
  return found;
}

/** What the file system of these places is short of. One that counts no blocks is not judged. */
function lackOf(places: readonly Place[]): Problem[] {
  const [{ directory } = { directory: '' }] = places;
  const wanted = places.reduce((sum, { bytes }) => sum + bytes, SLACK_BYTES);
  const { bsize, blocks, bfree, bavail, files, ffree } = statfsSync(directory);
  const left = (process.getuid?.() === 0 ? bfree : bavail) * bsize;
  const why = `for ${[...new Set(places.map(({ what }) => what))].join(', ')}`;
  if (blocks > 0 && left < wanted) {
    return [{ path: directory, message: `has ${shown(left)} left, and about ${shown(wanted)} are needed ${why}` }];
  }
  if (files > 0 && ffree < LEAST_FILES) {
    return [{ path: directory, message: `is on a file system with ${ffree} file numbers (inodes) left, ${why}` }];
  }
  return [];
}

function shown(bytes: number): string {
  return bytes < 1_000_000 ? `${Math.ceil(bytes / 1000)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
