import type { Readable, Writable } from 'node:stream';
import * as clack from '@clack/prompts';
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

function answered<T>(value: T | typeof clack.CANCEL_SYMBOL): T {
  if (clack.isCancel(value)) {
    throw new KarpathyError('interrupted', 'Interrupted at a question; nothing was changed by it.');
  }
  return value;
}

/** Asks with @clack/prompts. Questions go to stderr, so that stdout holds nothing but the answer. */
export function terminalAsker(io: CliIo): Asker {
  // On a terminal both are real streams; the narrow types of CliIo only say what everything else needs.
  const streams = { input: io.stdin as Readable, output: io.stderr as unknown as Writable };
  return {
    confirm: async (message) => answered(await clack.confirm({ ...streams, message, initialValue: false })),
    text: async (message, { initial, check } = {}) => {
      const value = await clack.text({
        ...streams,
        message,
        ...(initial === undefined ? {} : { initialValue: initial }),
        validate: (given) => check?.(given ?? ''),
      });
      return answered(value ?? '');
    },
    select: async (message, choices) =>
      answered(
        await clack.select<string>({
          ...streams,
          message,
          options: choices.map(({ value, label, hint }) => ({ value, label, ...(hint === undefined ? {} : { hint }) })),
        }),
      ),
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
