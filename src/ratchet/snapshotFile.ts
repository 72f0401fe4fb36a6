import { chmodSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { ioError, replaceFile } from './atomicFile.js';
import { sha256 } from './digest.js';

/**
 * Writes the bytes as a plain file, mode 0600, so that `cp` brings them back with everything else gone.
 * Returns its path, `<directory>/<experiment>-<kind>-<first 12 of the hash><extension of the target>`.
 * @throws KarpathyError `io`
 */
export function writeSnapshotFile(
  directory: string,
  snapshot: {
    readonly experimentId: number;
    readonly kind: 'prior' | 'applied' | 'person';
    readonly targetRelpath: string;
    readonly bytes: Uint8Array;
  },
): string {
  const name = `${snapshot.experimentId}-${snapshot.kind}-${sha256(snapshot.bytes).slice(0, 12)}`;
  const path = join(directory, name + extname(snapshot.targetRelpath));
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    if (existsSync(path) && readFileSync(path).equals(snapshot.bytes)) {
      chmodSync(path, 0o600);
      return path;
    }
  } catch (error) {
    throw ioError(path, error);
  }
  replaceFile(path, snapshot.bytes, { mode: 0o600 });
  return path;
}
