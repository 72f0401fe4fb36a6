import { lstatSync, readFileSync, statSync, type Stats } from 'node:fs';
import { fileFault } from '../errors.js';

/** Nothing that a person writes is that long; what has no end, like a device, is not even begun. */
export const LONGEST_TEXT_BYTES = 16_000_000;

/** A file's text, or why it is none, as it follows the file's name. */
export type TextFile =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unreadable' | 'no text'; readonly problem: string };

/** Reads a file that should be text in UTF-8; its byte order mark stays. Never waits, as a named pipe would make it. */
export function readTextFile(path: string): TextFile {
  try {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return { kind: 'absent' };
    const problem = kindProblem(path, stats);
    if (problem !== null) return { kind: 'unreadable', problem };
    return decodeText(readFileSync(path));
  } catch (error) {
    return { kind: 'unreadable', problem: fileFault(error) };
  }
}

/** What a shell opens for a command, as in `<(command)`, is a pipe behind a link, and has a writer. */
function kindProblem(path: string, stats: Stats): string | null {
  if (stats.isDirectory()) return 'is a directory';
  if (stats.isSocket()) return 'is a socket';
  if (stats.isCharacterDevice() || stats.isBlockDevice()) return 'is a device';
  if (lstatSync(path).isFIFO()) return 'is a named pipe (FIFO)';
  return stats.size > LONGEST_TEXT_BYTES ? tooLarge(stats.size) : null;
}

export function tooLarge(bytes: number): string {
  return `is far too large (${bytes} bytes; at most ${LONGEST_TEXT_BYTES})`;
}

export function decodeText(bytes: Uint8Array): TextFile {
  try {
    if (!bytes.includes(0)) {
      return { kind: 'text', text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) };
    }
  } catch {
    // Said below.
  }
  return { kind: 'no text', problem: 'is no text in UTF-8' };
}
