import type { ErrorCode } from '#src/errors.js';
import type { World, WorldName } from './world.js';

/** One row of the corpus. */
export interface BadInput {
  readonly name: string;
  /** What the profile's experiment is in; default `ready`, which has none. */
  readonly world?: WorldName;
  /** Puts the bad thing in place. */
  readonly put?: (world: World) => void | Promise<void>;
  /** The command line that meets it. */
  readonly run: readonly string[] | ((world: World) => readonly string[]);
  readonly code: ErrorCode;
  /** What message and problems must name: the place, the value, the allowed form. */
  readonly names: readonly (string | RegExp)[];
  /** Read as standard input. */
  readonly stdin?: string | Uint8Array;
  /** A terminal to ask on (default true); every question is answered with yes. */
  readonly terminal?: boolean;
  /** The command comes from the shell of an agent's session. */
  readonly agentShell?: boolean;
  readonly env?: (world: World) => NodeJS.ProcessEnv;
  /** Trials can run. */
  readonly trials?: boolean;
  /** Tables that keep a record of what was refused, and nothing else of it. */
  readonly records?: readonly string[];
  /** Can be arranged by root only. */
  readonly asRoot?: boolean;
}

/** A kind of bad input: its rows and how one of them is checked. */
export interface Kind<Case extends { readonly name: string } = { readonly name: string }> {
  readonly kind: string;
  readonly cases: readonly Case[];
  /** What the rows end in, for the table in docs/bad-inputs.md. */
  readonly errors: readonly string[];
  check(bad: Case): Promise<void>;
}

/** Something that is arranged by a value and where it stands. */
export function valueRows<Value>(
  rows: readonly (readonly [name: string, value: Value, ...names: (string | RegExp)[]])[],
  rowOf: (value: Value) => Omit<BadInput, 'name' | 'names'>,
): BadInput[] {
  return rows.map(([name, value, ...names]) => ({ name, names, ...rowOf(value) }));
}

export function errorsOf(cases: readonly BadInput[]): string[] {
  return [...new Set(cases.map(({ code }) => code))].sort();
}
