import type { Readable, Writable } from 'node:stream';
import { KarpathyError } from '../errors.js';
import type { CliIo } from './io.js';

export interface Choice {
  readonly value: string;
  readonly label: string;
  readonly hint?: string;
}

/** Questions to the person at the terminal. Ctrl-C in one of them is an `interrupted` error. */
export interface Asker {
  confirm(message: string): Promise<boolean>;
  text(message: string, options?: TextQuestion): Promise<string>;
  select(message: string, choices: readonly Choice[]): Promise<string>;
}

export interface TextQuestion {
  readonly initial?: string;
  /** Returns what is wrong with the answer, or undefined. */
  readonly check?: (value: string) => string | undefined;
}

/** Only a question needs the library. */
const library = () => import('@clack/prompts');

function answered<T>(value: T): Exclude<T, symbol> {
  // The library's only symbol stands for Ctrl-C and Escape.
  if (typeof value === 'symbol') {
    throw new KarpathyError('interrupted', 'Interrupted at a question.', { hint: 'Nothing was changed by it.' });
  }
  return value as Exclude<T, symbol>;
}

/** Asks with @clack/prompts. Questions go to stderr, so that stdout holds nothing but the answer. */
export function terminalAsker(io: CliIo): Asker {
  // On a terminal both are real streams; the narrow types of CliIo only say what everything else needs.
  const streams = { input: io.stdin as Readable, output: io.stderr as unknown as Writable };
  return {
    confirm: async (message) => {
      const { confirm } = await library();
      return answered(await confirm({ ...streams, message, initialValue: false }));
    },
    text: async (message, { initial, check } = {}) => {
      const { text } = await library();
      const initialValue = initial === undefined ? {} : { initialValue: initial };
      const validate = (given: string | undefined) => check?.(given ?? '');
      return answered(await text({ ...streams, message, ...initialValue, validate })) ?? '';
    },
    select: async (message, choices) => {
      const { select } = await library();
      return answered(await select<string>({ ...streams, message, options: choices.map((choice) => ({ ...choice })) }));
    },
  };
}

/** Stands where no person can answer: every question is an error that names the way without questions. */
export function silentAsker(flags: string): Asker {
  const refuse = (message: string): never => {
    throw new KarpathyError('bad_usage', `This needs an answer, and there is no terminal to ask on: ${message}`, {
      hint: flags,
    });
  };
  return { confirm: async (m) => refuse(m), text: async (m) => refuse(m), select: async (m) => refuse(m) };
}

/** The same asker; `notice` is called before each question. */
export function withNotice(asker: Asker, notice: () => void): Asker {
  const told = <T>(answer: () => T): T => {
    notice();
    return answer();
  };
  return {
    confirm: (message) => told(() => asker.confirm(message)),
    text: (message, options) => told(() => asker.text(message, options)),
    select: (message, choices) => told(() => asker.select(message, choices)),
  };
}
