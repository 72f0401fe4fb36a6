import { afterEach, describe, expect, it } from 'vitest';
import {
  call,
  fail,
  scripted,
  startModelServer,
  type ModelServer,
  type Responder,
} from '../../support/modelServer/index.js';

describe('the model server', () => {
  const servers: ModelServer[] = [];
  const start = async (responder: Responder, options = {}) => {
    const server = await startModelServer({ models: { agent: responder }, ...options });
    servers.push(server);
    return server;
  };
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.close()));
  });
  const post = (server: ModelServer, body: unknown, headers: Record<string, string> = {}) =>
    fetch(`${server.baseUrl}/chat/completions`, { method: 'POST', body: JSON.stringify(body), headers });
  const messages = [{ role: 'user', content: 'hi' }];

  it('lists its models with their context length', async () => {
    const server = await start(scripted(['hello']));
    expect(await (await fetch(`${server.baseUrl}/models`)).json()).toMatchObject({
      data: [{ id: 'agent', context_length: 128_000 }],
    });
  });

  it('answers whole, with usage', async () => {
    const server = await start(scripted(['hello']));
    expect(await (await post(server, { model: 'agent', messages })).json()).toMatchObject({
      model: 'agent',
      choices: [{ message: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' }],
      usage: { completion_tokens: expect.any(Number) as number },
    });
  });

  it('answers as a stream whose last chunks are usage and [DONE]', async () => {
    const server = await start(scripted([call('todo', { todos: [] })]));
    const lines = (await (await post(server, { model: 'agent', messages, stream: true })).text()).trim().split('\n\n');
    expect(lines.at(-1)).toBe('data: [DONE]');
    expect(lines.at(-2)).toContain('"usage":{"prompt_tokens"');
    expect(lines.join()).toContain('"finish_reason":"tool_calls"');
    expect(lines.join()).toContain('"name":"todo"');
  });

  it('answers other probes and unknown models with 404', async () => {
    const server = await start(scripted(['hello']));
    expect((await fetch(`${server.baseUrl}/props`)).status).toBe(404);
    expect((await post(server, { prompt: 'x' })).status).toBe(404);
    expect((await post(server, { model: 'other', messages })).status).toBe(404);
  });

  it('fails as scripted: statuses, garbage, a broken connection, silence', async () => {
    const server = await start(
      scripted([
        fail(429, 'slow down', { 'retry-after': '1' }),
        { kind: 'garbage', body: '<html>' },
        { kind: 'cut' },
        { kind: 'hang' },
      ]),
    );
    const limited = await post(server, { model: 'agent', messages });
    expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, '1']);
    await expect((await post(server, { model: 'agent', messages })).json()).rejects.toThrow();
    await expect(post(server, { model: 'agent', messages }).then((r) => r.text())).rejects.toThrow();
    const silent = fetch(`${server.baseUrl}/chat/completions`, {
      method: 'POST',
      body: JSON.stringify({ model: 'agent', messages }),
      signal: AbortSignal.timeout(200),
    });
    await expect(silent).rejects.toThrow(/timeout|aborted/i);
  });

  it('refuses a wrong key with 401 when it has one', async () => {
    const server = await start(scripted(['hello']), { apiKey: 'right' });
    expect((await post(server, { model: 'agent', messages })).status).toBe(401);
    expect((await post(server, { model: 'agent', messages }, { authorization: 'Bearer right' })).status).toBe(200);
  });
});
