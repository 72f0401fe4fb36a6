import type * as z from 'zod';
import { KarpathyError, toKarpathyError, type Problem } from '../errors.js';
import { issueMessage, maskUserInfo, mayBeSecret } from '../problems.js';
import { makeLook, type Look } from '../text/look.js';
import { header } from '../text/header.js';
import { asTyped } from '../text/next.js';
import { silentAsker, terminalAsker, withNotice } from './ask.js';
import type { Answer, CommandSpec, Session } from './command.js';
import { commandsFor } from './commands/index.js';
import type { CliIo } from './io.js';
import { argumentKey, parseArgv, readGlobals, type Call, type Globals } from './parse.js';
import { commandFor } from '../services/requireProfile.js';
import { prepare } from '../services/prepare.js';
import { startProgress } from './progress.js';
import { reportError } from './report.js';

/**
 * Runs one command line (without the program's name) and returns its exit code: 0 done, 1 failed, 2 bad input,
 * 3 refused by a rule, 130 interrupted. Never throws; the answer is on stdout, everything else on stderr.
 */
export async function runCli(argv: readonly string[], io: CliIo): Promise<number> {
  const globals = readGlobals(argv);
  let look = lookOf(io, globals);
  const interruption = listenForInterruption(io);
  try {
    const call = parseArgv(argv, { specs: await commandsFor(argv), io });
    if (call.kind === 'print') {
      io.stdout.write(globals.json ? `${JSON.stringify({ [call.what]: call.text.trim() })}\n` : call.text);
      await io.stdout.flush?.();
      return 0;
    }
    const profileKnown = (own: Look) => void (look = own);
    return await perform(call, { io, look, json: globals.json, signal: interruption.signal, profileKnown });
  } catch (thrown) {
    const error = interruption.signal.aborted ? interrupted(thrown) : toKarpathyError(thrown);
    reportError(error, { io, json: globals.json, look });
    return error.exitCode;
  } finally {
    interruption.stop();
  }
}

interface Performing {
  readonly io: CliIo;
  readonly look: Look;
  readonly json: boolean;
  readonly signal: AbortSignal;
  /** Called once hints can name the profile. */
  readonly profileKnown: (look: Look) => void;
}

async function perform(call: Extract<Call, { kind: 'run' }>, performing: Performing): Promise<number> {
  const { io, look, json, signal } = performing;
  const { spec } = call;
  const input = checkInput(spec, call.raw);
  const canAsk = io.isTTY.stdin && io.isTTY.stderr && !json;
  const progress = startProgress(io, json);
  const opened = await io.open({
    ...(call.profile === undefined ? {} : { profile: call.profile }),
    interactive: io.isTTY.stdin,
    onProgress: progress.listen,
    signal,
    surface: spec.surface ?? 'cli',
    ...(spec.withoutDatabase === true ? { withoutDatabase: true } : {}),
  });
  try {
    const own = lookFor(look, { io, profile: opened.ctx.profile.name });
    performing.profileKnown(own);
    let asked = false;
    const notes = spec.bare === true ? [] : await prepare(opened.ctx);
    const session: Session = {
      ctx: opened.ctx,
      io,
      look: own,
      canAsk,
      ask: canAsk
        ? withNotice(io.ask ?? terminalAsker(io), () => (asked = true))
        : silentAsker(asTyped(spec.withoutTerminal ?? `See \`${io.helpName} ${spec.path} --help\`.`, own.command)),
      show: (text) => {
        progress.stop();
        if (!json) io.stderr.write(canAsk ? `\n${text}\n` : `${text}\n`);
      },
    };
    const answer = await spec.run(session, input as never);
    progress.stop();
    // The question's frame ends at its answer; what follows is another thing.
    if (asked) io.stderr.write('\n');
    if (!json) for (const note of notes) io.stderr.write(`${look.colors.yellow('!')} ${note}\n`);
    io.stdout.write(render(answer, { session, json }));
    await io.stdout.flush?.();
    if (signal.aborted) throw new KarpathyError('interrupted', 'Interrupted.');
    return answer.exitCode ?? 0;
  } catch (error) {
    throw opened.ctx.scrub.error(error);
  } finally {
    progress.stop();
    opened.close();
  }
}

