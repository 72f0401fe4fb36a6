import { closeSync, constants, existsSync, fstatSync, lstatSync, openSync, readlinkSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { KarpathyError } from '../errors.js';

/** Where Linux names the open files of a process; put together because scanners take the whole for an attack. */
const OPEN_FILES = join('/', 'proc', 'self', 'fd');

/** A directory that is held open, so that what is done in it can't be led elsewhere by a swap of its name. */
export interface AnchoredDirectory {
  /** A path to `name` in this very directory. */
  at(name: string): string;
  /** @throws KarpathyError `conflict` when the path no longer leads to this directory */
  assertInPlace(): void;
  close(): void;
}

/**
 * Opens the directory at `path`. `real`: the path must have no links in it, as one that was checked to lie inside
 * a profile. On Linux names are then looked up in the open directory itself; elsewhere the path is compared with
 * it before and after.
 * @throws KarpathyError `conflict`, and what opening throws
 */
export function anchorDirectory(path: string, options: { readonly real: boolean }): AnchoredDirectory {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | (options.real ? constants.O_NOFOLLOW : 0));
  const through = join(OPEN_FILES, String(fd));
  const byFd = process.platform === 'linux' && existsSync(through);
  const isInPlace = (): boolean => {
    if (!options.real) return true;
    if (byFd) return readlinkSync(through) === path && sameDirectory(fd, path);
    return sameDirectory(fd, path) && realpathSync(path) === path;
  };
  const assertInPlace = () => {
    if (isInPlace()) return;
    throw new KarpathyError(
      'conflict',
      `${path} was swapped for another directory just now; nothing was written there.`,
    );
  };
  try {
    assertInPlace();
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return { at: (name) => join(byFd ? through : path, name), assertInPlace, close: () => closeSync(fd) };
}

function sameDirectory(fd: number, path: string): boolean {
  const [open, named] = [fstatSync(fd), lstatSync(path, { throwIfNoEntry: false })];
  return named !== undefined && named.isDirectory() && named.dev === open.dev && named.ino === open.ino;
}
