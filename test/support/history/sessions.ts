import type { Random } from '#src/gate/random.js';
import type { HostWriter, MessageRow } from './host.js';
import type { TrueSession } from './truth.js';

const MINUTE = 60_000;

/** Something that happens at a moment. */
export interface Step {
  readonly at: number;
  run(): void;
}

export interface People {
  readonly host: HostWriter;
  readonly random: Random;
  /** A known price for calls of the model, or none. */
  readonly priced: boolean;
  /** The target's text now, as it stands in a system prompt, and its hash. */
  readonly text: () => { readonly prompt: string; readonly sha256: string };
  readonly truth: TrueSession[];
}

interface Kind {
  readonly name: string;
  /** In state.db; null = the host never stored the session. */
  readonly source: string | null;
  readonly platform: string;
  readonly excluded: string | null;
  readonly logs?: false;
  readonly trial?: true;
  readonly config?: object;
  readonly turns: number;
}

const KINDS: readonly Kind[] = [
  { name: 'chat', source: 'cli', platform: 'cli', excluded: null, turns: 5 },
  { name: 'chat', source: 'cli', platform: 'cli', excluded: null, turns: 3 },
  { name: 'one-shot', source: 'cli', platform: 'cli', excluded: null, turns: 1 },
  { name: '-z', source: 'cli', platform: 'cli', excluded: null, logs: false, turns: 1 },
  { name: 'gateway', source: 'telegram', platform: 'telegram', excluded: null, turns: 6 },
  { name: 'tui', source: 'tui', platform: 'tui', excluded: null, turns: 3 },
  { name: 'cron', source: 'cron', platform: 'cron', excluded: 'cron', turns: 1 },
  { name: 'subagent', source: 'subagent', platform: 'subagent', excluded: 'subagent', turns: 1 },
  { name: 'marked', source: 'mine', platform: 'cli', excluded: 'subagent', config: { _delegate_from: 'x' }, turns: 1 },
  { name: 'tool', source: 'tool', platform: 'cli', excluded: 'tool', turns: 1 },
  { name: 'trial', source: null, platform: 'cli', excluded: 'trial', trial: true, turns: 1 },
  { name: 'never stored', source: null, platform: 'cli', excluded: null, turns: 1 },
];

interface Open {
  readonly truth: TrueSession;
  readonly kind: Kind;
  readonly spoolFile: string;
  /** What the model would see: copied by compressions and branches. */
  readonly rows: MessageRow[];
  over: boolean;
}

let calls = 0;

/** The steps of one session and of those that come out of it, from its first turn on. */
export function sessionSteps(people: People, start: number): Step[] {
  const { random } = people;
  const kind = KINDS[Math.floor(random() * KINDS.length)] as Kind;
  const open = newSession(people, kind, { at: start, continued: null });
  const steps: Step[] = [{ at: start, run: () => begin(people, open) }];
  let at = start;
  let current = open;
  const turns = 1 + Math.floor(random() * kind.turns);
  for (let turn = 0; turn < turns; turn++) {
    // A chat that goes on the next day is a resumed session.
    at += random() < 0.1 ? 1440 * MINUTE : Math.ceil(random() * 20) * MINUTE;
    const fate = random();
    steps.push({
      at,
      run: () => {
        if (!current.over) current = takeTurn(people, current, fate);
      },
    });
  }
  if (random() < 0.6) {
    steps.push({
      at: at + Math.ceil(random() * 600) * MINUTE,
      run: () => end(people, current, kind.name === 'gateway' ? 'daily' : 'cli_close'),
    });
  }
  return steps;
}

function newSession(
  { host, random, text, truth }: People,
  kind: Kind,
  from: { at: number; continued: TrueSession['continued'] },
): Open {
  const stamp = new Date(from.at).toISOString().replaceAll(/\D/g, '');
  const id = `${stamp.slice(0, 8)}_${stamp.slice(8, 14)}_${Math.floor(random() * 0xffffff)
    .toString(16)
    .padStart(6, '0')}`;
  const session: TrueSession = {
    id,
    startedAt: from.at,
    createdAt: from.at,
    excluded: kind.excluded,
    surface: kind.platform,
    continued: from.continued,
    content: kind.source === null ? null : text().sha256,
    started: 0,
    completed: 0,
    background: 0,
    failed: 0,
    log: kind.logs === false ? null : { errors: 0, warnings: 0, retries: 0, failedCalls: 0, interrupted: 0 },
    usage: kind.source === null ? null : { apiCalls: 0, input: 0, output: 0, cost: 0, calls: 0, errors: 0 },
    lastMessageAt: from.at,
    endedAt: null,
    endReason: null,
  };
  truth.push(session);
  const spoolFile = `${stamp.slice(0, 10)}-${Math.floor(random() * 2 ** 48).toString(16)}`;
  host.now = from.at;
  return { truth: session, kind, spoolFile, rows: [], over: false };
}

