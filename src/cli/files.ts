import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { faultCode, fileFault, KarpathyError } from '../errors.js';
import { decodeText, LONGEST_TEXT_BYTES, readTextFile, tooLarge, type TextFile } from '../hermes/textFile.js';
import type { CliIo } from './io.js';

function pathOf(io: CliIo, name: string): string {
  return resolve(io.cwd ?? process.cwd(), name);
}

/** The text of a file a person named; `-` is standard input. @throws KarpathyError `bad_usage` */
export async function readInput(io: CliIo, name: string): Promise<string> {
  if (name === '') throw new KarpathyError('bad_usage', 'The name of the file is empty.', { hint: NAME_A_FILE });
  const file = name === '-' ? await readStandardInput(io) : readTextFile(pathOf(io, name));
  if (file.kind === 'text') return file.text;
  const what = name === '-' ? 'What came from standard input' : `The file ${name}`;
  throw new KarpathyError('bad_usage', `${what} ${file.kind === 'absent' ? 'does not exist' : file.problem}.`, {
    hint: file.kind === 'no text' ? 'Convert it first, for example with iconv, or name another file.' : NAME_A_FILE,
  });
}

const NAME_A_FILE = 'Name a text file, or - for standard input.';

async function readStandardInput(io: CliIo): Promise<TextFile> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of io.stdin) {
    const part = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    chunks.push(part);
    bytes += part.length;
    if (bytes > LONGEST_TEXT_BYTES) return { kind: 'unreadable', problem: tooLarge(bytes) };
  }
  return decodeText(Buffer.concat(chunks));
}

/** Writes a new file; one that is there is not replaced. Returns its path. @throws KarpathyError `bad_usage` */
export function writeOutput(io: CliIo, name: string, content: Uint8Array | string): string {
  if (name === '') throw new KarpathyError('bad_usage', 'The name of the file is empty.', { hint: NAME_A_NEW_FILE });
  const path = pathOf(io, name);
  try {
    writeFileSync(path, content, { flag: 'wx', mode: 0o600 });
    return path;
  } catch (error) {
    const missing = faultCode(error) === 'ENOENT';
    const problem = missing ? 'lies in a directory that does not exist' : fileFault(error);
    throw new KarpathyError('bad_usage', `The file ${name} can't be written: it ${problem}.`, {
      hint: NAME_A_NEW_FILE,
      cause: error,
    });
  }
}

const NAME_A_NEW_FILE = 'Name a file that does not exist yet, in a directory that does.';
