import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { SPOOL_FORMAT, type SpoolHookEvent, type SpoolProcessEvent } from '../../src/schemas.js';
import type { TestContext } from './context.js';
import { TEST_EPOCH } from './epoch.js';
import { STATE_SCHEMA_22 } from './stateSchema.js';

/** What the hooks and the host leave behind, written as they write it: real files, a real state.db. */

let last = 0;

/** A turn's event; `pre_llm_call` of a first turn unless said otherwise. */
export function hookEvent(home: string, event: Partial<SpoolHookEvent> = {}): SpoolHookEvent {
  return {
    v: SPOOL_FORMAT,
    id: `event-${++last}`,
    hook: 'pre_llm_call',
    session_id: 's1',
    turn_id: 't1',
    home,
    is_first_turn: event.hook === 'post_llm_call' ? null : true,
    model: 'model-a',
    platform: 'cli',
    write_origin: 'assistant_tool',
    trial: false,
    at: TEST_EPOCH,
    ...event,
  };
}

export function processEvent(home: string, event: Partial<SpoolProcessEvent> = {}): SpoolProcessEvent {
  return {
    v: SPOOL_FORMAT,
    id: `event-${++last}`,
    hook: 'process',
    pid: process.pid,
    home,
    build: 'b1',
    version: '0.1.0',
    host_version: '0.19.0',
    argv: 'hermes chat',
    at: TEST_EPOCH,
    ...event,
  };
}

/** Appends events, or raw text, to a file of the spool; returns its path. */
export function writeSpool(
  fixture: Pick<TestContext, 'ctx'>,
  lines: readonly (SpoolHookEvent | SpoolProcessEvent | string)[],
  name = '2026010512-aaaa.ndjson',
): string {
  const { spoolDir } = fixture.ctx.paths;
  mkdirSync(spoolDir, { recursive: true, mode: 0o700 });
  const path = join(spoolDir, name);
  const text = lines.map((line) => (typeof line === 'string' ? line : `${JSON.stringify(line)}\n`)).join('');
  appendFileSync(path, text);
  return path;
}

export interface StoredSessionInput {
  readonly id: string;
  readonly prompt?: string | null;
  readonly source?: string;
  readonly parent?: string | null;
  /** Milliseconds; stored in seconds, as the host does. */
  readonly startedAt?: number;
  readonly endedAt?: number | null;
  readonly endReason?: string | null;
  /** `_delegate_from`, `_branched_from`. */
  readonly config?: Readonly<Record<string, string>>;
}

/** Opens (and creates) a profile's state.db as the host has it, for a test to fill. Close it. */
export function openStateDb(home: string): Database.Database {
  const db = new Database(join(home, 'state.db'));
  db.pragma('journal_mode = WAL');
  db.exec(STATE_SCHEMA_22);
  return db;
}

/** Stores sessions in the profile's state.db; one that is there is replaced. */
export function storeSessions(home: string, sessions: readonly StoredSessionInput[]): void {
  const db = openStateDb(home);
  try {
    const insert = db.prepare(
      `INSERT OR REPLACE INTO sessions (id, source, system_prompt, parent_session_id, started_at, ended_at, end_reason, model_config)
       VALUES (@id, @source, @prompt, @parent, @startedAt, @endedAt, @endReason, @config)`,
    );
    for (const session of sessions) {
      insert.run({
        id: session.id,
        source: session.source ?? 'cli',
        prompt: session.prompt ?? null,
        parent: session.parent ?? null,
        startedAt: (session.startedAt ?? TEST_EPOCH) / 1000,
        endedAt: session.endedAt == null ? null : session.endedAt / 1000,
        endReason: session.endReason ?? null,
        config: session.config === undefined ? null : JSON.stringify(session.config),
      });
    }
  } finally {
    db.close();
  }
}

export interface StoredMessageInput {
  readonly role: 'user' | 'assistant' | 'tool';
  readonly content?: string | null;
  /** Ids of the calls of a message of the model. */
  readonly calls?: readonly string[];
  /** Of a tool's result. */
  readonly callId?: string;
  readonly tool?: string;
  /** Milliseconds. */
  readonly at?: number;
  /** Set aside by a compaction. */
  readonly compacted?: boolean;
}

/** Appends messages to a stored session, a second apart unless said otherwise. */
export function storeMessages(home: string, sessionId: string, messages: readonly StoredMessageInput[]): void {
  const db = openStateDb(home);
  try {
    const insert = db.prepare(
      `INSERT INTO messages (session_id, role, content, tool_calls, tool_call_id, tool_name, timestamp, active, compacted)
       VALUES (@sessionId, @role, @content, @calls, @callId, @tool, @at, @active, @compacted)`,
    );
    messages.forEach((message, index) => {
      const call = (id: string) => ({
        id,
        type: 'function',
        function: { name: message.tool ?? 'todo', arguments: '{}' },
      });
      insert.run({
        sessionId,
        role: message.role,
        content: message.content ?? null,
        calls: message.calls === undefined ? null : JSON.stringify(message.calls.map(call)),
        callId: message.callId ?? null,
        tool: message.role === 'tool' ? (message.tool ?? 'todo') : null,
        at: (message.at ?? TEST_EPOCH + index * 1000) / 1000,
        active: message.compacted === true ? 0 : 1,
        compacted: message.compacted === true ? 1 : 0,
      });
    });
  } finally {
    db.close();
  }
}

/** A system prompt as the host builds it around a context file that stands first. */
export function promptWith(soul: string): string {
  return `${soul.trim()}\n\nYou run on Hermes Agent.\n\nCurrent time: Monday.`;
}

/** A session with one completed turn, in the spool and in state.db. */
export function completedSession(
  fixture: Pick<TestContext, 'ctx' | 'home'>,
  session: StoredSessionInput & { readonly startedAt: number; readonly event?: Partial<SpoolHookEvent> },
): void {
  storeSessions(fixture.home, [session]);
  const event = { session_id: session.id, ...session.event };
  writeSpool(fixture, [
    hookEvent(fixture.home, { ...event, hook: 'pre_llm_call', at: session.startedAt }),
    hookEvent(fixture.home, { ...event, hook: 'post_llm_call', at: session.startedAt + 1000 }),
  ]);
}
