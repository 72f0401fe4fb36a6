import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
  type Stats,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { faultCode, KarpathyError, whyNotWritten } from '../errors.js';
import { anchorDirectory, type AnchoredDirectory } from './anchoredDirectory.js';
import { holdFile, type HeldFile } from './heldFile.js';

const MARK = '.karpathy-';

/** `.SOUL.md.karpathy-<random>`: hidden, beside the file, so that the rename stays within one file system. */
function temporaryName(name: string): string {
  return `.${name}${MARK}${randomBytes(6).toString('hex')}`;
}

export interface Replacement {
  /** Permission bits. */
  readonly mode: number;
  /**
   * For the target: `path` is its real path inside the profile, and the file must hold what hashes to this (or be
   * `absent`) up to the moment of the rename. What an editor saves in place in that instant, or by then has open, stands.
   */
  readonly expecting?: string;
}

/**
 * Puts `bytes` in the place of the file at `path`, all or nothing: temp file, fsync, rename, fsync of the directory,
 * read back. Of a file that is replaced, the group is kept, and of the target on Linux its access control list and
 * extended attributes.
 * @throws KarpathyError `io`; the file then holds either all of its old or all of its new bytes. `conflict` with
 *   nothing written when the file or its directory is another than expected
 */
export function replaceFile(path: string, bytes: Uint8Array, options: Replacement): void {
  let directory: AnchoredDirectory;
  try {
    directory = anchorDirectory(dirname(path), { real: options.expecting !== undefined });
  } catch (error) {
    throw ioError(path, error);
  }
  try {
    replaceIn(directory, { path, bytes, options });
  } finally {
    directory.close();
  }
}

interface Job {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly options: Replacement;
}

function replaceIn(directory: AnchoredDirectory, job: Job): void {
  const { path, bytes } = job;
  const file = directory.at(basename(path));
  const { held, placed } = swapIn(directory, job);
  try {
    try {
      syncDirectory(directory.at('.'));
    } catch (error) {
      throw ioError(path, error);
    }
    directory.assertInPlace();
    const late = held?.lateEdit() ?? null;
    const found = readOrNull(file);
    if (late !== null) {
      // Saved in place in the same instant, into the file that had just lost its name: theirs stands.
      if (found?.equals(bytes) === true)
        replaceIn(directory, { path, bytes: late.bytes, options: { mode: late.mode } });
      throw changedByOthers(path, 'their text stands');
    }
    if (found?.equals(bytes) === true) return;
    const now = lstatSync(file, { throwIfNoEntry: false });
    if (now?.ino !== placed.ino || now.mtimeMs !== placed.mtimeMs) throw changedByOthers(path, 'their text stands');
    throw new KarpathyError('io', `${path} does not read back as it was written.`, {
      hint: 'The disk or the file system is at fault; the prior bytes are in the snapshots directory.',
    });
  } finally {
    held?.close();
  }
}

/** Writes the bytes beside the file and renames them into its place, looking at the last moment at what is there. */
function swapIn(
  directory: AnchoredDirectory,
  { path, bytes, options }: Job,
): { readonly held: HeldFile | null; readonly placed: Stats } {
  const file = directory.at(basename(path));
  const name = temporaryName(basename(path));
  const temporary = directory.at(name);
  const like = options.expecting === undefined ? null : basename(path);
  let held: HeldFile | null = null;
  try {
    writeDurably(temporary, bytes, {
      mode: options.mode,
      like: file,
      keepAttributes: () => (like === null ? undefined : copyAttributes(directory.at('.'), { from: like, to: name })),
    });
    const placed = lstatSync(temporary);
    directory.assertInPlace();
    if (options.expecting !== undefined) {
      held = holdFile(file);
      if (held.sha256 !== options.expecting || !held.isInPlace()) throw changedByOthers(path, 'nothing was written');
    }
    renameSync(temporary, file);
    return { held, placed };
  } catch (error) {
    held?.close();
    rmSync(temporary, { force: true });
    throw ioError(path, error);
  }
}

function changedByOthers(path: string, soThat: string): KarpathyError {
  return new KarpathyError('conflict', `${path} was changed by somebody else just now; ${soThat}.`);
}

function readOrNull(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch {
    return null;
  }
}

interface NewFile {
  readonly mode: number;
  /** The file whose group it gets. */
  readonly like: string;
  readonly keepAttributes: () => void;
}

function writeDurably(path: string, bytes: Uint8Array, options: NewFile): void {
  const fd = openSync(path, 'wx', 0o600);
  try {
    options.keepAttributes();
    for (let written = 0; written < bytes.length;) written += writeSync(fd, bytes, written);
    keepGroup(fd, options.like);
    // After chown, which clears set-id bits.
    fchmodSync(fd, options.mode);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

const COPY_WITHIN_MS = 5000;

/**
 * Access control list and extended attributes, for which Node has no calls: GNU's `cp` copies them where it is there.
 * Without it, or where the file system has none, the file gets its mode and group and no more.
 */
function copyAttributes(directory: string, { from, to }: { from: string; to: string }): void {
  if (process.platform !== 'linux') return;
  // By names in a directory that is held open, as everything else.
  spawnSync('cp', ['--attributes-only', '--preserve=mode,xattr', '--', `./${from}`, `./${to}`], {
    cwd: directory,
    stdio: 'ignore',
    timeout: COPY_WITHIN_MS,
  });
}

function keepGroup(fd: number, like: string): void {
  const stats = lstatSync(like, { throwIfNoEntry: false });
  if (stats === undefined || process.getuid === undefined) return;
  try {
    fchownSync(fd, stats.uid, stats.gid);
  } catch {
    // Only a member of the group may give a file to it; the content matters more.
  }
}

/** Makes a rename survive a power cut. */
function syncDirectory(directory: string): void {
  const fd = openSync(directory, 'r');
  try {
    fsyncSync(fd);
  } catch (error) {
    // Some network file systems refuse to sync a directory; they sync it themselves.
    const code = faultCode(error);
    if (code !== 'EINVAL' && code !== 'ENOTSUP') throw error;
  } finally {
    closeSync(fd);
  }
}

/** Removes what writers that died left beside the file. Only while no other writer can be at work. */
export function removeLeftovers(path: string): void {
  const prefix = `.${basename(path)}${MARK}`;
  let names: string[];
  try {
    names = readdirSync(dirname(path));
  } catch {
    return;
  }
  for (const name of names) if (name.startsWith(prefix)) rmSync(join(dirname(path), name), { force: true });
}

/** A fault of the system as the error of the file that could not be written. */
export function ioError(path: string, error: unknown): KarpathyError {
  if (error instanceof KarpathyError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const why = whyNotWritten(error);
  const said = why === null ? message : `${dirname(path)} ${why} (${message})`;
  return new KarpathyError('io', `${path} cannot be written: ${said}.`, {
    cause: error,
    hint: 'Check the permissions of its directory and the space left, then run the command again.',
  });
}
