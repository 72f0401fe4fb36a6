import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { KarpathyError } from '#src/errors.js';
import { createModel } from '#src/llm/createModel.js';
import type { CompletionRequest } from '#src/ports.js';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

type Handler = (request: IncomingMessage & { body: Record<string, unknown> }, response: ServerResponse) => void;

async function serve(handler: Handler): Promise<string> {
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () =>
      handler(Object.assign(request, { body: JSON.parse(text) as Record<string, unknown> }), response),
    );
  });
  servers.push(server);
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
}

const answer = (extra: object = {}) =>
  JSON.stringify({
    model: 'served-model',
    choices: [{ message: { role: 'assistant', content: 'Hello.' } }],
    usage: { prompt_tokens: 7, completion_tokens: 2, total_tokens: 9 },
    ...extra,
  });

const KEY = ['key', 'for', 'tests', '4711'].join('-');
const request = (extra: Partial<CompletionRequest> = {}): CompletionRequest => ({
  messages: [{ role: 'user', content: 'Hi' }],
  purpose: 'karpathy.propose',
  ...extra,
});

function model(baseUrl: string, waits: number[] = []) {
  return createModel(
    { base_url: baseUrl, model: 'asked-model', api_key_env: 'TEST_KEY' },
    { host: null, env: { TEST_KEY: KEY }, sleep: async (ms) => void waits.push(ms) },
  );
}

async function failure(run: Promise<unknown>): Promise<KarpathyError> {
  const error = await run.then(
    () => new Error('did not fail'),
    (thrown: unknown) => thrown,
  );
  if (error instanceof KarpathyError) return error;
  throw error;
}