function render(answer: Answer, { session, json }: { session: Session; json: boolean }): string {
  const { ctx, look } = session;
  // The profile comes first, whatever the data calls its own.
  if (json) return `${JSON.stringify(Object.assign({ profile: '' }, answer.data, { profile: ctx.profile.name }))}\n`;
  if (answer.raw === true) return answer.text(look);
  return `${header(look, ctx.profile)}\n${asTyped(answer.text(look).trimEnd(), look.command)}\n`;
}

/** @throws KarpathyError `bad_usage` with every argument that is wrong */
function checkInput(spec: CommandSpec, raw: Readonly<Record<string, unknown>>): unknown {
  const parsed = spec.input.safeParse(raw);
  if (parsed.success) return parsed.data;
  throw new KarpathyError('bad_usage', `The command line of \`${spec.path}\` is not valid.`, {
    problems: parsed.error.issues.map((issue) => inputProblem(issue, { spec, raw })),
    hint: `\`hermes karpathy ${spec.path} --help\` shows examples.`,
  });
}

function inputProblem(
  issue: z.core.$ZodIssue,
  of: { spec: CommandSpec; raw: Readonly<Record<string, unknown>> },
): Problem {
  const key = String(issue.path[0] ?? '');
  const isArgument = of.spec.arguments?.some((argument) => argumentKey(argument.name) === key) ?? false;
  const flag = key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const value = of.raw[key];
  return {
    path: key === '' ? of.spec.path : isArgument ? key.toUpperCase() : `--${flag}`,
    ...(typeof value === 'string' && !mayBeSecret(key) ? { value: maskUserInfo(value).slice(0, 80) } : {}),
    message: value === undefined && issue.code === 'invalid_type' ? 'is needed' : issueMessage(issue),
  };
}

function lookOf(io: CliIo, globals: Globals): Look {
  const wanted = globals.color && !globals.json && io.env.NO_COLOR === undefined && io.env.TERM !== 'dumb';
  return makeLook({
    width: io.stdout.columns,
    color: wanted && (io.isTTY.stdout || io.env.FORCE_COLOR !== undefined),
    // POSIX: the first of these that is set and not empty decides.
    unicode: /utf-?8/i.test([io.env.LC_ALL, io.env.LC_CTYPE, io.env.LANG].find(Boolean) ?? ''),
    form: 'terminal',
    command: io.helpName,
  });
}

/** Hints name the profile, unless it is the one that a bare command is about. */
function lookFor(look: Look, { io, profile }: { io: CliIo; profile: string }): Look {
  if (io.helpName === 'hermes karpathy') return { ...look, command: commandFor(profile) };
  return profile === 'default' ? look : { ...look, command: `${io.helpName} --profile ${profile}` };
}

interface Interruption {
  readonly signal: AbortSignal;
  stop(): void;
}

/** The first Ctrl-C asks the command to stop in good order; a second one ends the process as usual. */
function listenForInterruption(io: CliIo): Interruption {
  if (io.signal !== undefined) return { signal: io.signal, stop: () => undefined };
  const controller = new AbortController();
  const abort = () => controller.abort();
  process.once('SIGINT', abort);
  process.once('SIGTERM', abort);
  return {
    signal: controller.signal,
    stop: () => {
      process.off('SIGINT', abort);
      process.off('SIGTERM', abort);
    },
  };
}

/** Whatever an aborted command threw, the person sees that they stopped it and how it goes on. */
function interrupted(thrown: unknown): KarpathyError {
  const own = toKarpathyError(thrown);
  if (own.code === 'interrupted' && own.hint !== undefined) return own;
  return new KarpathyError('interrupted', 'Interrupted. What was finished is kept.', {
    hint: '`hermes karpathy work` goes on from there; `hermes karpathy status` shows where it stands.',
    cause: thrown,
  });
}
