import { errorToJson, type KarpathyError, type Problem } from '../errors.js';
import type { Look } from '../text/look.js';
import { asTyped } from '../text/next.js';
import type { CliIo } from './io.js';

function problemLine(problem: Problem): string {
  return `  ${problem.path}${problem.value === undefined ? '' : ` = ${problem.value}`}: ${problem.message}`;
}

/** An error as a person reads it: what, each problem on a line, and the way out. */
export function errorText(error: KarpathyError, look: Look): string {
  const { red, bold, cyan } = look.colors;
  return [
    `${bold(red('error:'))} ${asTyped(error.message, look.command)}`,
    ...error.problems.map(problemLine),
    ...(error.hint === undefined ? [] : [cyan(`→ ${asTyped(error.hint, look.command)}`)]),
  ].join('\n');
}

/** Writes the error to stderr; its stack only when KARPATHY_DEBUG is set. */
export function reportError(error: KarpathyError, options: { io: CliIo; json: boolean; look: Look }): void {
  const { io, json, look } = options;
  io.stderr.write(json ? `${JSON.stringify({ error: errorToJson(error) })}\n` : `${errorText(error, look)}\n`);
  if (io.env.KARPATHY_DEBUG) {
    const cause = error.cause instanceof Error ? error.cause : error;
    io.stderr.write(`${cause.stack ?? ''}\n`);
  }
}
