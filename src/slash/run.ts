import { KarpathyError, toKarpathyError } from '../errors.js';
import { header } from '../text/header.js';
import { makeLook, printable, wrap, type Look } from '../text/look.js';
import { asTyped } from '../text/next.js';
import { prepare } from '../services/prepare.js';
import { commandFor } from '../services/requireProfile.js';
import { readCall, type SlashCall } from './call.js';
import { SLASH_COMMANDS, helpText } from './commands.js';
import { requireMayChange } from './gateway.js';
import type { SlashIo } from './io.js';

/** Some platforms cut messages at 4,000 characters. */
const LIMIT = 3_400;

/**
 * Answers the text after `/karpathy`. Plain text under 3,500 characters; never throws and never answers nothing,
 * since the host would then hand the command to the model.
 */
export async function runSlash(text: string, io: SlashIo): Promise<string> {
  try {
    return fit(laidOut(await answer(text, io), io));
  } catch (thrown) {
    return fit(laidOut(errorText(thrown), io));
  }
}

const LOOK: Look = makeLook({ color: false, form: 'plain', command: '/karpathy' });

/** Hermes breaks long lines of a local chat inside words. */
const CHAT_WIDTH = 80;

async function answer(text: string, io: SlashIo): Promise<string> {
  const call = readCall(text);
  if (call.name === 'help') return helpText();
  const opened = await io.open({
    interactive: true,
    signal: io.signal ?? new AbortController().signal,
    surface: 'slash',
  });
  try {
    return await perform(call, { io, opened });
  } catch (error) {
    throw opened.ctx.scrub.error(error);
  } finally {
    opened.close();
  }
}

async function perform(
  call: SlashCall,
  { io, opened: { ctx } }: { io: SlashIo; opened: Awaited<ReturnType<SlashIo['open']>> },
): Promise<string> {
  const command = SLASH_COMMANDS[call.name];
  const look = { ...LOOK, terminal: commandFor(ctx.profile.name) };
  if (command.changes) requireMayChange(ctx, io);
  const notes = await prepare(ctx);
  const body = await command.run({ ctx, call, look, inGateway: io.inGateway || io.platform !== null });
  return asTyped([header(LOOK, ctx.profile), ...notes.map((note) => `Note: ${note}`), body].join('\n'), LOOK.command);
}

function errorText(thrown: unknown): string {
  let error: KarpathyError;
  try {
    error = toKarpathyError(thrown);
  } catch {
    error = new KarpathyError('internal', 'Unexpected failure.');
  }
  const problems = error.problems.map(
    (p) => `  ${p.path}${p.value === undefined ? '' : ` = ${p.value}`}: ${p.message}`,
  );
  const hint = error.hint === undefined ? [] : [`→ ${error.hint}`];
  return printable([`Error: ${error.message}`, ...problems, ...hint].join('\n'));
}

/** Wraps for a terminal; a messaging platform wraps by itself, to whatever the screen is. */
function laidOut(text: string, io: SlashIo): string {
  if (io.inGateway || io.platform !== null) return text;
  return text
    .split('\n')
    .map((line) => {
      const margin = line.length - line.trimStart().length;
      return ' '.repeat(margin) + wrap(line.trimStart(), { width: CHAT_WIDTH, indent: margin + 2 });
    })
    .join('\n');
}

/** Cuts at a line and says where the rest is. */
function fit(text: string): string {
  const whole = text.trim() === '' ? 'Done.' : text;
  if (whole.length <= LIMIT) return whole;
  const head = whole.slice(0, LIMIT);
  const line = head.lastIndexOf('\n');
  const cut = line > LIMIT / 2 ? head.slice(0, line) : head.replace(/[\uD800-\uDBFF]$/u, '');
  return `${cut}\n… cut here; \`hermes karpathy\` in a terminal shows all of it.`;
}
