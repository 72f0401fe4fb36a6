import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync, realpathSync, type Stats } from 'node:fs';
import { basename, dirname, isAbsolute, join, normalize, sep } from 'node:path';
import { faultCode, fileFault, KarpathyError } from '../errors.js';
import { ABSENT, sha256 } from './digest.js';

/** Above this the host cuts the middle out of an instruction file (its default limit, in characters). */
export const HOST_LIMIT_CHARS = 20_000;
/** Nothing that large is an instruction file; it is not even read. */
const LIMIT_BYTES = 4_000_000;

/** The target as it is on disk now. */
export interface TargetFile {
  /** Real path, every link followed. */
  readonly path: string;
  readonly bytes: Buffer;
  readonly sha256: string;
  /** Permission bits. */
  readonly mode: number;
}

/** The target's content as text, with what must survive an edit of it. */
export interface TargetText {
  /** Without the BOM; line ends as they are. */
  readonly text: string;
  readonly bom: boolean;
  readonly lineEnd: '\n' | '\r\n' | 'mixed';
  readonly trailingNewline: boolean;
}

function refuse(what: string, problem: string, hint?: string): never {
  throw new KarpathyError('bad_target', `The target ${what} ${problem}.`, { hint });
}

/** Settings, keys, data and programs: an edited sentence would break them, and the proposer would be shown them. */
const NO_INSTRUCTIONS = /(^|[\\/])\.env[^\\/]*$|\.(ya?ml|json|toml|ini|db|sqlite3?|log|lock|key|pem|py|js|sh)$/i;

/** @throws KarpathyError `bad_target` for a path that is not a plain relative one, or not that of a text for the agent */
export function checkTargetPath(relpath: string): void {
  const shown = JSON.stringify(relpath);
  const allowed = 'Give a path inside the profile, for example SOUL.md.';
  if (relpath.trim() === '') refuse('path', 'is empty', allowed);
  if (relpath.includes('\0')) refuse(shown, 'has a NUL byte in its path', allowed);
  if (isAbsolute(relpath) || relpath.startsWith('~')) refuse(shown, 'is an absolute path', allowed);
  if (relpath.split(/[\\/]/).includes('..')) refuse(shown, 'leaves its directory by ".."', allowed);
  if (relpath !== normalize(relpath).replace(/[\\/]$/, '')) refuse(shown, 'is not in its shortest form', allowed);
  if (NO_INSTRUCTIONS.test(relpath)) refuse(shown, 'is no text of instructions, by its name', allowed);
}

function missing(shown: string, dangling: boolean): never {
  refuse(
    shown,
    dangling ? 'is a link to a file that does not exist' : 'does not exist',
    'Create it, or choose another target with `karpathy init`.',
  );
}

/**
 * The real path of the target, which must lie inside the profile's root with every link followed.
 * @throws KarpathyError `bad_target`
 */
export function resolveTarget(root: string, relpath: string): string {
  checkTargetPath(relpath);
  const written = join(root, relpath);
  const realRoot = realpathOr(root, () => refuse(written, 'has no profile directory'));
  const path = realpathOr(written, () => missing(written, isThere(written)));
  if (path !== realRoot && !path.startsWith(realRoot + sep)) {
    refuse(written, `leads outside the profile, to ${path}`, 'A target must lie inside its profile, links followed.');
  }
  return path;
}

/**
 * Where the target would be created, when it is absent: its directory must lie inside the profile's root.
 * @throws KarpathyError `bad_target`
 */
export function resolveAbsentTarget(root: string, relpath: string): string {
  checkTargetPath(relpath);
  const written = join(root, relpath);
  const realRoot = realpathOr(root, () => refuse(written, 'has no profile directory'));
  const directory = realpathOr(dirname(written), () => refuse(written, 'has no directory to lie in'));
  if (directory !== realRoot && !directory.startsWith(realRoot + sep)) {
    refuse(written, `leads outside the profile, to ${directory}`);
  }
  const path = join(directory, basename(written));
  if (lstatSync(path, { throwIfNoEntry: false }) !== undefined)
    refuse(path, 'is there, but is no file that can be read');
  return path;
}

/** Whether a name is there, wherever it leads. */
function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    // Below a file, or longer than any name.
    return false;
  }
}

