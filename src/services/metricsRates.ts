import type { Sums } from '../store/metrics.js';

/** Figures that windows of different size can be compared by; null = not known, or nothing to divide by. */
export interface Rates {
  /** Share of started sessions with a completed turn, in [0, 1]. */
  readonly completedSessions: number | null;
  /** Share of started turns, in [0, 1]. */
  readonly failedTurns: number | null;
  /** Share of tool calls, in [0, 1]. */
  readonly toolErrors: number | null;
  /** For each session that agent.log speaks of. */
  readonly errors: number | null;
  readonly retries: number | null;
  /** Input and output, for each session that state.db has. */
  readonly tokens: number | null;
  /** USD for each session whose cost is known. */
  readonly costUsd: number | null;
}

export function ratesOf(figures: Sums): Rates {
  const { inputTokens, outputTokens } = figures;
  const tokens = inputTokens === null || outputTokens === null ? null : inputTokens + outputTokens;
  return {
    completedSessions: ratio(figures.sessionsCompleted, figures.sessionsStarted),
    failedTurns: ratio(figures.turnsFailed, figures.turnsStarted),
    toolErrors: ratio(figures.toolErrors, figures.toolCalls),
    errors: ratio(figures.errors, figures.sessionsLogged),
    retries: ratio(figures.retries, figures.sessionsLogged),
    tokens: ratio(tokens, figures.sessionsMeasured),
    costUsd: ratio(figures.costUsd, figures.sessionsPriced),
  };
}

function ratio(part: number | null, whole: number | null): number | null {
  return part === null || whole === null || whole === 0 ? null : part / whole;
}
