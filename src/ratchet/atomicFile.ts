import { randomBytes } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
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
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { KarpathyError } from '../errors.js';
import { anchorDirectory, type AnchoredDirectory } from './anchoredDirectory.js';
import { hashAt } from './target.js';

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
   * `absent`) up to the moment of the rename.
   */
  readonly expecting?: string;
}

/**
 * Puts `bytes` in the place of the file at `path`, all or nothing: temp file, fsync, rename, fsync of the directory,
 * read back. The group of a file that is replaced is kept.
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

function replaceIn(
  directory: AnchoredDirectory,
  { path, bytes, options }: { path: string; bytes: Uint8Array; options: Replacement },
): void {
  const file = directory.at(basename(path));
  const temporary = directory.at(temporaryName(basename(path)));
  try {
    writeDurably(temporary, bytes, { mode: options.mode, like: file });
    directory.assertInPlace();
    if (options.expecting !== undefined && hashAt(file) !== options.expecting) {
      throw new KarpathyError('conflict', `${path} was changed by somebody else just now; nothing was written.`);
    }
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw ioError(path, error);
  }
  syncDirectory(directory.at('.'));
  directory.assertInPlace();
  if (!readFileSync(file).equals(bytes)) {
    throw new KarpathyError('io', `${path} does not read back as it was written.`, {
      hint: 'The disk or the file system is at fault; the prior bytes are in the snapshots directory.',
    });
  }
}

function writeDurably(path: string, bytes: Uint8Array, options: { mode: number; like: string }): void {
  const fd = openSync(path, 'wx', 0o600);
  try {
    for (let written = 0; written < bytes.length;) written += writeSync(fd, bytes, written);
    keepGroup(fd, options.like);
    // After chown, which clears set-id bits.
    fchmodSync(fd, options.mode);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
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
export function syncDirectory(directory: string): void {
  const fd = openSync(directory, 'r');
  try {
    fsyncSync(fd);
  } catch (error) {
    // Some network file systems refuse to sync a directory; they sync it themselves.
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code !== 'EINVAL' && code !== 'ENOTSUP') throw ioError(directory, error);
  } finally {
    closeSync(fd);
  }
}

/** @throws KarpathyError `io` when the file's directory does not allow a replacement */
export function checkReplaceable(path: string): void {
  try {
    accessSync(dirname(path), constants.W_OK | constants.X_OK);
  } catch (error) {
    throw ioError(path, error);
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

function ioError(path: string, error: unknown): KarpathyError {
  if (error instanceof KarpathyError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new KarpathyError('io', `${path} cannot be written: ${message}.`, {
    cause: error,
    hint: 'Check the permissions of its directory and the space left.',
  });
}