function realpathOr(path: string, otherwise: () => never): string {
  try {
    return realpathSync(path);
  } catch (error) {
    const code = faultCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return otherwise();
    return refuse(path, fileFault(error));
  }
}

function checkKind(path: string, stats: Stats): void {
  const hint = 'A target is a regular file of your own.';
  if (stats.isDirectory()) refuse(path, 'is a directory', hint);
  if (stats.isFIFO()) refuse(path, 'is a named pipe (FIFO)', hint);
  if (stats.isSocket()) refuse(path, 'is a socket', hint);
  if (stats.isCharacterDevice() || stats.isBlockDevice()) refuse(path, 'is a device', hint);
  if (stats.isSymbolicLink()) refuse(path, 'was replaced by a link while it was being read', hint);
  if (!stats.isFile()) refuse(path, 'is not a regular file', hint);
  if (stats.nlink > 1) {
    refuse(path, `has ${stats.nlink} hard links`, 'Replacing it would part it from its other names. Make it a copy.');
  }
  const me = process.getuid?.();
  if (me !== undefined && stats.uid !== me) {
    refuse(path, `belongs to another user (uid ${stats.uid})`, 'Change its owner, or run as that user.');
  }
  if (stats.size > LIMIT_BYTES) refuse(path, `is far too large (${stats.size} bytes)`, hint);
}

/**
 * Reads the target after checking where it is and what it is; the content may be anything.
 * @throws KarpathyError `bad_target`, `io`
 */
export function readTarget(root: string, relpath: string): TargetFile {
  const path = resolveTarget(root, relpath);
  // Looked at before it is opened: opening a FIFO would wait for a writer.
  checkKind(path, lstatSync(path));
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    throw new KarpathyError('io', `The target ${path} cannot be read: ${String(error)}.`, { cause: error });
  }
  try {
    const stats = fstatSync(fd);
    checkKind(path, stats);
    const bytes = readFileSync(fd);
    return { path, bytes, sha256: sha256(bytes), mode: stats.mode & 0o7777 };
  } finally {
    closeSync(fd);
  }
}

/**
 * Reads the target as text, refusing what an edit by sentences cannot keep.
 * `maxChars`: the host's limit for this profile, in characters.
 * @throws KarpathyError `bad_target`, `io`
 */
export function readTargetText(
  root: string,
  relpath: string,
  options: { readonly maxChars?: number } = {},
): TargetFile & TargetText {
  const file = readTarget(root, relpath);
  return { ...file, ...decodeTarget(file.bytes, { path: file.path, ...options }) };
}

/** @throws KarpathyError `bad_target` when the bytes are empty, not UTF-8, binary, or longer than the host reads */
export function decodeTarget(
  bytes: Uint8Array,
  options: { readonly path: string; readonly maxChars?: number },
): TargetText {
  const { path, maxChars = HOST_LIMIT_CHARS } = options;
  if (bytes.includes(0)) refuse(path, 'is binary (it has NUL bytes)', 'A target is a text file in UTF-8.');
  let raw: string;
  try {
    raw = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    refuse(path, 'is not UTF-8', 'Convert it first, for example with iconv.');
  }
  const bom = raw.startsWith('\uFEFF');
  const text = bom ? raw.slice(1) : raw;
  if (text.trim() === '') refuse(path, 'is empty', 'Write what the profile should be first.');
  const chars = [...text].length;
  if (chars > maxChars) {
    refuse(path, `has ${chars} characters; the host reads ${maxChars} and cuts the middle out`, 'Shorten it first.');
  }
  const crlf = text.includes('\r\n');
  const lf = /(^|[^\r])\n/.test(text);
  return { text, bom, lineEnd: crlf ? (lf ? 'mixed' : '\r\n') : '\n', trailingNewline: /\n$/.test(text) };
}

/** The hash of whatever lies at a path: `absent` when nothing does, null when it is no readable regular file. */
export function hashAt(path: string): string | null {
  let fd: number | undefined;
  try {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return ABSENT;
    if (!stats.isFile()) return null;
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    return sha256(readFileSync(fd));
  } catch (error) {
    const code = faultCode(error);
    return code === 'ENOENT' || code === 'ENOTDIR' ? ABSENT : null;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
