import { closeSync, fstatSync, lstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { faultCode } from '../errors.js';
import { spoolEventSchema, type SpoolEvent } from '../schemas.js';

const NEWLINE = 0x0a;
const CHUNK_BYTES = 1 << 20;

export interface SpoolFile {
  readonly name: string;
  readonly path: string;
  readonly inode: number;
  /** Bytes. */
  readonly size: number;
  /** Last write, milliseconds since the epoch. */
  readonly writtenAt: number;
}

/** A line that is no event: kept whole, with the reason. */
export interface MalformedLine {
  readonly offset: number;
  readonly line: string;
  readonly reason: string;
}

/** The complete lines between two offsets of a spool file. */
export interface SpoolChunk {
  readonly from: number;
  /** Where the next read starts: behind the last complete line. */
  readonly to: number;
  readonly events: readonly SpoolEvent[];
  readonly malformed: readonly MalformedLine[];
  /** Bytes of a last line without its newline, which may still be in writing. */
  readonly torn: number;
  /** More was there than one chunk holds. */
  readonly more: boolean;
}

/** The spool's files, oldest hour first; empty when there is no spool yet. */
export function listSpool(spoolDir: string): SpoolFile[] {
  let names: string[];
  try {
    names = readdirSync(spoolDir).filter((name) => name.endsWith('.ndjson'));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
  return names.sort().flatMap((name) => {
    const file = statSpoolFile(spoolDir, name);
    return file === null ? [] : [file];
  });
}

/** One file of the spool as it is now; null when it is gone or no regular file. */
export function statSpoolFile(spoolDir: string, name: string): SpoolFile | null {
  const path = join(spoolDir, name);
  // A link is not followed: what it leads to is not ours to take into the DB.
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined || !stat.isFile()) return null;
  return { name, path, inode: stat.ino, size: stat.size, writtenAt: Math.floor(stat.mtimeMs) };
}

function isMissing(error: unknown): boolean {
  return faultCode(error) === 'ENOENT';
}

/**
 * Reads complete lines from `offset`, about a mebibyte at a time (a longer line is read whole). With `takeTorn` a
 * last line without a newline is taken as malformed instead of waited for.
 */
export function readSpool(path: string, offset: number, options: { takeTorn?: boolean } = {}): SpoolChunk {
  const fd = openSync(path, 'r');
  try {
    const available = Math.max(0, fstatSync(fd).size - offset);
    let bytes: Buffer = Buffer.alloc(0);
    let end = -1;
    for (let want = CHUNK_BYTES; end === -1 && bytes.length < available; want *= 2) {
      bytes = readAt(fd, offset, Math.min(want, available));
      end = bytes.lastIndexOf(NEWLINE);
    }
    const rest = bytes.subarray(end + 1);
    const more = bytes.length < available;
    const lines = parseLines(bytes.subarray(0, end + 1), offset);
    const base = { from: offset, events: lines.events, more };
    if (options.takeTorn !== true || more || rest.length === 0) {
      return { ...base, to: offset + end + 1, malformed: lines.malformed, torn: more ? 0 : rest.length };
    }
    const torn = { offset: offset + end + 1, line: keepText(rest), reason: 'the line was never finished' };
    return { ...base, to: offset + bytes.length, malformed: [...lines.malformed, torn], torn: 0 };
  } finally {
    closeSync(fd);
  }
}

function readAt(fd: number, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const read = readSync(fd, bytes, filled, length - filled, offset + filled);
    if (read === 0) break;
    filled += read;
  }
  return bytes.subarray(0, filled);
}

function parseLines(bytes: Buffer, offset: number): { events: SpoolEvent[]; malformed: MalformedLine[] } {
  const events: SpoolEvent[] = [];
  const malformed: MalformedLine[] = [];
  for (let start = 0; start < bytes.length;) {
    const end = bytes.indexOf(NEWLINE, start);
    const line = bytes.subarray(start, end);
    const parsed = parseSpoolLine(line);
    if (typeof parsed === 'string') malformed.push({ offset: offset + start, line: keepText(line), reason: parsed });
    else events.push(parsed);
    start = end + 1;
  }
  return { events, malformed };
}

/** One line as an event, or why it is none. */
export function parseSpoolLine(line: Uint8Array): SpoolEvent | string {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(line));
  } catch (error) {
    return error instanceof SyntaxError ? 'not JSON' : 'not UTF-8';
  }
  const parsed = spoolEventSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue?.path.join('.') ?? '';
  return `not an event of this format: ${where === '' ? '' : `${where}: `}${issue?.message ?? 'invalid'}`;
}

/** Text stays as it is; bytes that are no UTF-8 are kept as `base64:...`. */
function keepText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return `base64:${Buffer.from(bytes).toString('base64')}`;
  }
}
