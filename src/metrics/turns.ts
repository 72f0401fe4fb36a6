import { toolFailed } from './toolFailed.js';

/** A stored message, as far as counting needs it. */
export interface StoredMessage {
  readonly role: string;
  /** Null for the answers of the model: they may be long and only their presence counts. */
  readonly content: string | null;
  /** JSON list of `{id, ...}` on a message of the model that calls tools. */
  readonly toolCalls: string | null;
  readonly toolCallId: string | null;
  readonly toolName: string | null;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Set aside by a compaction within the session, which stored part of it a second time. */
  readonly compacted: boolean;
}

export interface TurnCounts {
  /** Turns that are over and have no answer. */
  readonly unanswered: number;
  readonly toolCalls: number;
  readonly toolErrors: number;
  /** Time of the newest message; null without any. */
  readonly lastAt: number | null;
}

/** What a parent session holds already; a compression or a branch stores it in its child a second time. */
export interface Inherited {
  readonly calls: ReadonlySet<string>;
  readonly results: ReadonlySet<string>;
  /** Turns, except the one that was in flight when the child was split off. */
  readonly turns: ReadonlySet<string>;
}

interface Turn {
  readonly key: string;
  answered: boolean;
  /** Cut in two by a compaction: its second half is counted. */
  inFlight: boolean;
  readonly calls: Set<string>;
}

export interface ReadTurns {
  /** Whether the session's last turn is over, by the time of its newest message. */
  readonly isOver: (lastAt: number | null) => boolean;
  /** The session went on in a child in the middle of its last turn. */
  readonly continued: boolean;
  readonly inherited: Inherited | null;
}

/** The host's summary of what a compaction set aside begins so; it is no message of a person. */
const SUMMARY = /^\[CONTEXT (COMPACTION|SUMMARY)/;

/** Begins the key of a call that the host stored without an id. */
const ROW = 'row ';

/**
 * Counts turns and tools of one session from its messages in the order they were stored. The host fires no hook for a
 * failed turn and stores no mark of it; what it leaves is a message of the person without an answer of the model
 * behind it. Messages that a compaction or a branch stored twice are counted once, by the ids of the tool calls and
 * the texts of the person.
 */
export function countTurns(messages: Iterable<StoredMessage>, read: ReadTurns): TurnCounts {
  const folded = fold(messages);
  const copied = folded.compacted || read.inherited !== null;
  const last = folded.turns.at(-1);
  if (last !== undefined && (read.continued || !read.isOver(folded.lastAt))) last.inFlight = true;
  const inherited = (kind: 'calls' | 'results' | 'turns', key: string) => read.inherited?.[kind].has(key) ?? false;
  const answered = new Set(folded.turns.filter((turn) => turn.answered).map(({ key }) => key));
  const own = folded.turns.filter(({ key }) => !inherited('turns', key));
  const failed = own.filter((turn) => !turn.answered && !turn.inFlight && !(copied && answered.has(turn.key)));
  const count = <T>(items: readonly T[], keyOf: (item: T) => string) =>
    copied ? new Set(items.map(keyOf)).size : items.length;
  const results = folded.results.filter((result) => result.failed && !inherited('results', result.key));
  return {
    unanswered: count(failed, (turn) => turn.key),
    toolCalls: count(
      folded.calls.filter((key) => !inherited('calls', key)),
      (key) => key,
    ),
    toolErrors: count(results, (result) => result.key),
    lastAt: folded.lastAt,
  };
}

/** What a child of this session may repeat. In the middle of a turn it was split off by a compression. */
export function inheritedFrom(messages: Iterable<StoredMessage>, split: { readonly midTurn: boolean }): Inherited {
  const { calls, results, turns } = fold(messages);
  // What has no id of the host's own can't be known again in the child.
  const known = (keys: readonly string[]) => new Set(keys.filter((key) => !key.startsWith(ROW)));
  return {
    calls: known(calls),
    results: known(results.map(({ key }) => key)),
    turns: new Set((split.midTurn ? turns.slice(0, -1) : turns).map(({ key }) => key)),
  };
}

interface Folded {
  readonly turns: Turn[];
  readonly calls: string[];
  readonly results: { readonly key: string; readonly failed: boolean }[];
  compacted: boolean;
  lastAt: number | null;
}

function fold(messages: Iterable<StoredMessage>): Folded {
  const folded: Folded = { turns: [], calls: [], results: [], compacted: false, lastAt: null };
  let turn: Turn | null = null;
  let wasCompacted = false;
  let row = 0;
  for (const message of messages) {
    row++;
    folded.lastAt = Math.max(folded.lastAt ?? 0, message.at);
    // The turn in which the session was compacted goes on behind the copies.
    if (wasCompacted && !message.compacted && turn !== null) turn.inFlight = true;
    wasCompacted = message.compacted;
    folded.compacted ||= message.compacted;
    if (message.role === 'user') {
      turn = userTurn(message.content ?? '');
      if (turn !== null) folded.turns.push(turn);
    } else if (message.role === 'assistant') {
      answer(folded, turn, callKeys(message.toolCalls, row));
    } else if (message.role === 'tool') {
      const failed = message.content !== null && toolFailed(message.toolName ?? '', message.content);
      folded.results.push({ key: named(message.toolCallId) ?? `${ROW}${row}`, failed });
    }
  }
  return folded;
}

function userTurn(content: string): Turn | null {
  if (SUMMARY.test(content)) return null;
  return {
    key: `${content.length} ${content.slice(0, 200)}`,
    answered: false,
    inFlight: false,
    calls: new Set(),
  };
}

/** A message without tool calls answers; so does one that repeats its calls, where the host adds the text late. */
function answer(folded: Folded, turn: Turn | null, calls: readonly string[]): void {
  const repeated = turn !== null && calls.every((key) => turn.calls.has(key));
  if (turn !== null) {
    turn.answered = repeated;
    for (const key of calls) turn.calls.add(key);
  }
  if (!repeated) folded.calls.push(...calls);
}

function callKeys(toolCalls: string | null, row: number): string[] {
  if (toolCalls === null || toolCalls === '') return [];
  let calls: unknown;
  try {
    calls = JSON.parse(toolCalls);
  } catch {
    return [`${ROW}${row}`];
  }
  if (!Array.isArray(calls)) return [`${ROW}${row}`];
  return calls.map((call: unknown, index) => {
    const id = typeof call === 'object' && call !== null && 'id' in call ? call.id : null;
    return (typeof id === 'string' ? named(id) : null) ?? `${ROW}${row} ${index}`;
  });
}

function named(id: string | null): string | null {
  return id === '' ? null : id;
}
