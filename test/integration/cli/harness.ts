import { PassThrough } from 'node:stream';
import type { Asker } from '#src/cli/ask.js';
import type { CliIo } from '#src/cli/io.js';
import { runCli } from '#src/cli/run.js';
import type { KarpathyError } from '#src/errors.js';
import type { TestContext } from '../../support/context.js';

export interface CliRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The questions that were asked, in order. */
  readonly asked: readonly string[];
  /** stdout as the JSON document it must be. */
  json<T = Record<string, unknown>>(): T;
  /** `error` of the JSON document on stderr. */
  error(): { code: string; message: string; hint?: string; problems?: { path: string; message: string }[] };
}

export interface CliOptions {
  /** Whether stdin, stdout and stderr are terminals (default true). */
  readonly terminal?: boolean;
  /** Answers to the questions, in order. */
  readonly answers?: readonly (string | boolean)[];
  readonly env?: NodeJS.ProcessEnv;
  readonly stdin?: string;
  readonly cwd?: string;
  readonly agentShell?: boolean;
  readonly signal?: AbortSignal;
  readonly helpName?: CliIo['helpName'];
  readonly columns?: number;
  /** Thrown by `open`. */
  readonly openFails?: KarpathyError | Error;
}

function scripted(answers: readonly (string | boolean)[], asked: string[]): Asker {
  const rest = [...answers];
  const next = (message: string): string | boolean => {
    asked.push(message);
    const answer = rest.shift();
    if (answer === undefined) throw new Error(`no answer was prepared for: ${message}`);
    return answer;
  };
  return {
    confirm: async (message) => next(message) === true,
    text: async (message, options) => {
      const given = String(next(message));
      const wrong = options?.check?.(given);
      if (wrong !== undefined) throw new Error(`"${given}" is refused: ${wrong}`);
      return given;
    },
    select: async (message) => String(next(message)),
  };
}

/** Runs one command line in this process against the fixture's root, as a person at a terminal unless told otherwise. */
export async function cli(fixture: TestContext, argv: readonly string[], options: CliOptions = {}): Promise<CliRun> {
  const terminal = options.terminal ?? true;
  const out: string[] = [];
  const err: string[] = [];
  const asked: string[] = [];
  const stdin = new PassThrough();
  stdin.end(options.stdin ?? '');
  const code = await runCli(argv, {
    open: async (request) => {
      if (options.openFails !== undefined) throw options.openFails;
      const { ctx } = fixture;
      const surface = {
        kind: request.surface,
        interactive: request.interactive,
        agentShell: options.agentShell ?? false,
        platform: null,
      };
      const onProgress = request.onProgress ?? ctx.onProgress;
      return { ctx: { ...ctx, surface, signal: request.signal, onProgress }, close: () => undefined };
    },
    stdout: { write: (text) => out.push(text), columns: options.columns ?? 100 },
    stderr: { write: (text) => err.push(text), columns: options.columns ?? 100 },
    stdin,
    env: options.env ?? {},
    isTTY: { stdin: terminal, stdout: false, stderr: terminal },
    version: '1.2.3',
    helpName: options.helpName ?? 'hermes karpathy',
    signal: options.signal ?? new AbortController().signal,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ask: scripted(options.answers ?? [], asked),
  });
  const stdout = out.join('');
  const stderr = err.join('');
  return {
    code,
    stdout,
    stderr,
    asked,
    json: <T>() => JSON.parse(stdout) as T,
    error: () => (JSON.parse(stderr) as { error: ReturnType<CliRun['error']> }).error,
  };
}