function begin({ host, text }: People, { truth, kind }: Open): void {
  const { prompt, sha256 } = text();
  if (kind.logs !== false) {
    host.log('INFO', null, 'hermes_cli.plugins: Plugin discovery complete: 41 found, 12 enabled');
    host.log('WARNING', null, 'tools.registry: check_fn for toolset browser returned False');
    host.log('ERROR', null, 'agent.model_metadata: fetch failed while offline');
  }
  if (kind.source === null) return;
  truth.content = sha256;
  host.session({
    id: truth.id,
    source: kind.source,
    prompt,
    ...(kind.config === undefined ? {} : { config: kind.config }),
  });
}

function end({ host }: People, open: Open, reason: string): void {
  if (open.over) return;
  open.over = true;
  if (open.kind.source === null) return;
  host.end(open.truth.id, reason);
  open.truth.endedAt = host.now;
  open.truth.endReason = reason;
}

// ── One turn ──────────────────────────────────────────────────────────────

/** Plays one turn; returns the session that the chat goes on with. */
function takeTurn(people: People, open: Open, fate: number): Open {
  const { host, random } = people;
  const { truth, kind } = open;
  const first = open.rows.length === 0;
  if (first) truth.startedAt = host.now;
  const event = { session_id: truth.id, platform: kind.platform, trial: kind.trial === true };
  host.event(open.spoolFile, { ...event, hook: 'pre_llm_call', is_first_turn: first });
  truth.started++;
  tell(people, open, {
    level: 'INFO',
    text: `agent.turn_context: conversation turn: session=${truth.id} model=m provider=p platform=${kind.platform} history=${open.rows.length} msg='Please'`,
  });
  say(people, open, { role: 'user', content: `Please do ${truth.id} ${truth.started}.` });
  if (fate < 0.06) return fail(people, open);
  if (fate < 0.1) return interrupt(people, open, { answered: random() < 0.5 });
  if (fate < 0.13) return crash(people, open);
  while (random() < 0.4) useTools(people, open);
  const next = kind.source === null ? open : perhapsCompress(people, open, fate);
  call(people, next, '');
  if (first) call(people, next, 'title');
  say(people, next, { role: 'assistant', content: 'Done.' });
  tell(people, next, {
    level: 'INFO',
    text: `agent.turn_finalizer: Turn ended: reason=text_response(finish_reason=stop) model=m api_calls=1/90 budget=1/90 tool_turns=0 last_msg_role=assistant response_len=5 session=${next.truth.id}`,
  });
  host.event(next.spoolFile, { ...event, session_id: next.truth.id, hook: 'post_llm_call' });
  next.truth.completed++;
  if (random() < 0.1) review(people, next);
  return kind.source !== null && random() < 0.05 ? branch(people, next) : next;
}

function tell({ host }: People, { truth, kind }: Open, line: { level: string; text: string; tag?: string }): void {
  if (kind.logs === false || truth.log === null) return;
  host.log(line.level, line.tag ?? truth.id, line.text);
  if (line.level === 'WARNING') truth.log.warnings++;
  if (line.level === 'ERROR') truth.log.errors++;
}

function say({ host }: People, open: Open, row: MessageRow): void {
  host.now += 1000;
  open.rows.push(row);
  if (open.kind.source === null) return;
  host.message(open.truth.id, row);
  open.truth.lastMessageAt = host.now;
}

function call({ host, random, priced }: People, { truth, kind }: Open, task: string): void {
  if (kind.source === null || truth.usage === null) return;
  const [input, output] = [Math.floor(random() * 20_000), Math.floor(random() * 900)];
  // Sums of such fractions are exact, whatever their order.
  const cost = priced ? (1 + Math.floor(random() * 1000)) / 4096 : null;
  host.usage(truth.id, { task, input, output, cost });
  truth.usage.apiCalls++;
  truth.usage.input += input;
  truth.usage.output += output;
  truth.usage.cost = cost === null ? null : (truth.usage.cost ?? 0) + cost;
}

function useTools(people: People, open: Open): void {
  const { random } = people;
  call(people, open, '');
  const ids = Array.from({ length: 1 + Math.floor(random() * 3) }, () => `call_${++calls}`);
  const toolCalls = JSON.stringify(ids.map((id) => ({ id, type: 'function', function: { name: 'terminal' } })));
  say(people, open, { role: 'assistant', content: 'Let me see.', toolCalls });
  for (const toolCallId of ids) {
    const failed = random() < 0.3;
    const content = failed
      ? '{"output": "", "exit_code": 127, "error": "not found"}'
      : '{"output": "ok", "exit_code": 0}';
    // Parallel tools report from their own threads, which have no tag; the loop's warning has one.
    if (failed && open.truth.log !== null) {
      people.host.log('INFO', null, `agent.tool_executor: tool terminal failed (2.11s): ${content}`);
      tell(people, open, {
        level: 'WARNING',
        text: `agent.tool_executor: Tool terminal returned error (2.11s): ${content}`,
      });
    }
    say(people, open, { role: 'tool', content, toolCallId, toolName: 'terminal' });
    if (open.truth.usage === null) continue;
    open.truth.usage.calls++;
    if (failed) open.truth.usage.errors++;
  }
}

