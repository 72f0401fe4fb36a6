import type * as z from 'zod';
import type { ExitCode } from '../errors.js';
import type { Context } from '../services/context.js';
import type { Look } from '../text/look.js';
import type { Asker } from './ask.js';
import type { CliIo } from './io.js';

/** What a command may use. */
export interface Session {
  readonly ctx: Context;
  readonly io: CliIo;
  readonly ask: Asker;
  /** A person can be asked: stdin is a terminal and `--json` was not given. */
  readonly canAsk: boolean;
  readonly look: Look;
  /** Shows something before a question or a long run; on stderr, silent with `--json`. */
  show(text: string): void;
}

/** What a command returns: data for `--json`, and how the same data reads for a person. */
export interface Answer {
  readonly data: object;
  readonly text: (look: Look) => string;
  readonly exitCode?: ExitCode;
  /** The text is for another program: printed as it is, without a head. */
  readonly raw?: boolean;
}

export interface ArgumentSpec {
  /** Commander's form: `<id>`, `[id]`, `[text]`. */
  readonly name: string;
  readonly summary: string;
}

export interface OptionSpec {
  /** Commander's form: `--reason <text>`, `--yes`, `--no-evaluate`. */
  readonly flags: string;
  readonly summary: string;
}

export interface CommandSpec {
  /** `status`, `scenario add`. */
  readonly path: string;
  readonly summary: string;
  /** What follows the command in its usage line, when Commander's own form would not show it. */
  readonly usage?: string;
  readonly details?: string;
  readonly arguments?: readonly ArgumentSpec[];
  readonly options?: readonly OptionSpec[];
  /** Without the leading `hermes karpathy`. */
  readonly examples: readonly string[];
  readonly group: 'Set up' | 'Improve' | 'Decide' | 'Look' | 'Run';
  readonly surface?: 'cli' | 'work' | 'tick';
  /** Says how to do it by flags when a question can't be asked. */
  readonly withoutTerminal?: string;
  /** What its group does when no command follows: `jobs` lists the jobs. */
  readonly isDefault?: boolean;
  /** Runs without the usual preparation of a command (reconciling, counting sessions). */
  readonly bare?: boolean;
  /** Works on the controller DB itself, which may be damaged: it gets a context without it. */
  readonly withoutDatabase?: boolean;
  readonly input: z.ZodType;
  run(session: Session, input: never): Promise<Answer>;
}

/** Ties the type of `run`'s input to the schema that parses it. */
export function command<S extends z.ZodType>(
  spec: Omit<CommandSpec, 'input' | 'run'> & {
    readonly input: S;
    run(session: Session, input: z.output<S>): Promise<Answer>;
  },
): CommandSpec {
  return spec;
}
