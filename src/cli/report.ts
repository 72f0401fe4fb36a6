import { errorToJson, type KarpathyError, type Problem } from '../errors.js';
import { printable, wrap, type Look } from '../text/look.js';
import { asTyped } from '../text/next.js';
import type { CliIo } from './io.js';

function problemLine(problem: Problem): string {
  return printable(`${problem.path}${problem.value === undefined ? '' : ` = ${problem.value}`}: ${problem.message}`);
}

/** An error as a person reads it: what, each problem on a line, and the way out; lines of at most `width`. */
function errorText(error: KarpathyError, { look, width }: { look: Look; width: number }): string {
  const { red, bold, cyan } = look.colors;
  return [
    wrap(`${bold(red('error:'))} ${printable(asTyped(error.message, look.command))}`, { width, indent: 2 }),
    ...error.problems.map((problem) => `  ${wrap(problemLine(problem), { width, indent: 4 })}`),
    ...(error.hint === undefined
      ? []
      : [cyan(wrap(`→ ${printable(asTyped(error.hint, look.command))}`, { width, indent: 2 }))]),
  ].join('\n');
}

/** Commands in a message are those of this surface in a document too: whoever reads it may run them. */
function errorDocument(error: KarpathyError, command: string): Record<string, unknown> {
  const { message, hint } = error;
  const typed = hint === undefined ? {} : { hint: asTyped(hint, command) };
  return { ...errorToJson(error), message: asTyped(message, command), ...typed };
}

/** Writes the error to stderr; its stack only when KARPATHY_DEBUG is set. */
export function reportError(error: KarpathyError, options: { io: CliIo; json: boolean; look: Look }): void {
  const { io, json, look } = options;
  // A file or a pipe gets whole lines, for whoever searches them.
  const width = io.isTTY.stderr ? look.width : Infinity;
  // In JSON an escaped character is the same one.
  const text = json
    ? printable(JSON.stringify({ error: errorDocument(error, look.command) }))
    : errorText(error, { look, width });
  io.stderr.write(`${text}\n`);
  if (io.env.KARPATHY_DEBUG) {
    const cause = error.cause instanceof Error ? error.cause : error;
    io.stderr.write(`${cause.stack ?? ''}\n`);
  }
}
