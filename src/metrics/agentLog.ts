import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';

/** What a line of agent.log that begins a record says; the rest of a record belongs to the line before it. */
export interface LogRecord {
  readonly level: string;
  /** The session it belongs to; null = said outside any session, as the host does while it starts. */
  readonly sessionId: string | null;
  readonly logger: string;
  readonly message: string;
}

/** `2026-08-14 21:15:04,977 WARNING [20260814_211500_a1b2c3] agent.tool_executor: ...` */
const RECORD =
  /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (DEBUG|INFO|WARNING|ERROR|CRITICAL)(?: \[([^\]\s]+)\])? ([\w.<>-]+): (.*)$/s;

/** The host names the session in the message of a turn's end as well; the tag of a reused thread may be an old one. */
const TURN_END = / session=(\S+)(?: last_tool=\S*)?$/;

/** One line as the record it begins; null for a continuation, such as a line of a traceback, or anything else. */
export function parseLogLine(line: string): LogRecord | null {
  const [, level, tag, logger, message] = RECORD.exec(line) ?? [];
  if (level === undefined || logger === undefined || message === undefined) return null;
  const named = logger === 'agent.turn_finalizer' ? TURN_END.exec(message.trimEnd())?.[1] : undefined;
  return { level, sessionId: named ?? tag ?? null, logger, message };
}

/** What is counted of a session. A retry is a warning as well. */
export interface SessionLogCounts {
  errors: number;
  warnings: number;
  retries: number;
}

const RETRY = /^Retrying API call in /;

/** Counts a record under its session; records without one are the host's own business. */
export function countRecord(counts: Map<string, SessionLogCounts>, record: LogRecord): void {
  const isError = record.level === 'ERROR' || record.level === 'CRITICAL';
  if (record.sessionId === null || (!isError && record.level !== 'WARNING')) return;
  const of = counts.get(record.sessionId) ?? { errors: 0, warnings: 0, retries: 0 };
  counts.set(record.sessionId, of);
  if (isError) of.errors++;
  else of.warnings++;
  if (RETRY.test(record.message)) of.retries++;
}

// ── Files ─────────────────────────────────────────────────────────────────

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
  readonly files: readonly FileRead[];
  readonly counts: ReadonlyMap<string, SessionLogCounts>;
}

const HEAD_BYTES = 1024;
const CHUNK_BYTES = 1 << 18;
/** Of a longer line only the head is looked at: level, session and format stand there. */
const LINE_HEAD_BYTES = 8192;
const NEWLINE = 0x0a;

/** agent.log and what it was rotated to, oldest first; gzip is never used by the host. */
function logFiles(directory: string): string[] {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return [];
    throw error;
  }
  const age = (name: string) => Number(/\.(\d+)$/.exec(name)?.[1] ?? 0);
  return names.filter((name) => /^agent\.log(\.\d+)?$/.test(name)).sort((a, b) => age(b) - age(a));
}

/**
 * Counts what was appended to `<home>/logs/agent.log` since the cursors, through rotations. A last line without its
 * newline waits. errors.log is never read: it repeats the warnings and errors of agent.log.
 */
export function readAgentLog(home: string, cursors: readonly FilePosition[]): LogRead {
  const directory = join(home, 'logs');
  const counts = new Map<string, SessionLogCounts>();
  const files: FileRead[] = [];
  for (const name of logFiles(directory)) {
    const read = readFile(join(directory, name), { cursors, counts, seen: files });
    if (read !== null) files.push({ name, ...read });
  }
  return { files, counts };
}

interface Reading {
  readonly cursors: readonly FilePosition[];
  readonly counts: Map<string, SessionLogCounts>;
  readonly seen: readonly FileRead[];
}

/** Null when the file is gone, or was read under another name a moment ago. */
function readFile(path: string, { cursors, counts, seen }: Reading): Omit<FileRead, 'name'> | null {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile() || seen.some((file) => file.inode === stat.ino)) return null;
    const cursor = cursors.find((one) => one.inode === stat.ino);
    const known = cursor !== undefined && cursor.offset <= stat.size && fingerprintMatches(fd, cursor);
    const from = known ? cursor.offset : 0;
    const to = eachLine(fd, { from, size: stat.size }, (line) => {
      const record = parseLogLine(line);
      if (record !== null) countRecord(counts, record);
    });
    return { inode: stat.ino, from, offset: to, headFingerprint: fingerprint(fd, Math.min(to, HEAD_BYTES)) };
  } finally {
    closeSync(fd);
  }
}

function fingerprint(fd: number, length: number): string {
  const head = Buffer.alloc(length);
  const read = readSync(fd, head, 0, length, 0);
  return `${length}:${createHash('sha256').update(head.subarray(0, read)).digest('hex')}`;
}

function fingerprintMatches(fd: number, cursor: FilePosition): boolean {
  const length = Number.parseInt(cursor.headFingerprint, 10);
  return fingerprint(fd, length) === cursor.headFingerprint;
}

/** Visits complete lines in constant memory; returns the offset behind the last one. */
function eachLine(fd: number, span: { from: number; size: number }, visit: (line: string) => void): number {
  const chunk = Buffer.alloc(CHUNK_BYTES);
  let head = Buffer.alloc(0);
  let done = span.from;
  for (let at = span.from; at < span.size;) {
    const read = readSync(fd, chunk, 0, Math.min(CHUNK_BYTES, span.size - at), at);
    if (read === 0) break;
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1 && end < read; end = chunk.indexOf(NEWLINE, start)) {
      visit(lineText(appended(head, chunk.subarray(start, end))));
      head = Buffer.alloc(0);
      start = end + 1;
      done = at + start;
      if (start >= read) break;
    }
    head = appended(head, chunk.subarray(start, read));
    at += read;
  }
  return done;
}

function appended(head: Buffer, more: Buffer): Buffer<ArrayBuffer> {
  return Buffer.concat([head, more.subarray(0, Math.max(0, LINE_HEAD_BYTES - head.length))]);
}

function lineText(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  return text.endsWith('\r') ? text.slice(0, -1) : text;
}
