/** How a session took over the messages of another one. */
export type Continues = 'compression' | 'branch';

/** What the host's state.db says one session used. `null` = that host does not store it. Times in milliseconds. */
export interface SessionUsage {
  readonly sessionId: string;
  readonly source: string | null;
  readonly continues: Continues | null;
  readonly endReason: string | null;
  readonly endedAt: number | null;
  /** From its start to its end, or to its newest message while it is open. */
  readonly durationMs: number | null;
  readonly apiCalls: number | null;
  /** Read from and written to the provider's cache included. */
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  /** USD; null as well when the host knew no price for any call. */
  readonly costUsd: number | null;
  /** Turns that are over and got no answer, stopped by a person or failed. */
  readonly turnsUnanswered: number | null;
  readonly toolCalls: number | null;
  readonly toolErrors: number | null;
}
