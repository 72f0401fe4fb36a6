import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { countRecord, mayCount, parseLogLine, type SessionLogCounts } from './agentLog.js';

/** Where reading a file stopped, and how that file is known again after a rotation. */
export interface FilePosition {
  readonly inode: number;
  readonly offset: number;
  /** `<bytes>:<sha256 of that many first bytes>`; inodes are used again. */
  readonly headFingerprint: string;
}

export interface FileRead extends FilePosition {
  readonly name: string;
  /** Where this read began. */
  readonly from: number;
}

export interface LogRead {
  /** Oldest first; the last one is what the host writes to. */
  readonly files: readonly FileRead[];
  readonly counts: ReadonlyMap<string, SessionLogCounts>;
  /** What could not be read, in words. */
  readonly problems: readonly string[];
}

const HEAD_BYTES = 1024;
/** The head of a file that is shorter might be that of another one. */
const DISTINCT_HEAD_BYTES = 24;
const CHUNK_BYTES = 1 << 18;
/** Of a longer line only the head is looked at: level, session and format stand there. */
const LINE_HEAD_BYTES = 8192;
const NEWLINE = 0x0a;

/**
 * Counts what was appended to `<home>/logs/agent.log` since the cursors: through rotations by renaming, by copying
 * and truncating, and without a second look at copies. A last line without its newline waits. errors.log is never
 * read: it repeats the warnings and errors of agent.log. Memory does not grow with the log.
 */
export function readAgentLog(home: string, cursors: readonly FilePosition[]): LogRead {
  const problems: string[] = [];
  const opened = openLogs(join(home, 'logs'), problems);
  try {
    const counts = new Map<string, SessionLogCounts>();
    const files: FileRead[] = [];
    for (const file of opened) {
      if (files.some(({ inode }) => inode === file.inode)) continue;
      const from = startOf(file, { cursors, opened, files });
      const offset = countLines(file, from, counts);
      const headFingerprint = fingerprint(file.fd, Math.min(offset, HEAD_BYTES));
      files.push({ name: file.name, inode: file.inode, from, offset, headFingerprint });
    }
    return { files, counts, problems };
  } finally {
    for (const { fd } of opened) closeSync(fd);
  }
}

// ── Files ─────────────────────────────────────────────────────────────────

interface OpenLog {
  readonly name: string;
  readonly fd: number;
  readonly inode: number;
  /** Bytes. */
  readonly size: number;
}

const GONE = new Set(['ENOENT', 'ENOTDIR']);

/** agent.log and what it was rotated to, oldest first; gzip is never used by the host. */
function openLogs(directory: string, problems: string[]): OpenLog[] {
  const age = (name: string) => Number(/\.(\d+)$/.exec(name)?.[1] ?? 0);
  const names = unlessGone(problems, () => readdirSync(directory)) ?? [];
  return names
    .filter((name) => /^agent\.log(\.\d+)?$/.test(name))
    .sort((a, b) => age(b) - age(a))
    .flatMap((name) => {
      const fd = unlessGone(problems, () => openSync(join(directory, name), 'r'));
      if (fd === null) return [];
      const stat = fstatSync(fd);
      if (stat.isFile()) return [{ name, fd, inode: stat.ino, size: stat.size }];
      closeSync(fd);
      return [];
    });
}

function unlessGone<T>(problems: string[], act: () => T): T | null {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    if (!GONE.has(String(error.code))) problems.push(error.message);
    return null;
  }
}

interface Known {
  readonly cursors: readonly FilePosition[];
  readonly opened: readonly OpenLog[];
  readonly files: readonly FileRead[];
}

/** Where the part of a file begins that was not counted yet. */
function startOf(file: OpenLog, { cursors, opened, files }: Known): number {
  const own = cursors.find(({ inode }) => inode === file.inode);
  if (own !== undefined && isSame(file, own)) return own.offset;
  if (files.some((read) => isCopyOf(file, read))) return file.size;
  const original = cursors.find((cursor) => isCopyOf(file, cursor));
  if (original === undefined) return 0;
  const there = opened.find(({ inode }) => inode === original.inode);
  // The file it was copied from is still there and is read itself; else it was truncated, and this goes on for it.
  return there !== undefined && isSame(there, original) ? file.size : Math.min(original.offset, file.size);
}

function isSame(file: OpenLog, cursor: FilePosition): boolean {
  return cursor.offset <= file.size && startsAs(file, cursor);
}

function isCopyOf(file: OpenLog, cursor: FilePosition): boolean {
  const length = Number.parseInt(cursor.headFingerprint, 10);
  return length >= DISTINCT_HEAD_BYTES && length <= file.size && startsAs(file, cursor);
}

function startsAs(file: OpenLog, { headFingerprint }: FilePosition): boolean {
  return fingerprint(file.fd, Number.parseInt(headFingerprint, 10)) === headFingerprint;
}

function fingerprint(fd: number, length: number): string {
  const head = Buffer.alloc(length);
  const read = readSync(fd, head, 0, length, 0);
  return `${length}:${createHash('sha256').update(head.subarray(0, read)).digest('hex')}`;
}

// ── Lines ─────────────────────────────────────────────────────────────────

/** Counts complete lines in constant memory; returns the offset behind the last one. */
function countLines(file: OpenLog, from: number, counts: Map<string, SessionLogCounts>): number {
  const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, Math.max(1, file.size - from)));
  // The head of a line that began in an earlier chunk.
  const head = Buffer.allocUnsafe(LINE_HEAD_BYTES);
  let headLength = 0;
  let done = from;
  for (let at = from; at < file.size;) {
    const read = readSync(file.fd, chunk, 0, Math.min(chunk.length, file.size - at), at);
    if (read === 0) break;
    const bytes = chunk.subarray(0, read);
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
      if (headLength === 0) countLine(bytes, { start, end, counts });
      else countLine(head, { start: 0, end: headLength + bytes.copy(head, headLength, start, end), counts });
      headLength = 0;
      start = end + 1;
      done = at + start;
    }
    headLength += bytes.copy(head, headLength, start);
    at += read;
  }
  return done;
}

function countLine(
  bytes: Buffer,
  { start, end, counts }: { start: number; end: number; counts: Map<string, SessionLogCounts> },
): void {
  if (!mayCount(bytes, start, end)) return;
  const text = bytes.toString('utf8', start, Math.min(end, start + LINE_HEAD_BYTES));
  const record = parseLogLine(text.endsWith('\r') ? text.slice(0, -1) : text);
  if (record !== null) countRecord(counts, record);
}
