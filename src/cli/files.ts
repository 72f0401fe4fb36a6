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
    return Buffer.concat(chunks).toString('utf8');
  }
  try {
    return readFileSync(pathOf(io, name), 'utf8');
  } catch (error) {
    throw new KarpathyError('bad_usage', `The file ${name} can't be read: ${reasonOf(error)}.`, { cause: error });
  }
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