/** The provider refuses until the retries are used up; the host fires no hook and stores no mark of it. */
function fail(people: People, open: Open): Open {
  if (people.random() < 0.4) useTools(people, open);
  const client = 'thread=MainThread:1 provider=p base_url=https://x/v1 model=m';
  for (let attempt = 1; attempt <= 3; attempt++) {
    const text = `agent.conversation_loop: API call failed (attempt ${attempt}/3) error_type=RateLimitError ${client} summary=HTTP 429`;
    tell(people, open, { level: 'WARNING', text });
    if (open.truth.log !== null) open.truth.log.failedCalls++;
    if (attempt === 3) break;
    tell(people, open, {
      level: 'WARNING',
      text: `agent.conversation_loop: Retrying API call in 2.4s (attempt ${attempt}/3) ${client} policy=default error=429`,
    });
    if (open.truth.log !== null) open.truth.log.retries++;
  }
  const text = `agent.conversation_loop: API call failed after 3 retries. HTTP 429 | provider=p model=m msgs=9 tokens=~15,102`;
  tell(people, open, {
    level: 'ERROR',
    text: `${text}\nTraceback (most recent call last):\n  File "x.py", line 1\nE: ü`,
  });
  open.truth.failed++;
  return open;
}

function interrupt(people: People, open: Open, { answered }: { answered: boolean }): Open {
  // Nobody sits in front of -z, and what was never stored tells nothing.
  if (open.kind.logs === false || open.kind.source === null) return crash(people, open);
  if (answered) say(people, open, { role: 'assistant', content: 'I was about' });
  const reason = answered ? 'interrupted_by_user' : 'interrupted_during_api_call';
  const role = answered ? 'assistant' : 'user';
  // The tag of a reused thread is an old one.
  tell(people, open, {
    level: 'INFO',
    tag: 'stale',
    text: `agent.turn_finalizer: Turn ended: reason=${reason} model=m api_calls=1/90 budget=1/90 tool_turns=0 last_msg_role=${role} response_len=0 session=${open.truth.id}`,
  });
  if (open.truth.log !== null) open.truth.log.interrupted++;
  return open;
}

function crash(people: People, open: Open): Open {
  if (people.random() < 0.5) useTools(people, open);
  if (open.truth.log !== null) people.host.tornLog(`2026-01-05 12:00:00,000 INFO [${open.truth.id}] agent.conv`);
  people.host.tornEvent(open.spoolFile);
  open.truth.failed++;
  open.over = true;
  return open;
}

function review({ host }: People, { truth, kind, spoolFile }: Open): void {
  const event = { session_id: truth.id, platform: kind.platform, write_origin: 'background_review' };
  host.event(spoolFile, { ...event, hook: 'pre_llm_call', is_first_turn: false });
  host.event(spoolFile, { ...event, hook: 'post_llm_call' });
  truth.background++;
}

// ── Sessions out of sessions ──────────────────────────────────────────────

function perhapsCompress(people: People, open: Open, fate: number): Open {
  if (fate > 0.2) return open;
  return fate > 0.165 ? compressInPlace(people, open) : compressIntoChild(people, open);
}

function compressInPlace(people: People, open: Open): Open {
  const { host, text } = people;
  open.rows.splice(0, Math.max(0, open.rows.length - 4));
  host.compact(open.truth.id, open.rows);
  const { prompt, sha256 } = text();
  host.prompt(open.truth.id, prompt);
  open.truth.content = sha256;
  return open;
}

function continueIn(people: People, open: Open, how: 'compression' | 'branch'): Open {
  const { host, text } = people;
  const next = newSession(people, open.kind, { at: host.now, continued: how });
  end(people, open, how === 'compression' ? 'compression' : 'branched');
  const { prompt } = text();
  const config = { ...open.kind.config, ...(how === 'branch' ? { _branched_from: open.truth.id } : {}) };
  host.session({ id: next.truth.id, source: open.kind.source ?? '', prompt, parent: open.truth.id, config });
  next.rows.push(...(how === 'branch' ? open.rows : open.rows.slice(-4)));
  for (const row of next.rows) host.message(next.truth.id, row);
  return next;
}

const compressIntoChild = (people: People, open: Open) => continueIn(people, open, 'compression');
const branch = (people: People, open: Open) => continueIn(people, open, 'branch');
