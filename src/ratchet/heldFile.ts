import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from 'node:fs';
import { sha256 } from './digest.js';
import { hashAt } from './target.js';

/**
 * What lies at a path, held open while it is replaced: an editor that saves in place may have it open, too, and what
 * it writes goes into this very file, wherever its name has gone.
 */
export interface HeldFile {
  /** Of the content when it was opened; `absent` when there was nothing, null for what is no readable regular file. */
  readonly sha256: string | null;
  /** Whether the path still leads to it. */
  isInPlace(): boolean;
  /** What somebody wrote into it since; null when nobody did. Waits for a moment of silence. */
  lateEdit(): LateEdit | null;
  close(): void;
}

export interface LateEdit {
  readonly bytes: Buffer;
  /** Permission bits. */
  readonly mode: number;
}

const SILENCE_MS = 30;
const LONGEST_WAIT_MS = 1000;

export function holdFile(path: string): HeldFile {
  const fd = openRegular(path);
  if (fd === null) {
    const found = hashAt(path);
    return { sha256: found, isInPlace: () => hashAt(path) === found, lateEdit: () => null, close: () => undefined };
  }
  const before = sha256(contentOf(fd));
  return {
    sha256: before,
    isInPlace() {
      const [held, named] = [fstatSync(fd), lstatSync(path, { throwIfNoEntry: false })];
      return named !== undefined && named.ino === held.ino && named.dev === held.dev;
    },
    lateEdit() {
      let bytes = contentOf(fd);
      if (sha256(bytes) === before) return null;
      // An editor empties the file first and writes then.
      for (let waited = 0; waited < LONGEST_WAIT_MS; waited += SILENCE_MS) {
        pause(SILENCE_MS);
        const now = contentOf(fd);
        if (now.equals(bytes) && now.length > 0) break;
        bytes = now;
      }
      return { bytes, mode: fstatSync(fd).mode & 0o7777 };
    },
    close: () => closeSync(fd),
  };
}

function openRegular(path: string): number | null {
  if (lstatSync(path, { throwIfNoEntry: false })?.isFile() !== true) return null;
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return null;
  }
}

function contentOf(fd: number): Buffer {
  const bytes = Buffer.alloc(fstatSync(fd).size);
  let read = 0;
  for (let got = -1; got !== 0 && read < bytes.length; read += got) {
    got = readSync(fd, bytes, read, bytes.length - read, read);
  }
  return bytes.subarray(0, read);
}

/** Without a turn of the event loop: the write lock of the controller DB is held. */
function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
