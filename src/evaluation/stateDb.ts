import { existsSync } from 'node:fs';
import Database from 'better-sqlite3';

/** What one trial left in the state.db of its slot. A slot has no other sessions. */
export interface StoredTrial {
  /** The first session; compression may have added children. */
  readonly sessionId: string;
  readonly systemPrompt: string | null;
  readonly model: string | null;
  readonly apiCalls: number | null;
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  /** Part of the input; null when the provider reports no cache, or nothing was read from it. */
  readonly cachedInputTokens: number | null;
  /** USD as the host reckoned it; null when it says that it doesn't know. */
  readonly costUsd: number | null;
  /** Text of the last answer of the agent; empty when there is none. */
  readonly response: string;
  /** The last message is an answer of the agent, not a tool's result or the user's text. */
  readonly answered: boolean;
  readonly toolCalls: readonly StoredToolCall[];
}

export interface StoredToolCall {
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
  readonly result: string | null;
}

interface SessionRow {
  readonly id: string;
  readonly model: string | null;
  readonly prompt: string | null;
}

interface MessageRow {
  readonly role: string;
  readonly content: string | null;
  readonly tool_call_id: string | null;
  readonly tool_calls: string | null;
}

/** Reads the trial; null when the host got no further than an empty database. */
export function readStateDb(path: string): StoredTrial | null {
  if (!existsSync(path)) return null;
  const db = new Database(path, { readonly: true, fileMustExist: true, timeout: 2000 });
  try {
    const sessions = readSessions(db);
    const first = sessions[0];
    if (first === undefined) return null;
    const messages = readMessages(db);
    const last = messages.at(-1);
    const answers = messages.filter((m) => m.role === 'assistant');
    return {
      sessionId: first.id,
      systemPrompt: first.prompt,
      model: first.model,
      ...readUsage(db),
      response: textOf(answers.at(-1)?.content ?? null),
      answered: last?.role === 'assistant' && last.tool_calls === null,
      toolCalls: pairToolCalls(messages),
    };
  } finally {
    db.close();
  }
}

function columns(db: Database.Database, table: string): Set<string> {
  return new Set((db.pragma(`table_info(${table})`) as { name: string }[]).map((column) => column.name));
}

function readSessions(db: Database.Database): SessionRow[] {
  const known = columns(db, 'sessions');
  if (!known.has('id')) return [];
  // Newer hosts keep the prompt's text in a table of its own.
  const shared = known.has('system_prompt_hash') && columns(db, 'system_prompts').has('prompt');
  const prompt = shared ? 'COALESCE(s.system_prompt, p.prompt)' : 's.system_prompt';
  const join = shared ? 'LEFT JOIN system_prompts p ON p.hash = s.system_prompt_hash' : '';
  return db
    .prepare<[], SessionRow>(
      `SELECT s.id, s.model, ${prompt} AS prompt FROM sessions s ${join} ORDER BY s.started_at, s.rowid`,
    )
    .all();
}

function readMessages(db: Database.Database): MessageRow[] {
  const known = columns(db, 'messages');
  if (!known.has('id')) return [];
  const active = known.has('active') ? 'WHERE active = 1 OR active IS NULL' : '';
  return db
    .prepare<[], MessageRow>(`SELECT role, content, tool_call_id, tool_calls FROM messages ${active} ORDER BY id`)
    .all();
}

interface UsageRow {
  readonly models: number;
  readonly calls: number | null;
  readonly input: number;
  readonly output: number;
  readonly cached: number | null;
  readonly usd: number;
  readonly unpriced: number;
}

type Usage = Pick<StoredTrial, 'apiCalls' | 'inputTokens' | 'outputTokens' | 'cachedInputTokens' | 'costUsd'>;

function readUsage(db: Database.Database): Usage {
  const known = columns(db, 'session_model_usage');
  const empty = { apiCalls: null, inputTokens: null, outputTokens: null, cachedInputTokens: null, costUsd: null };
  if (!known.has('input_tokens')) return empty;
  const cached = ['cache_read_tokens', 'cache_write_tokens'].filter((name) => known.has(name));
  const input = ['input_tokens', ...cached].join(' + ');
  const row = db
    .prepare(
      `SELECT COUNT(*) AS models, SUM(api_call_count) AS calls, SUM(${input}) AS input, SUM(output_tokens) AS output,
         ${known.has('cache_read_tokens') ? 'SUM(cache_read_tokens)' : 'NULL'} AS cached,
         SUM(COALESCE(NULLIF(actual_cost_usd, 0), estimated_cost_usd)) AS usd,
         SUM(COALESCE(cost_status, 'unknown') IN ('unknown', '')) AS unpriced
       FROM session_model_usage`,
    )
    .get() as UsageRow;
  if (row.models === 0) return empty;
  return {
    apiCalls: row.calls,
    inputTokens: row.input,
    outputTokens: row.output,
    // The host writes 0 for a provider that says nothing about its cache.
    cachedInputTokens: row.cached === 0 ? null : row.cached,
    costUsd: row.unpriced === 0 ? row.usd : null,
  };
}

/** Content is plain text, or JSON of its parts. */
function textOf(content: string | null): string {
  if (content === null) return '';
  if (!content.startsWith('[')) return content;
  try {
    const parts: unknown = JSON.parse(content);
    if (!Array.isArray(parts) || parts.some((part: unknown) => typeof part !== 'object' || part === null))
      return content;
    const texts = parts.flatMap((part: object) => ('text' in part && typeof part.text === 'string' ? [part.text] : []));
    return texts.length === 0 ? content : texts.join('\n');
  } catch {
    return content;
  }
}

/** Some providers number their calls anew in every answer: of equal ids the results come in the order of the calls. */
function pairToolCalls(messages: readonly MessageRow[]): StoredToolCall[] {
  const results = new Map<string, (string | null)[]>();
  for (const { role, tool_call_id: id, content } of messages) {
    if (role === 'tool' && id !== null) results.set(id, [...(results.get(id) ?? []), content]);
  }
  return messages.flatMap((message) => {
    if (message.role !== 'assistant' || message.tool_calls === null) return [];
    return parseCalls(message.tool_calls).map((call) => ({ ...call, result: results.get(call.id)?.shift() ?? null }));
  });
}

function parseCalls(json: string): Omit<StoredToolCall, 'result'>[] {
  try {
    const calls = JSON.parse(json) as { id?: string; function?: { name?: string; arguments?: unknown } }[];
    return calls.map((call) => ({
      id: call.id ?? '',
      name: call.function?.name ?? '',
      arguments:
        typeof call.function?.arguments === 'string'
          ? call.function.arguments
          : JSON.stringify(call.function?.arguments ?? {}),
    }));
  } catch {
    return [];
  }
}
