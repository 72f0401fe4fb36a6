/**
 * Every error a person can meet is a `KarpathyError` with a stable code. The surfaces map codes to exit
 * codes and HTTP statuses; anything else that reaches them is a bug and is reported as one.
 */
export const ERROR_CODES = [
  // usage or bad input: exit code 2
  'bad_usage',
  'bad_config',
  'bad_scenario',
  'bad_edit',
  'bad_target',
  'unknown_profile',
  'unknown_experiment',
  'unknown_scenario',
  // refused by a rule: exit code 3
  'not_set_up',
  'not_initialised',
  'wrong_state',
  'in_flight',
  'conflict',
  'stale',
  'budget',
  'price_unknown',
  'underpowered',
  'same_model',
  'paused',
  'needs_person',
  'blocked_by_host',
  'busy',
  'db_newer',
  'stale_build',
  // failed: exit code 1
  'model_failed',
  'model_limit',
  'outage',
  'host_failed',
  'db_corrupt',
  'db_busy',
  'io',
  'internal',
  // interrupted: exit code 130
  'interrupted',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

export type ExitCode = 0 | 1 | 2 | 3 | 130;

const EXIT_CODES = {
  bad_usage: 2,
  bad_config: 2,
  bad_scenario: 2,
  bad_edit: 2,
  bad_target: 2,
  unknown_profile: 2,
  unknown_experiment: 2,
  unknown_scenario: 2,
  not_set_up: 3,
  not_initialised: 3,
  wrong_state: 3,
  in_flight: 3,
  conflict: 3,
  stale: 3,
  budget: 3,
  price_unknown: 3,
  underpowered: 3,
  same_model: 3,
  paused: 3,
  needs_person: 3,
  blocked_by_host: 3,
  busy: 3,
  db_newer: 3,
  stale_build: 3,
  model_failed: 1,
  model_limit: 1,
  outage: 1,
  host_failed: 1,
  db_corrupt: 1,
  db_busy: 1,
  io: 1,
  internal: 1,
  interrupted: 130,
} as const satisfies Record<ErrorCode, ExitCode>;

/** How long a statement waits for another process's write lock on the controller DB before `db_busy`, in ms. */
export const DB_WAIT_MS = 5000;

/** One thing that is wrong with an input: where, what was found, and what is allowed there. */
export interface Problem {
  /** For example `plugins.karpathy_self_improve.budget.usd` or `scenarios[2].checks[0].regex`. */
  readonly path: string;
  /** The offending value as it was written, shortened; never a secret. */
  readonly value?: string;
  readonly message: string;
}

/** The way out where an error names none of its own. An internal error has none that anybody knew before. */
const WAY_OUT: Readonly<Partial<Record<ErrorCode, string>>> = {
  bad_usage: '`hermes karpathy --help` lists the commands, `hermes karpathy COMMAND --help` shows one with examples.',
  bad_config: 'docs/configuration.md lists every key with its allowed values.',
  bad_scenario: 'docs/scenarios.md shows every key and check with an example.',
  bad_edit: 'An edit changes exactly one sentence; `hermes karpathy sentences` shows them with their numbers.',
  bad_target: 'A target is a text file of your own inside the profile, for example SOUL.md.',
  unknown_experiment: '`hermes karpathy history` lists the experiments of the profile.',
  unknown_scenario: '`hermes karpathy scenario list` lists the suite.',
  wrong_state: '`hermes karpathy status` says where it stands and what can be done next.',
  in_flight: '`hermes karpathy status` says what it waits for.',
  conflict: 'Nothing was written. `hermes karpathy status` shows what stands there and how to decide.',
  stale: '`hermes karpathy status` says what changed; propose it anew, or reject it.',
  needs_person: 'Run the command in a terminal of your own.',
  model_failed: '`hermes karpathy doctor` asks the models and says what is wrong.',
  model_limit: 'What is finished is kept. Wait until the limit resets, or choose another model.',
  host_failed: '`hermes karpathy doctor` checks the host.',
  io: 'Check that the directory is there and writable and has space left.',
};

export interface ErrorDetails {
  /** What the person can do about it: one sentence, or a command to run. Most codes have a general one. */
  readonly hint?: string;
  /** All problems of an input at once. */
  readonly problems?: readonly Problem[];
  readonly cause?: unknown;
  /** A model call that failed and may have been charged all the same. */
  readonly charged?: boolean;
}

export class KarpathyError extends Error {
  override readonly name = 'KarpathyError';
  readonly hint: string | undefined;
  readonly problems: readonly Problem[];
  readonly charged: boolean;

  constructor(
    readonly code: ErrorCode,
    message: string,
    details: ErrorDetails = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.hint = details.hint ?? WAY_OUT[code];
    this.problems = details.problems ?? [];
    this.charged = details.charged ?? false;
  }

  get exitCode(): ExitCode {
    return EXIT_CODES[this.code];
  }
}

export function isKarpathyError(error: unknown): error is KarpathyError {
  return error instanceof KarpathyError;
}

/** Turns whatever was thrown into the error that is shown; an unforeseen one keeps its message, not its stack. */
export function toKarpathyError(error: unknown): KarpathyError {
  if (isKarpathyError(error)) return error;
  if (error instanceof Error && error.name === 'AbortError') return new KarpathyError('interrupted', 'Interrupted.');
  const message = error instanceof Error ? error.message : String(error);
  const fault = diskFault(error);
  if (fault !== null) {
    return new KarpathyError(fault.code, `${fault.what}: ${message}.`, { hint: fault.hint, cause: error });
  }
  return new KarpathyError('internal', `Unexpected failure: ${message}`, { cause: error });
}

/** The code of a system or SQLite fault, as `ENOENT` or `SQLITE_BUSY`; empty for an error without one. */
export function faultCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/** Faults of disk and database that can meet any statement: not a bug, and a person can mend them. */
function diskFault(error: unknown): { code: ErrorCode; what: string; hint: string } | null {
  const code = faultCode(error);
  const lost = code === 'SQLITE_ERROR' && error instanceof Error && /^no such (table|column)/.test(error.message);
  if (lost || /^SQLITE_(CORRUPT|NOTADB)/.test(code)) {
    return {
      code: 'db_corrupt',
      what: 'The controller DB is damaged',
      hint: '`hermes karpathy restore FILE` puts a backup in its place; or move it away.',
    };
  }
  if (/^SQLITE_(BUSY|LOCKED)/.test(code)) {
    return {
      code: 'db_busy',
      what: `The controller DB stayed locked by another process for ${DB_WAIT_MS / 1000} seconds`,
      hint: 'Nothing was half written. Try again in a moment; `hermes karpathy doctor` names the file, and `lsof FILE` which processes have it open.',
    };
  }
  if (!/^(SQLITE_(FULL|IOERR|READONLY|CANTOPEN)|(ENOSPC|EDQUOT|EROFS|EACCES|EPERM|EIO|EMFILE|ENFILE)$)/.test(code)) {
    return null;
  }
  return {
    code: 'io',
    what: 'A file cannot be read or written',
    hint: 'Check that the disk is writable and has space left, and whose the file is; then run the command again.',
  };
}

const NOT_WRITTEN: Readonly<Record<string, string>> = {
  ENOSPC: 'has no space left',
  EDQUOT: "has no room left in this user's quota",
  EROFS: 'is mounted read-only',
  EACCES: 'is not writable for this user',
  EPERM: 'is not writable for this user',
  ENOENT: 'is not there',
  ENOTDIR: 'is no directory',
};

/** What a fault of the system says about the directory that was to be written, in words; null for any other fault. */
export function whyNotWritten(error: unknown): string | null {
  return NOT_WRITTEN[faultCode(error)] ?? null;
}

const SYSTEM_FAULTS: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'lies below something that is no directory',
  EISDIR: 'is a directory',
  EEXIST: 'exists already',
  ELOOP: 'leads through links in a circle',
  ENAMETOOLONG: 'has a name that is too long',
  EACCES: 'is not open to you',
  EPERM: 'is not open to you',
  EROFS: 'lies on a file system that is read-only',
  ENOSPC: 'finds no space left on the disk',
};

/** Why a call on a file failed, as it follows the name of the file. */
export function fileFault(error: unknown): string {
  return SYSTEM_FAULTS[faultCode(error)] ?? `cannot be used: ${error instanceof Error ? error.message : String(error)}`;
}

/** The JSON form of an error: `{code, message, hint?, problems?}`. */
export function errorToJson(error: KarpathyError): Record<string, unknown> {
  return {
    code: error.code,
    message: error.message,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(error.problems.length === 0 ? {} : { problems: error.problems }),
  };
}
