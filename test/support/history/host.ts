import { appendFileSync, copyFileSync, existsSync, mkdirSync, renameSync, truncateSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { SpoolHookEvent } from '#src/schemas.js';
import { hookEvent } from '../observed.js';
import { STATE_SCHEMA_22, STATE_SCHEMA_30 } from '../stateSchema.js';

export interface MessageRow {
  readonly role: 'user' | 'assistant' | 'tool';
  readonly content: string | null;
  readonly toolCalls?: string;
  readonly toolCallId?: string;
  readonly toolName?: string;
}

/** Writes what one profile's Hermes would leave behind: state.db, agent.log and errors.log, the hooks' spool. */
export interface HostWriter {
  readonly home: string;
  now: number;
  log(level: string, session: string | null, text: string): void;
  /** Text that a dying process left without its end. */
  tornLog(text: string): void;
  rotate(how: 'rename' | 'copy'): void;
  event(file: string, event: Partial<SpoolHookEvent>): void;
  tornEvent(file: string): void;
  /** Files of the spool that end in the middle of a line. */
  torn(): readonly string[];
  session(row: { id: string; source: string; prompt: string; parent?: string; config?: object }): void;
  prompt(id: string, prompt: string): void;
  end(id: string, reason: string): void;
  message(sessionId: string, row: MessageRow): void;
  /** In-place compaction: sets everything aside and stores `kept` again behind a summary. */
  compact(sessionId: string, kept: readonly MessageRow[]): void;
  usage(sessionId: string, use: { task: string; input: number; output: number; cost: number | null }): void;
  /** Takes state.db away for a moment. */
  withoutStateDb(act: () => void): void;
  close(): void;
}

export const SUMMARY: MessageRow = {
  role: 'user',
  content: '[CONTEXT COMPACTION — REFERENCE ONLY] Earlier turns were compacted into the summary below.',
};

const BACKUPS = 9;

export function hostWriter(home: string, where: { spoolDir: string; schema: 22 | 30 }): HostWriter {
  const { spoolDir, schema } = where;
  const logs = join(home, 'logs');
  mkdirSync(logs, { recursive: true });
  mkdirSync(spoolDir, { recursive: true });
  const statePath = join(home, 'state.db');
  let db = openState(statePath, schema === 30 ? STATE_SCHEMA_30 : STATE_SCHEMA_22);
  const insert = (table: string, row: Record<string, unknown>) => {
    const keys = Object.keys(row);
    db.prepare(`INSERT INTO ${table} (${keys.join()}) VALUES (${keys.map((key) => `@${key}`).join()})`).run(row);
  };
  const torn = new Set<string>();
  const append = (file: string, text: string) => {
    const path = join(spoolDir, `${file}.ndjson`);
    appendFileSync(path, text);
    utimesSync(path, writer.now / 1000, writer.now / 1000);
  };
  const writer: HostWriter = {
    torn: () => [...torn],
    home,
    now: 0,
    log: (level, session, text) => {
      const at = new Date(writer.now).toISOString().replace('T', ' ').replace('.', ',').slice(0, -1);
      const line = `${at} ${level}${session === null ? '' : ` [${session}]`} ${text}\n`;
      appendFileSync(join(logs, 'agent.log'), line);
      if (level !== 'INFO') appendFileSync(join(logs, 'errors.log'), line);
    },
    // What the next process says first goes on in the same line, and is lost with it.
    tornLog: (text) => appendFileSync(join(logs, 'agent.log'), `${text}2026-01-05 12:00:01,000 INFO hermes: started\n`),
    rotate: (how) => {
      const current = join(logs, 'agent.log');
      if (!existsSync(current)) return;
      for (let n = BACKUPS; n > 0; n--) {
        if (existsSync(`${current}.${n}`)) renameSync(`${current}.${n}`, `${current}.${n + 1}`);
      }
      if (how === 'rename') renameSync(current, `${current}.1`);
      else {
        copyFileSync(current, `${current}.1`);
        truncateSync(current);
      }
    },
    event: (file, event) => {
      append(file, `${JSON.stringify(hookEvent(home, { at: writer.now, ...event }))}\n`);
    },
    tornEvent: (file) => {
      torn.add(file);
      append(file, JSON.stringify(hookEvent(home, { at: writer.now })).slice(0, 70));
    },
    session: ({ id, source, prompt, parent, config }) => {
      const stored = storedPrompt(db, schema, prompt);
      insert('sessions', {
        id,
        source,
        ...stored,
        parent_session_id: parent ?? null,
        model_config: config === undefined ? null : JSON.stringify(config),
        started_at: writer.now / 1000,
      });
    },
    prompt: (id, prompt) => {
      for (const [column, value] of Object.entries(storedPrompt(db, schema, prompt))) {
        db.prepare(`UPDATE sessions SET ${column} = ? WHERE id = ?`).run(value, id);
      }
    },
    end: (id, reason) => {
      db.prepare('UPDATE sessions SET ended_at = ?, end_reason = ? WHERE id = ?').run(writer.now / 1000, reason, id);
    },
    message: (sessionId, { role, content, toolCalls, toolCallId, toolName }) => {
      insert('messages', {
        session_id: sessionId,
        role,
        content,
        tool_calls: toolCalls ?? null,
        tool_call_id: toolCallId ?? null,
        tool_name: toolName ?? null,
        timestamp: writer.now / 1000,
      });
    },
    compact: (sessionId, kept) => {
      db.prepare('UPDATE messages SET active = 0, compacted = 1 WHERE session_id = ? AND active = 1').run(sessionId);
      for (const row of [SUMMARY, ...kept]) writer.message(sessionId, row);
    },
    usage: (sessionId, { task, input, output, cost }) => {
      db.prepare(
        `INSERT INTO session_model_usage (session_id, model, task, api_call_count, input_tokens, output_tokens,
           cache_read_tokens, estimated_cost_usd, cost_status)
         VALUES (@sessionId, 'm', @task, 1, @input, @output, @cached, @cost, @status)
         ON CONFLICT DO UPDATE SET api_call_count = api_call_count + 1, input_tokens = input_tokens + @input,
           output_tokens = output_tokens + @output, cache_read_tokens = cache_read_tokens + @cached,
           estimated_cost_usd = estimated_cost_usd + @cost`,
      ).run({
        sessionId,
        task,
        input: input >> 1,
        cached: input - (input >> 1),
        output,
        cost: cost ?? 0,
        status: cost === null ? 'unknown' : 'estimated',
      });
    },
    withoutStateDb: (act) => {
      db.close();
      renameSync(statePath, `${statePath}.away`);
      act();
      renameSync(`${statePath}.away`, statePath);
      db = openState(statePath);
    },
    close: () => db.close(),
  };
  return writer;
}

function openState(path: string, schema?: string): Database.Database {
  const db = new Database(path);
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = OFF');
  if (schema !== undefined) db.exec(schema);
  return db;
}

/** From schema 30 on a prompt is stored once. */
function storedPrompt(db: Database.Database, schema: 22 | 30, prompt: string): Record<string, string> {
  if (schema === 22) return { system_prompt: prompt };
  const hash = `h${prompt.length}-${prompt.slice(0, 80)}-${prompt.slice(-80)}`;
  db.prepare('INSERT OR IGNORE INTO system_prompts VALUES (?, ?)').run(hash, prompt);
  return { system_prompt_hash: hash };
}
