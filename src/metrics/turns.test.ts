import { describe, expect, it } from 'vitest';
import { countTurns, inheritedFrom, type ReadTurns, type StoredMessage } from './turns.js';

/** `u:text`, `a` (an answer), `c:id,id` (tool calls), `t:id=result`; a `-` before it = set aside by a compaction. */
function messages(...written: string[]): StoredMessage[] {
  return written.map((text, index) => {
    const compacted = text.startsWith('-');
    const [kind, rest = ''] = (compacted ? text.slice(1) : text).split(/:(.*)/s);
    const base = { content: null, toolCalls: null, toolCallId: null, toolName: null, at: index * 1000, compacted };
    if (kind === 'u') return { ...base, role: 'user', content: rest };
    if (kind === 'a') return { ...base, role: 'assistant' };
    if (kind === 'c')
      return { ...base, role: 'assistant', toolCalls: JSON.stringify(rest.split(',').map((id) => ({ id }))) };
    const [id = '', result = ''] = rest.split(/=(.*)/s);
    return { ...base, role: 'tool', toolName: 'read_file', toolCallId: id, content: result };
  });
}

const OVER: ReadTurns = { isOver: () => true, continued: false, inherited: null };
const RUNNING: ReadTurns = { ...OVER, isOver: () => false };
const unanswered = (written: string[], read = OVER) => countTurns(messages(...written), read).unanswered;
const FAILED = '{"error":"no"}';

describe('a turn is unanswered', () => {
  it('when nothing of the model follows the message of the person', () => {
    expect(unanswered(['u:1', 'a', 'u:2', 'u:3', 'a'])).toBe(1);
    expect(unanswered(['u:1'])).toBe(1);
    expect(unanswered([])).toBe(0);
  });

  it('when it broke off between tools', () => {
    expect(unanswered(['u:1', 'c:x', 't:x=ok'])).toBe(1);
    expect(unanswered(['u:1', 'c:x', 't:x=ok', 'u:2', 'a'])).toBe(1);
    expect(unanswered(['u:1', 'c:x', 't:x=ok', 'a'])).toBe(0);
  });

  it('each time the same words stay without an answer', () => {
    expect(unanswered(['u:again', 'u:again', 'u:again', 'a'])).toBe(2);
  });

  it('not while it may still run', () => {
    expect(unanswered(['u:1', 'u:2'], RUNNING)).toBe(1);
    expect(unanswered(['u:1', 'u:2'], { ...OVER, isOver: (lastAt) => lastAt === 1000 })).toBe(2);
  });

  it('not when the host adds the text to a message with tool calls by storing it again', () => {
    expect(unanswered(['u:1', 'c:x', 'c:x'])).toBe(0);
  });
});

describe('a compaction stores messages twice', () => {
  it('within the session: they count once, and the turn that it cut in two is answered behind it', () => {
    const compacted = ['-u:1', '-a', '-u:2', '-u:3', '-c:x', `-t:x=${FAILED}`];
    const copies = ['u:[CONTEXT COMPACTION — REFERENCE ONLY] ...', 'u:2', 'u:3', 'c:x', `t:x=${FAILED}`];
    const counts = countTurns(messages(...compacted, ...copies, 'c:y', `t:y=${FAILED}`, 'a', 'u:4'), OVER);
    expect(counts).toMatchObject({ unanswered: 2, toolCalls: 2, toolErrors: 2 });
  });

  it('into a child: it counts what is new, and the parent leaves the cut turn to it', () => {
    const parent = messages('u:1', 'u:2', 'c:x', `t:x=${FAILED}`);
    expect(countTurns(parent, { ...OVER, continued: true })).toMatchObject({
      unanswered: 1,
      toolCalls: 1,
      toolErrors: 1,
    });
    const child = messages('u:1', 'u:2', 'c:x', `t:x=${FAILED}`, 'c:y', 't:y=ok');
    const inherited = inheritedFrom(parent, { midTurn: true });
    expect(countTurns(child, { ...OVER, inherited })).toMatchObject({ unanswered: 1, toolCalls: 1, toolErrors: 0 });
    const branch = { ...OVER, inherited: inheritedFrom(parent, { midTurn: false }) };
    expect(countTurns(child, branch)).toMatchObject({ unanswered: 0, toolCalls: 1 });
  });
});

describe('tools', () => {
  it('are counted by call, whatever was answered to them', () => {
    const counts = countTurns(messages('u:1', 'c:x,y', 't:x=ok', `t:y=${FAILED}`, 'a'), OVER);
    expect(counts).toMatchObject({ toolCalls: 2, toolErrors: 1, lastAt: 4000 });
  });

  it('are counted when the host stored no ids, or nothing that can be read', () => {
    const without = messages('u:1', 'c:', 't:=Error', 't:=Error', 'a').map((message) =>
      message.toolCalls === null ? message : { ...message, toolCalls: '[{"name":"a"},{"name":"a"}]' },
    );
    expect(countTurns(without, OVER)).toMatchObject({ toolCalls: 2, toolErrors: 2 });
    const broken = messages('u:1', 'c:x').map((message) => ({ ...message, toolCalls: message.toolCalls && '{' }));
    expect(countTurns(broken, OVER)).toMatchObject({ toolCalls: 1 });
  });
});
