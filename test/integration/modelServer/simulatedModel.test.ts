import { describe, expect, it } from 'vitest';
import {
  identityOf,
  simulatedModel,
  truthOf,
  type ChatMessage,
  type ChatRequest,
  type Reply,
} from '../../support/modelServer/index.js';

const PLAIN = 'You are Bee, a careful helper.';
const ASKING = `${PLAIN} End every answer with one line that starts with "In short:".`;

function request(identity: string, user: string, extra: Partial<ChatRequest> = {}): ChatRequest {
  const system = `${identity}\n\nYou run on Hermes Agent (by Nous Research).\n\nCurrent working directory: ${Math.random()}`;
  const messages: ChatMessage[] = [
    { role: 'system', content: system },
    { role: 'user', content: user },
  ];
  return { model: 'sim-agent', messages, ...extra };
}

const textOfReply = (reply: Reply) => (reply.kind === 'message' ? reply.text : '');

async function answers(identity: string, options: { seed: string; users: readonly string[] }) {
  const model = simulatedModel({ seed: options.seed });
  return Promise.all(options.users.map(async (user) => textOfReply(await model(request(identity, user)))));
}

describe('the simulated model', () => {
  const users = Array.from({ length: 400 }, (_, i) => `How much is delivery ${i}?`);

  it("takes the identity without the host's own sections, so that paths and dates change nothing", () => {
    expect(identityOf(`${PLAIN}\n\nYou run on Hermes Agent (by Nous Research).\n\nHost: Linux`)).toBe(PLAIN);
    expect(identityOf(`${PLAIN}\n\nConversation started: Monday`)).toBe(PLAIN);
    expect(identityOf('You grade answers.')).toBe('You grade answers.');
  });

  it('gives the same answers for the same seed, in whatever order they are asked', async () => {
    const forwards = await answers(PLAIN, { seed: 'a', users });
    const backwards = await answers(PLAIN, { seed: 'a', users: [...users].reverse() });
    expect(backwards.reverse()).toEqual(forwards);
    expect(await answers(PLAIN, { seed: 'b', users })).not.toEqual(forwards);
  });

  it('draws anew at each repetition', async () => {
    const repeated = await answers(PLAIN, { seed: 'a', users: Array.from({ length: 60 }, () => 'How much?') });
    const long = repeated.filter((text) => text.split(/\s+/).length > 40).length;
    // Four in five are long when nobody asks for brevity.
    expect(long).toBeGreaterThan(35);
    expect(long).toBeLessThan(60);
  });

  it('shows a behaviour as often as the truth says', async () => {
    for (const identity of [PLAIN, ASKING]) {
      const texts = await answers(identity, { seed: 'a', users });
      const share = texts.filter((text) => /^In short: .+$/m.test(text)).length / texts.length;
      expect(Math.abs(share - truthOf(identity).summary)).toBeLessThan(0.06);
    }
    expect(truthOf(ASKING).summary - truthOf(PLAIN).summary).toBeGreaterThan(0.5);
  });

  it('keeps to what it drew when a tool result continues the turn', async () => {
    const model = simulatedModel({ seed: 'a' });
    const tools = [{ function: { name: 'clarify' } }, { function: { name: 'terminal' } }];
    const first = request('Ask before you delete anything.', 'Please delete the build folder.', { tools });
    const reply = await model(first);
    if (reply.kind !== 'message' || !reply.toolCalls?.[0]?.id) throw new Error('no tool call');
    const call = reply.toolCalls[0];
    expect(call.name).toBe('clarify');
    const continued = [...first.messages, { role: 'tool', tool_call_id: call.id!, content: 'yes' }];
    const second = await model({ ...first, messages: continued });
    expect(textOfReply(second)).toContain('The files are gone.');
    expect(await model({ ...first, messages: continued })).toEqual(second);
  });
});
