import type { MetricsFigures } from '#src/store/metrics.js';

/** What really happened in one session, written down while it happens. Times in milliseconds. */
export interface TrueSession {
  readonly id: string;
  /** Of the first turn, or as the host dates a session that others began. */
  startedAt: number;
  /** When the host stored it. */
  readonly createdAt: number;
  /** Why it never counts; null = it does. */
  readonly excluded: string | null;
  readonly surface: string;
  readonly continued: 'compression' | 'branch' | null;
  /** SHA-256 of the target's text in its prompt; null = nobody can know. */
  content: string | null;
  started: number;
  completed: number;
  background: number;
  failed: number;
  /** Null = `-z`, of which agent.log says nothing. */
  log: { errors: number; warnings: number; retries: number; failedCalls: number; interrupted: number } | null;
  /** Null = state.db never had it. */
  usage: { apiCalls: number; input: number; output: number; cost: number | null; calls: number; errors: number } | null;
  lastMessageAt: number;
  endedAt: number | null;
  endReason: string | null;
}

function sum<T>(items: readonly T[], of: (item: T) => number | null): number | null {
  const known = items.map(of).filter((value) => value !== null);
  if (known.length === 0 && items.length > 0) return null;
  return known.reduce((total, value) => total + value, 0);
}

function groups(items: readonly (string | null)[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const item of items) if (item !== null) counts[item] = (counts[item] ?? 0) + 1;
  return counts;
}

/** The figures that a collection must come to, for sessions of which any turn was heard. */
export function trueFigures(all: readonly TrueSession[]): MetricsFigures {
  const heard = all.filter(({ started, completed, background }) => started + completed + background > 0);
  const sessions = heard.filter(({ excluded }) => excluded === null);
  return {
    sessionsStarted: sessions.length,
    sessionsCompleted: sessions.filter(({ completed }) => completed > 0).length,
    sessionsMeasured: sessions.filter(({ usage }) => usage !== null).length,
    sessionsPriced: sessions.filter(({ usage }) => (usage?.cost ?? null) !== null).length,
    sessionsLogged: sessions.filter(({ log }) => log !== null).length,
    turnsStarted: sum(sessions, ({ started }) => started),
    turnsCompleted: sum(sessions, ({ completed }) => completed),
    turnsFailed: sum(sessions, ({ usage, failed }) => (usage === null ? null : failed)),
    turnsInterrupted: sum(sessions, ({ log }) => log && log.interrupted),
    backgroundTurns: sum(sessions, ({ background }) => background),
    errors: sum(sessions, ({ log }) => log && log.errors),
    warnings: sum(sessions, ({ log }) => log && log.warnings),
    retries: sum(sessions, ({ log }) => log && log.retries),
    failedCalls: sum(sessions, ({ log }) => log && log.failedCalls),
    apiCalls: sum(sessions, ({ usage }) => usage && usage.apiCalls),
    toolCalls: sum(sessions, ({ usage }) => usage && usage.calls),
    toolErrors: sum(sessions, ({ usage }) => usage && usage.errors),
    inputTokens: sum(sessions, ({ usage }) => usage && usage.input),
    outputTokens: sum(sessions, ({ usage }) => usage && usage.output),
    costUsd: sum(sessions, ({ usage }) => usage && usage.cost),
    durationMs: sum(sessions, (s) => (s.usage === null ? null : (s.endedAt ?? s.lastMessageAt) - s.createdAt)),
    excluded: groups(heard.map(({ excluded }) => excluded)),
    surfaces: groups(sessions.map(({ surface }) => surface)),
    continued: groups(sessions.map(({ continued, usage }) => usage && continued)),
    endReasons: groups(sessions.map(({ endReason, usage }) => usage && endReason)),
  };
}
