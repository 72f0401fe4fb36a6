import { JSONRPCErrorException } from 'json-rpc-2.0';
import { describe, expect, it } from 'vitest';
import type { Channel } from './channel.js';
import { hostServicesOver } from './hostServices.js';

const request = { messages: [{ role: 'user', content: 'hi' }], purpose: 'karpathy.test' } as const;
const answer = {
  text: 'hello',
  provider: 'p',
  model: 'm',
  usage: { input_tokens: 3, output_tokens: null, total_tokens: 5 },
  cost_usd: null,
};

function channelThat(respond: (params: unknown) => Promise<unknown>): Channel {
  return {
    on: () => undefined,
    request: async (_method, params) => respond(params),
    notify: () => undefined,
    closed: new Promise(() => undefined),
  };
}

describe("the host's model", () => {
  it('is asked in the words of the host and answers in ours', async () => {
    const seen: unknown[] = [];
    const host = hostServicesOver(channelThat(async (params) => (seen.push(params), answer)));
    const completion = await host.completeWithHostModel({ ...request, maxTokens: 9, timeoutMs: 1500, model: 'x' });
    expect(seen).toEqual([
      { messages: request.messages, model: 'x', max_tokens: 9, timeout: 1.5, purpose: 'karpathy.test' },
    ]);
    expect(completion).toEqual({
      text: 'hello',
      identity: { provider: 'p', base_url: null, model: 'm' },
      usage: { inputTokens: 3, outputTokens: null, totalTokens: 5 },
      costUsd: null,
    });
  });

  it.each([
    ['trust', 'model_failed', /does not let this plugin choose/],
    ['limit', 'model_limit', /usage limit/],
    ['provider', 'model_failed', /no route/],
  ])('names a failure of kind %s', async (kind, code, message) => {
    const error = new JSONRPCErrorException('no route', -32010, { kind, message: 'no route' });
    const host = hostServicesOver(channelThat(() => Promise.reject(error)));
    await expect(host.completeWithHostModel(request)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    });
  });

  it('is a failed model when its answer has another shape', async () => {
    const host = hostServicesOver(channelThat(async () => ({ text: 7 })));
    await expect(host.completeWithHostModel(request)).rejects.toMatchObject({ code: 'model_failed' });
  });

  it('is a failed host when the Hermes process goes away', async () => {
    const host = hostServicesOver(channelThat(() => Promise.reject(new Error('The Hermes process is gone.'))));
    await expect(host.completeWithHostModel(request)).rejects.toMatchObject({ code: 'host_failed' });
  });

  it('is not waited for once the command was cancelled', async () => {
    const stop = new AbortController();
    const host = hostServicesOver(channelThat(() => new Promise(() => undefined)));
    const pending = host.completeWithHostModel({ ...request, signal: stop.signal });
    stop.abort();
    await expect(pending).rejects.toMatchObject({ name: 'AbortError' });
  });
});
