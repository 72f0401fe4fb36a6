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

export interface ErrorDetails {
  /** What the person can do about it: one sentence, or a command to run. */
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
    this.hint = details.hint;
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

/** Faults of disk and database that can meet any statement: not a bug, and a person can mend them. */
function diskFault(error: unknown): { code: ErrorCode; what: string; hint: string } | null {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(code)) {
    return {
      code: 'db_corrupt',
      what: 'The controller DB is damaged',
      hint: 'Put a backup in its place, or move it away.',
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
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return NOT_WRITTEN[code] ?? null;
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
