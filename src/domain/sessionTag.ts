/** What is known about a session that started or went on under a profile. Times in milliseconds since the epoch. */
export interface SessionTag {
  readonly sessionId: string;
  readonly parentSessionId: string | null;
  /** The experiment that was live when the session started. */
  readonly experimentId: number | null;
  /** Of the target's raw bytes as the stored prompt has them; null = not known. */
  readonly contentSha256: string | null;
  readonly startedAt: number;
  /** 1 = its first turn was seen, which dates it; 0 = only the host can. */
  readonly startSeen: 0 | 1;
  readonly startedTurns: number;
  readonly completedTurns: number;
  /** Turns of the host's own review of the conversation, under the conversation's session id; no turns of it. */
  readonly backgroundTurns: number;
  readonly platform: string | null;
  readonly model: string | null;
  /** Why the session never counts; null = it does. */
  readonly excludedReason: string | null;
  /** Null = only background work so far. */
  readonly lastTurnAt: number | null;
}

/** A session as its events tell it, before it is stored. */
export type TagState = Omit<SessionTag, 'sessionId' | 'experimentId'>;
