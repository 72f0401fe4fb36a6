import { readFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import type { SlotPaths } from './slot.js';
import type { ProcessEnd } from './trialOutcome.js';

/** A slot that is laid, with what every process in it is started with. */
export interface LaidSlot {
  readonly slot: number;
  readonly paths: SlotPaths;
  readonly env: Readonly<Record<string, string>>;
  /** Whether tools act for real: the host is then started with `--yolo`. */
  readonly yolo: boolean;
  /** Whether it must run in a container. */
  readonly contained: boolean;
}

export interface RunLimits {
  /** Time in ms since the epoch. */
  readonly deadline: number;
  readonly signal: AbortSignal;
}

/** How Hermes is started in a slot. Everything else about a trial is the same for every runner. */
export interface HermesProcess {
  readonly name: string;
  /** Why trials are run another way than was asked for; null while they aren't. */
  readonly fellBack: string | null;
  /**
   * Makes sure that Hermes can be started in the slot as it is laid and loads its guard. True when that used the
   * slot, which has to be laid again.
   * @throws KarpathyError `host_failed`
   */
  prepare(laid: LaidSlot, signal: AbortSignal): Promise<boolean>;
  /** Runs `hermes ...args` to its end, the deadline or an abort; then nothing that it started is left. */
  run(laid: LaidSlot, args: readonly string[], limits: RunLimits): Promise<ProcessEnd>;
  close(): Promise<void>;
}

/** What it has left is of use after a deadline; a trial that is stopped counts for nothing, and somebody waits. */
const KILL_GRACE_MS = { deadline: 2000, abort: 300 };

/**
 * Waits for a process that `send` can signal: asks it to end at the deadline or an abort, and kills it when it
 * doesn't.
 */
export async function withinLimits<T>(
  { deadline, signal }: RunLimits,
  send: (signal: 'SIGTERM' | 'SIGKILL') => void,
  ended: Promise<T>,
): Promise<{ result: T; timedOut: boolean }> {
  let timedOut = false;
  let killer: NodeJS.Timeout | undefined;
  const stop = (why: keyof typeof KILL_GRACE_MS): void => {
    send('SIGTERM');
    clearTimeout(killer);
    killer = setTimeout(() => send('SIGKILL'), KILL_GRACE_MS[why]);
  };
  const onAbort = (): void => stop('abort');
  const timer = setTimeout(
    () => {
      timedOut = true;
      stop('deadline');
    },
    Math.max(0, deadline - Date.now()),
  );
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return { result: await ended, timedOut };
  } finally {
    clearTimeout(timer);
    clearTimeout(killer);
    signal.removeEventListener('abort', onAbort);
  }
}

/** Has a process, and all that it starts, step back for others that want the processor. */
export function stepBack(pid: number | undefined, nice: number | undefined): void {
  if (pid === undefined || nice === undefined) return;
  try {
    // Never less than this process itself does.
    setPriority(pid, Math.max(nice, getPriority()));
  } catch {
    // It ended already, or may not be changed: it runs as it is.
  }
}

/** Signals a process group; one that is gone is no error. */
export function killGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // The group is gone.
  }
}

/** The end of a text that says what went wrong. */
export function tailOf(text: string): string {
  return text.slice(-2000);
}

/** The file's text; empty when it isn't there. */
export function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
