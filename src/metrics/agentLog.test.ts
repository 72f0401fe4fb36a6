import { describe, expect, it } from 'vitest';
import { countRecord, mayCount, parseLogLine, type SessionLogCounts } from './agentLog.js';

const SESSION = '20260814_211500_a1b2c3';

const NOTHING = { errors: 0, warnings: 0, retries: 0, failedCalls: 0, interruptedTurns: 0, interruptedUnanswered: 0 };

function counted(lines: readonly string[]): Record<string, SessionLogCounts> {
  const counts = new Map<string, SessionLogCounts>();
  for (const line of lines) {
    const bytes = Buffer.from(line);
    if (!mayCount(bytes, 0, bytes.length)) continue;
    const record = parseLogLine(line);
    if (record !== null) countRecord(counts, record);
  }
  return Object.fromEntries(counts);
}

describe('parseLogLine', () => {
  it('reads level, session, logger and message', () => {
    expect(
      parseLogLine(
        `2026-08-14 21:15:09,031 WARNING [${SESSION}] agent.tool_executor: Tool terminal returned error (2.11s): {}`,
      ),
    ).toEqual({
      level: 'WARNING',
      sessionId: SESSION,
      logger: 'agent.tool_executor',
      message: 'Tool terminal returned error (2.11s): {}',
    });
    expect(parseLogLine('2026-08-14 21:30:00,900 INFO hermes_cli.plugins: done')?.sessionId).toBeNull();
  });

  it.each([
    '',
    'Traceback (most recent call last):',
    '  File "x.py", line 1, in <module>',
    'ValueError: 2026-08-14 21:15:09,031 WARNING no record of its own',
    '21:15:09 - agent - WARNING - another program',
    '{"level":"error","msg":"json"}',
  ])('takes %j for no record', (line) => {
    expect(parseLogLine(line)).toBeNull();
  });

  it("trusts the session named at a turn's end over the tag of a reused thread", () => {
    const line = `2026-08-14 21:16:02,700 WARNING [stale] agent.turn_finalizer: Turn ended with pending tool result. reason=x response_len=6 session=${SESSION} last_tool=terminal`;
    expect(parseLogLine(line)?.sessionId).toBe(SESSION);
    const other = '2026-08-14 21:16:02,700 WARNING [mine] agent.loop: the user wrote session=yours';
    expect(parseLogLine(other)?.sessionId).toBe('mine');
  });
});

describe('countRecord', () => {
  it('counts errors, warnings and retries under their session', () => {
    expect(
      counted([
        `2026-08-14 21:15:11,502 WARNING [${SESSION}] agent.conversation_loop: API call failed (attempt 1/3) error_type=RateLimitError`,
        `2026-08-14 21:15:11,503 WARNING [${SESSION}] agent.conversation_loop: Retrying API call in 2.4s (attempt 1/3) thread=x`,
        `2026-08-14 21:15:40,880 ERROR [${SESSION}] agent.conversation_loop: API call failed after 3 retries.`,
        'Traceback (most recent call last):',
        `2026-08-14 21:15:41,000 CRITICAL [other] agent.x: gone`,
        `2026-08-14 21:15:42,000 INFO [${SESSION}] agent.conversation_loop: API call #1`,
      ]),
    ).toEqual({
      [SESSION]: { ...NOTHING, errors: 1, warnings: 2, retries: 1, failedCalls: 1 },
      other: { ...NOTHING, errors: 1 },
    });
  });

  it('does not count what the host says while it starts', () => {
    expect(counted(['2026-08-14 21:15:00,000 WARNING tools.registry: check_fn x returned False'])).toEqual({});
  });

  it('counts errors that happen twice at the same moment twice', () => {
    const line = `2026-08-14 21:15:09,031 ERROR [${SESSION}] agent.tool_executor: boom`;
    expect(counted([line, line])[SESSION]?.errors).toBe(2);
  });

  it('knows a session that the log speaks of, whatever else it says', () => {
    const line = `2026-08-14 21:15:09,031 INFO [stale] agent.turn_context: conversation turn: session=${SESSION} model=m provider=p platform=cli history=0 msg='x'`;
    expect(counted([line])).toEqual({ [SESSION]: NOTHING });
  });

  it('tells turns that a person stopped, and which of them had no answer', () => {
    const ended = (reason: string, role: string) =>
      `2026-08-14 21:16:02,700 INFO [stale] agent.turn_finalizer: Turn ended: reason=${reason} model=m api_calls=1/90 budget=1/90 tool_turns=0 last_msg_role=${role} response_len=6 session=${SESSION}`;
    const lines = [ended('interrupted_during_api_call', 'user'), ended('interrupted_by_user', 'assistant')];
    expect(counted([...lines, ended('text_response(finish_reason=stop)', 'assistant')])).toEqual({
      [SESSION]: { ...NOTHING, interruptedTurns: 2, interruptedUnanswered: 1 },
    });
  });

  it('counts an answer that was no answer as a failed call and a retry', () => {
    const line = `2026-08-14 21:15:11,502 WARNING [${SESSION}] agent.conversation_loop: [sub-1] Invalid API response (retry 1/3): empty | Provider: p`;
    expect(counted([line])[SESSION]).toMatchObject({ warnings: 1, retries: 1, failedCalls: 1 });
  });
});

describe('mayCount', () => {
  it.each(['', '2026-08-14', 'x'.repeat(300), '{"level":"error","message":"of another program"}', ' '.repeat(24)])(
    'passes over %j',
    (line) => {
      expect(mayCount(Buffer.from(line), 0, line.length)).toBe(false);
    },
  );
});
