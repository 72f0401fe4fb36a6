/** What a line of agent.log that begins a record says; the rest of a record belongs to the line before it. */
export interface LogRecord {
  readonly level: string;
  /** The session it belongs to; null = said outside any session, as the host does while it starts. */
  readonly sessionId: string | null;
  readonly logger: string;
  readonly message: string;
}

/** `2026-08-14 21:15:04,977 WARNING [20260814_211500_a1b2c3] agent.tool_executor: ...` */
const RECORD =
  /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (DEBUG|INFO|WARNING|ERROR|CRITICAL)(?: \[([^\]\s]+)\])? ([\w.<>-]+): (.*)$/s;

const TURN_FINALIZER = 'agent.turn_finalizer';
const TURN_CONTEXT = 'agent.turn_context';

/** The host names the session in the message of a turn's end as well; the tag of a reused thread may be an old one. */
const TURN_END = / session=(\S+)(?: last_tool=\S*)?$/;
const TURN_START = /^conversation turn: session=(\S+) /;

/** One line as the record it begins; null for a continuation, such as a line of a traceback, or anything else. */
export function parseLogLine(line: string): LogRecord | null {
  const [, level, tag, logger, message] = RECORD.exec(line) ?? [];
  if (level === undefined || logger === undefined || message === undefined) return null;
  return { level, sessionId: sessionNamed(logger, message) ?? tag ?? null, logger, message };
}

function sessionNamed(logger: string, message: string): string | undefined {
  if (logger === TURN_FINALIZER) return TURN_END.exec(message.trimEnd())?.[1];
  return logger === TURN_CONTEXT ? TURN_START.exec(message)?.[1] : undefined;
}

/** What is counted of a session that the log knows. */
export interface SessionLogCounts {
  errors: number;
  /** Retries and failed calls are warnings as well. */
  warnings: number;
  retries: number;
  /** Calls of the model, each attempt. */
  failedCalls: number;
  /** Turns that a person stopped. */
  interruptedTurns: number;
  /** Of those, the ones that were stopped before any text of the model came. */
  interruptedUnanswered: number;
}

/** The host's formats, some behind the prefix that an agent of its own gets. */
const RETRY = /^Retrying API call in |Invalid API response \(retry \d/;
const FAILED_CALL = /^API call failed \(attempt |Invalid API response \(retry \d/;
const ENDED = /^Turn ended: /;
const INTERRUPTED = /^Turn ended: reason=interrupted/;
const UNANSWERED = / last_msg_role=user /;

/** Counts a record under its session; records without one are the host's own business. */
export function countRecord(counts: Map<string, SessionLogCounts>, record: LogRecord): void {
  const { sessionId, level, logger, message } = record;
  if (sessionId === null) return;
  const isError = level === 'ERROR' || level === 'CRITICAL';
  const isWarning = level === 'WARNING';
  const begins = logger === TURN_CONTEXT && TURN_START.test(message);
  const ends = logger === TURN_FINALIZER && ENDED.test(message);
  const stopped = ends && INTERRUPTED.test(message);
  // Where a turn begins or ends the log knows of the session, even if there is nothing to count.
  if (!isError && !isWarning && !begins && !ends) return;
  const of = counts.get(sessionId) ?? nothingCounted();
  counts.set(sessionId, of);
  if (isError) of.errors++;
  if (isWarning) of.warnings++;
  if (isWarning && RETRY.test(message)) of.retries++;
  if (isWarning && FAILED_CALL.test(message)) of.failedCalls++;
  if (stopped) of.interruptedTurns++;
  if (stopped && UNANSWERED.test(message)) of.interruptedUnanswered++;
}

function nothingCounted(): SessionLogCounts {
  return { errors: 0, warnings: 0, retries: 0, failedCalls: 0, interruptedTurns: 0, interruptedUnanswered: 0 };
}

/** Where the level stands: behind the date and time. */
const LEVEL_AT = '2026-08-14 21:15:04,977 '.length;
const INFO_END = LEVEL_AT + 'INFO '.length;
/** A longer tag is none of the host's. */
const LONGEST_TAG = 256;
const [COMMA, SPACE, OPEN, CLOSE] = [',', ' ', '[', ']'].map((char) => char.charCodeAt(0));
const [WARNING, ERROR, CRITICAL, INFO] = ['W', 'E', 'C', 'I'].map((char) => char.charCodeAt(0));
const COUNTED_INFO = [`${TURN_CONTEXT}: conversation turn: `, `${TURN_FINALIZER}: Turn ended: `].map((text) =>
  Buffer.from(text, 'latin1'),
);

/**
 * Whether a line might be counted, judged by a few of its bytes: nearly all of a log is INFO, and making text of it
 * is what reading a log costs. True for more lines than are counted, never false for one that is.
 */
export function mayCount(bytes: Buffer, start: number, end: number): boolean {
  if (end - start < INFO_END || bytes[start + LEVEL_AT - 5] !== COMMA || bytes[start + LEVEL_AT - 1] !== SPACE) {
    return false;
  }
  const level = bytes[start + LEVEL_AT];
  if (level === WARNING || level === ERROR || level === CRITICAL) return true;
  if (level !== INFO) return false;
  const logger = behindTag(bytes, start + INFO_END, end);
  return COUNTED_INFO.some(
    (text) =>
      bytes[logger + 6] === text[6] &&
      logger + text.length <= end &&
      bytes.compare(text, 0, text.length, logger, logger + text.length) === 0,
  );
}

function behindTag(bytes: Buffer, at: number, end: number): number {
  if (bytes[at] !== OPEN) return at;
  const limit = Math.min(end, at + LONGEST_TAG);
  for (let i = at + 1; i < limit; i++) if (bytes[i] === CLOSE) return i + 2;
  return end;
}
