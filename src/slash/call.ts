import { parseArgs, type ParseArgsConfig } from 'node:util';
import { KarpathyError } from '../errors.js';
import { isSlashName, SLASH_NAMES, type SlashName } from '../text/next.js';
import { splitWords } from './words.js';

export interface SlashCall {
  readonly name: SlashName;
  readonly words: readonly string[];
  readonly options: Readonly<Record<string, string | boolean | undefined>>;
}

const TEXT = { type: 'string' } as const;
const FLAG = { type: 'boolean' } as const;

const OPTIONS: Readonly<Partial<Record<SlashName, NonNullable<ParseArgsConfig['options']>>>> = {
  propose: { rewrite: TEXT, 'insert-after': TEXT, delete: TEXT, 'no-evaluate': FLAG },
  calibrate: { show: FLAG, yes: FLAG },
  approve: { apply: FLAG, override: TEXT, 'no-auto-revert': FLAG },
  reject: { reason: TEXT },
  revert: { reason: TEXT },
  finish: { keep: TEXT, revert: FLAG, again: FLAG },
  pause: { reason: TEXT },
};

/** @throws KarpathyError `bad_usage` */
export function readCall(text: string): SlashCall {
  const [first = 'status', ...rest] = splitWords(text);
  const name = first.toLowerCase();
  if (!isSlashName(name)) {
    throw new KarpathyError(
      'bad_usage',
      `There is no /karpathy ${first.length > 40 ? `${first.slice(0, 40)}…` : first}.`,
      {
        hint: `In a chat there are: ${SLASH_NAMES.join(', ')}. The rest is in a terminal: \`hermes karpathy --help\`.`,
      },
    );
  }
  try {
    const { values, positionals } = parseArgs({
      args: rest,
      options: OPTIONS[name] ?? {},
      allowPositionals: true,
      strict: true,
    });
    return { name, words: positionals, options: values as SlashCall['options'] };
  } catch (error) {
    const message = error instanceof Error ? (error.message.split('. ', 1)[0] ?? '') : String(error);
    throw new KarpathyError('bad_usage', `${message}.`, { hint: '`/karpathy help` shows the forms.' });
  }
}

/** The number of the experiment, as the first word. @throws KarpathyError `bad_usage` */
export function idOf(call: SlashCall): number {
  const id = optionalId(call);
  if (id !== undefined) return id;
  throw new KarpathyError('bad_usage', `Which experiment? For example: /karpathy ${call.name} 7`, {
    hint: '`/karpathy status` names the one in flight.',
  });
}

export function optionalId(call: SlashCall): number | undefined {
  const [first] = call.words;
  if (first === undefined) return undefined;
  if (/^#?\d{1,15}$/.test(first)) return Number(first.replace('#', ''));
  throw new KarpathyError('bad_usage', `"${first}" is not the number of an experiment.`, {
    hint: '`/karpathy history` lists them.',
  });
}

/** A reason given as an option or simply as the words after the number. */
export function reasonOf(call: SlashCall, key: 'reason' | 'keep', after = 1): string {
  const given = call.options[key];
  return (typeof given === 'string' ? given : call.words.slice(after).join(' ')).trim();
}