describe('an OpenAI-compatible model', () => {
  it('sends the messages with the key and returns text, identity, usage and cost', async () => {
    const seen: { auth: string | undefined; body: Record<string, unknown> }[] = [];
    const url = await serve((req, res) => {
      seen.push({ auth: req.headers.authorization, body: req.body });
      res.end(answer({ usage: { prompt_tokens: 7, completion_tokens: 2, cost: 0.25 } }));
    });
    const completion = await model(`${url}/`).complete(request({ temperature: 0.5, maxTokens: 100 }));
    expect(completion).toEqual({
      text: 'Hello.',
      identity: { provider: 'openai-compatible', base_url: url, model: 'served-model' },
      usage: { inputTokens: 7, outputTokens: 2, totalTokens: 9 },
      costUsd: 0.25,
    });
    expect(seen).toEqual([
      {
        auth: `Bearer ${KEY}`,
        body: {
          model: 'asked-model',
          messages: [{ role: 'user', content: 'Hi' }],
          stream: false,
          temperature: 0.5,
          max_tokens: 100,
        },
      },
    ]);
  });

  it('leaves unknown usage and cost unknown', async () => {
    const url = await serve((_, res) => res.end(answer({ usage: null, model: undefined })));
    const completion = await model(url).complete(request());
    expect(completion.usage).toEqual({ inputTokens: null, outputTokens: null, totalTokens: null });
    expect(completion.costUsd).toBeNull();
    expect(completion.identity.model).toBe('asked-model');
  });

  it('tries again after 429 and 500, waiting as long as the server asks', async () => {
    let calls = 0;
    const url = await serve((_, res) => {
      calls += 1;
      if (calls === 1) res.writeHead(429, { 'retry-after': '7' }).end('{"error":{"message":"slow down"}}');
      else if (calls < 4) res.writeHead(500).end('oops');
      else res.end(answer());
    });
    const waits: number[] = [];
    await expect(model(url, waits).complete(request())).resolves.toMatchObject({ text: 'Hello.' });
    expect(waits).toEqual([7000, 2000, 4000]);
  });

  it('gives up on 500 after four attempts and says what the server said', async () => {
    let calls = 0;
    const url = await serve((_, res) => {
      calls += 1;
      res.writeHead(500).end('{"error":"out of memory"}');
    });
    const error = await failure(model(url).complete(request()));
    expect(error).toMatchObject({ code: 'model_failed' });
    expect(error.message).toMatch(/answered 500 after 4 attempts: out of memory/);
    expect(calls).toBe(4);
  });

  it.each([
    ['an exhausted quota', 429, {}, '{"error":{"message":"You exceeded your plan","code":"insufficient_quota"}}'],
    ['a wait of hours', 429, { 'retry-after': '7200' }, '{"error":{"message":"later"}}'],
    ['a demand for payment', 402, {}, '{"error":{"message":"add funds"}}'],
  ])('stops at once on %s', async (_, status, headers, body) => {
    let calls = 0;
    const url = await serve((_req, res) => {
      calls += 1;
      res.writeHead(status, headers).end(body);
    });
    expect(await failure(model(url).complete(request()))).toMatchObject({ code: 'model_limit' });
    expect(calls).toBe(1);
  });

  it('names the environment variable on 401 and never the key, even when the server repeats it', async () => {
    const url = await serve((_, res) => res.writeHead(401).end(`{"error":{"message":"bad key ${KEY}"}}`));
    const error = await failure(model(url).complete(request()));
    expect(error).toMatchObject({ code: 'model_failed' });
    expect(error.hint).toContain('TEST_KEY');
    expect(error.message).toContain('refused the key with 401: bad key ***');
    expect(JSON.stringify([error.message, error.hint, String(error.stack), error.cause ?? null])).not.toContain(KEY);
  });

  it('says which variable is missing before it sends anything', async () => {
    const choice = { base_url: 'http://127.0.0.1:9/v1', model: 'm', api_key_env: 'TEST_KEY' };
    const error = await failure(createModel(choice, { host: null, env: {} }).complete(request()));
    expect(error).toMatchObject({ code: 'bad_config' });
    expect(error.message).toContain('TEST_KEY');
  });

  it.each([
    ['text', 'Welcome to nginx', /is not JSON/, false],
    ['other JSON', '{"ok":true}', /not a chat completion/, false],
    ['no choices', '{"choices":[]}', /not a chat completion/, false],
    // A model that thought until its limit is paid for.
    ['an empty answer', '{"choices":[{"message":{"content":""},"finish_reason":"length"}]}', /its token limit/, true],
  ])('reports garbage: %s', async (_, body, message, charged) => {
    const url = await serve((_req, res) => res.end(body));
    const error = await failure(model(url).complete(request()));
    expect(error).toMatchObject({ code: 'model_failed', charged });
    expect(error.message).toMatch(message);
  });

  it('reports a server that is down after its attempts', async () => {
    const url = await serve((_, res) => res.end());
    const [server] = servers.splice(0);
    await new Promise((closed) => server?.close(closed));
    const waits: number[] = [];
    const error = await failure(model(url, waits).complete(request()));
    expect(error).toMatchObject({ code: 'model_failed', charged: false });
    expect(error.message).toMatch(/cannot be reached: .*ECONNREFUSED/);
    expect(waits).toEqual([1000, 2000, 4000]);
  });

  it('ends a call that takes too long, and does not wait again', async () => {
    let calls = 0;
    const url = await serve(() => void (calls += 1));
    const error = await failure(model(url).complete(request({ timeoutMs: 100 })));
    expect(error).toMatchObject({ code: 'model_failed', charged: true });
    expect(error.message).toContain('did not answer within 0.1 s');
    expect(calls).toBe(1);
  });

  it('ends a body that stalls half-way', async () => {
    const url = await serve((_, res) => void res.write('{"choices":'));
    const error = await failure(model(url).complete(request({ timeoutMs: 200 })));
    expect(error.message).toContain('did not answer within');
  });

  it('stops when it is interrupted', async () => {
    const stop = new AbortController();
    const url = await serve(() => stop.abort());
    const error = await failure(model(url).complete(request({ signal: stop.signal })));
    expect(error).toMatchObject({ code: 'interrupted' });
  });

  it('uses the newer name of a parameter when the server refuses the older one', async () => {
    const bodies: Record<string, unknown>[] = [];
    const url = await serve((req, res) => {
      bodies.push(req.body);
      if ('max_tokens' in req.body) {
        res.writeHead(400).end('{"error":{"message":"Unsupported parameter: max_tokens. Use max_completion_tokens."}}');
      } else res.end(answer());
    });
    await model(url).complete(request({ maxTokens: 50 }));
    expect(bodies.map((b) => [b.max_tokens, b.max_completion_tokens])).toEqual([
      [50, undefined],
      [undefined, 50],
    ]);
  });
});

describe("the host's model", () => {
  it('passes the request on with the chosen model', async () => {
    const seen: unknown[] = [];
    const completion = {
      text: 'x',
      identity: { provider: 'p', base_url: null, model: 'm' },
      usage: { inputTokens: 1, outputTokens: 1, totalTokens: 2 },
      costUsd: null,
    };
    const host = {
      completeWithHostModel: async (r: unknown) => {
        seen.push(r);
        return completion;
      },
    };
    const chosen = createModel({ host: true, model: 'm' }, { host, env: {} });
    expect(await chosen.complete(request())).toEqual(completion);
    expect(seen).toEqual([{ ...request(), model: 'm' }]);
  });

  it('says what to do when there is no Hermes in front', async () => {
    const error = await failure(createModel({ host: true }, { host: null, env: {} }).complete(request()));
    expect(error).toMatchObject({ code: 'host_failed' });
    expect(error.hint).toContain('base_url');
  });
});
