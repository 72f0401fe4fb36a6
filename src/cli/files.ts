import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { KarpathyError } from '../errors.js';
import type { CliIo } from './io.js';

function pathOf(io: CliIo, name: string): string {
  return resolve(io.cwd ?? process.cwd(), name);
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The text of a file a person named; `-` is standard input. @throws KarpathyError `bad_usage` */
export async function readInput(io: CliIo, name: string): Promise<string> {
  if (name === '-') {
    const chunks: Buffer[] = [];
    for await (const chunk of io.stdin) chunks.push(typeof chunk === 'string' ? Buffer.from(chunk) : chunk);
    return textOf(Buffer.concat(chunks), 'from standard input');
  }
  try {
    return textOf(readFileSync(pathOf(io, name)), name);
  } catch (error) {
    if (error instanceof KarpathyError) throw error;
    throw new KarpathyError('bad_usage', `The file ${name} can't be read: ${reasonOf(error)}.`, { cause: error });
  }
}

/** @throws KarpathyError `bad_usage` for what is no text in UTF-8 */
function textOf(bytes: Uint8Array, name: string): string {
  try {
    if (!bytes.includes(0)) return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    // Said below.
  }
  throw new KarpathyError('bad_usage', `The file ${name} is no text in UTF-8.`, {
    hint: 'Convert it first, for example with iconv, or name another file.',
  });
}

/** Writes a new file; one that is there is not replaced. Returns its path. @throws KarpathyError `bad_usage` */
export function writeOutput(io: CliIo, name: string, content: Uint8Array | string): string {
  const path = pathOf(io, name);
  try {
    writeFileSync(path, content, { flag: 'wx', mode: 0o600 });
    return path;
  } catch (error) {
    throw new KarpathyError('bad_usage', `The file ${name} can't be written: ${reasonOf(error)}.`, {
      hint: 'Name a file that does not exist yet.',
      cause: error,
    });
  }
}
