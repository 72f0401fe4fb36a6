import pico from 'picocolors';

export type Colors = ReturnType<typeof pico.createColors>;

/** How a presenter may write: in which width, with or without colour, with or without tables. */
export interface Look {
  readonly width: number;
  readonly colors: Colors;
  /** `plain` is for a chat: no tables, no alignment, short. */
  readonly form: 'terminal' | 'plain';
  /** The terminal is known to show UTF-8. */
  readonly unicode: boolean;
  /** How commands are written in hints: `hermes karpathy`, `karpathy`, `/karpathy`. */
  readonly command: string;
  /** How they are written in a terminal, for what a chat does not have. */
  readonly terminal: string;
}

export function makeLook(options: {
  width?: number | undefined;
  color: boolean;
  unicode?: boolean;
  form: Look['form'];
  command: string;
}): Look {
  return {
    // A chat wraps by itself, or as a whole.
    width: options.form === 'plain' ? Infinity : Math.max(40, Math.min(options.width ?? 80, 120)),
    colors: pico.createColors(options.color),
    form: options.form,
    unicode: options.unicode ?? true,
    command: options.command,
    terminal: options.command,
  };
}

/** The text without colour codes. */
export function visible(text: string): string {
  // eslint-disable-next-line no-control-regex -- colour codes start with an escape character
  return text.replaceAll(/\u001b\[[0-9;]*m/gu, '');
}

// What a terminal obeys, and what turns the direction of a text around.
// eslint-disable-next-line no-control-regex
const UNPRINTABLE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu;

/** Text of others, harmless to a terminal: control characters are written as `\u001b`. Line breaks stay. */
export function printable(text: string): string {
  return text.replaceAll(UNPRINTABLE, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Stands for a space that is no place to break. */
const FIXED_SPACE = '\u0000';

/** Wraps text at spaces, whatever its colours, but never in a `command`; every line after the first is indented by `indent` spaces. */
export function wrap(text: string, options: { width: number; indent?: number }): string {
  const indent = options.indent ?? 0;
  const limit = Math.max(20, options.width - indent);
  const fixed = text.replaceAll(/`[^`\n]+`/gu, (command) => command.replaceAll(' ', FIXED_SPACE));
  const lines = fixed.split('\n').flatMap((paragraph) => {
    const out: string[] = [];
    let line = '';
    for (const word of paragraph.split(' ')) {
      if (line !== '' && visible(line).length + 1 + visible(word).length > limit) {
        out.push(line);
        line = word;
      } else {
        line = line === '' ? word : `${line} ${word}`;
      }
    }
    return [...out, line];
  });
  return lines.join(`\n${' '.repeat(indent)}`).replaceAll(FIXED_SPACE, ' ');
}

/** `label  text`, the text wrapped beside the label. */
export function field(look: Look, label: string, text: string): string {
  if (look.form === 'plain') return `${label}: ${text}`;
  const column = 11;
  return `${look.colors.dim(label.padEnd(column))}${wrap(text, { width: look.width, indent: column })}`;
}

/** A command as the person would type it here. */
export function cmd(look: Look, words: string): string {
  return look.colors.cyan(`${look.command} ${words}`);
}
