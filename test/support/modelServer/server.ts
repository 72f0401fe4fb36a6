import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { countTokens, type ChatRequest, type Reply, type Responder } from './protocol.js';

export interface ModelServerOptions {
  /** By model name; `'*'` answers every other name. */
  readonly models: Readonly<Record<string, Responder>>;
  /** Added before every answer. */
  readonly latencyMs?: number;
  /** Tokens of context that `/v1/models` states; Hermes refuses less than 64,000. */
  readonly contextLength?: number;
  /** When set, a request without this key is answered with 401. */
  readonly apiKey?: string;
  /** Default: a free one. */
  readonly port?: number;
}

export interface ReceivedRequest {
  readonly method: string;
  readonly path: string;
  /** Only for chat completions. */
  readonly chat: ChatRequest | null;
  readonly headers: IncomingHttpHeaders;
  /** As it came over the wire. */
  readonly body: string;
}

export interface ModelServer {
  /** Ends in `/v1`. */
  readonly baseUrl: string;
  readonly port: number;
  /** Everything that arrived, in order. */
  readonly received: readonly ReceivedRequest[];
  /** Chat completions only. */
  chats(): readonly ChatRequest[];
  /** Replaces what a model does from now on. */
  setModel(name: string, responder: Responder): void;
  /** As when the network goes away: nobody can connect any more, and what is open gets no answer. */
  vanish(): void;
  close(): Promise<void>;
}

/** An OpenAI-compatible model server on the loopback address. */
export async function startModelServer(options: ModelServerOptions): Promise<ModelServer> {
  const models = new Map(Object.entries(options.models));
  const received: ReceivedRequest[] = [];
  let gone = false;
  const server = createServer((request, response) => {
    if (gone) return;
    handle(request, response).catch((error: unknown) => {
      if (!response.headersSent) sendError(response, 500, error instanceof Error ? error.message : String(error));
      else response.destroy();
    });
  });

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const method = request.method ?? 'GET';
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    const body = method === 'POST' ? await readBody(request) : '';
    const chat = path === '/v1/chat/completions' ? parseChat(body) : null;
    received.push({ method, path, chat, headers: request.headers, body });
    if (options.apiKey !== undefined && request.headers.authorization !== `Bearer ${options.apiKey}`) {
      return sendError(response, 401, 'Incorrect API key provided.');
    }
    if (method === 'GET' && path === '/v1/models') {
      return sendJson(response, 200, modelList([...models.keys()], options.contextLength ?? 128_000));
    }
    if (chat === null) return sendError(response, 404, `There is nothing at ${method} ${path}.`);
    const responder = models.get(chat.model) ?? models.get('*');
    if (responder === undefined) return sendError(response, 404, `The model ${chat.model} does not exist.`);
    const reply = await responder(chat);
    const delay = (options.latencyMs ?? 0) + (reply.kind === 'message' ? (reply.delayMs ?? 0) : 0);
    if (delay > 0) await new Promise((next) => setTimeout(next, delay));
    send(response, { chat, reply });
  };

  await new Promise<void>((ready) => server.listen(options.port ?? 0, '127.0.0.1', ready));
  const { port } = server.address() as AddressInfo;
  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    port,
    received,
    chats: () => received.flatMap((r) => (r.chat === null ? [] : [r.chat])),
    setModel: (name, responder) => void models.set(name, responder),
    vanish: () => {
      gone = true;
      server.close();
    },
    close: () =>
      new Promise<void>((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function parseChat(body: string): ChatRequest | null {
  try {
    const parsed = JSON.parse(body) as Partial<ChatRequest> | null;
    return Array.isArray(parsed?.messages) ? (parsed as ChatRequest) : null;
  } catch {
    return null;
  }
}

function modelList(names: readonly string[], contextLength: number): unknown {
  const data = names
    .filter((name) => name !== '*')
    .map((id) => ({ id, object: 'model', created: 0, owned_by: 'local', context_length: contextLength }));
  return { object: 'list', data };
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function sendError(response: ServerResponse, status: number, message: string): void {
  sendJson(response, status, { error: { message, type: 'error', code: status } });
}

function send(response: ServerResponse, { chat, reply }: { chat: ChatRequest; reply: Reply }): void {
  switch (reply.kind) {
    case 'status':
      for (const [name, value] of Object.entries(reply.headers ?? {})) response.setHeader(name, value);
      return sendError(response, reply.status, reply.message ?? `Scripted failure ${reply.status}.`);
    case 'garbage':
      return void response.writeHead(200, { 'content-type': 'application/json' }).end(reply.body);
    case 'hang':
      return;
    case 'cut':
      response.writeHead(200, { 'content-type': chat.stream ? 'text/event-stream' : 'application/json' });
      response.write(chat.stream ? 'data: {"id":"cut","object":"chat.comp' : '{"id":"cut",');
      return void setImmediate(() => response.destroy());
    case 'message':
      return chat.stream ? sendStream(response, { chat, reply }) : sendWhole(response, { chat, reply });
  }
}

type Message = { chat: ChatRequest; reply: Extract<Reply, { kind: 'message' }> };

function assemble({ chat, reply }: Message) {
  const toolCalls = (reply.toolCalls ?? []).map((call, index) => ({
    id: call.id ?? `call_${index}`,
    type: 'function' as const,
    function: {
      name: call.name,
      arguments: typeof call.arguments === 'string' ? call.arguments : JSON.stringify(call.arguments),
    },
  }));
  const input = reply.usage?.input ?? countTokens(JSON.stringify([chat.messages, chat.tools ?? []]));
  const output = reply.usage?.output ?? countTokens(reply.text + JSON.stringify(toolCalls));
  return {
    head: { id: 'chatcmpl-local', created: 0, model: reply.model ?? chat.model },
    toolCalls,
    finish: toolCalls.length > 0 ? 'tool_calls' : 'stop',
    usage: { prompt_tokens: input, completion_tokens: output, total_tokens: input + output },
  };
}

function sendWhole(response: ServerResponse, message: Message): void {
  const { head, toolCalls, finish, usage } = assemble(message);
  const content = message.reply.text === '' && toolCalls.length > 0 ? null : message.reply.text;
  const answer = { role: 'assistant', content, ...(toolCalls.length > 0 && { tool_calls: toolCalls }) };
  const choices = [{ index: 0, message: answer, finish_reason: finish }];
  sendJson(response, 200, { ...head, object: 'chat.completion', choices, usage });
}

function sendStream(response: ServerResponse, message: Message): void {
  const { head, toolCalls, finish, usage } = assemble(message);
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  const chunk = (delta: unknown, finishReason: string | null = null) =>
    event({ choices: [{ index: 0, delta, finish_reason: finishReason }] });
  const event = (body: object) =>
    void response.write(`data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', ...body })}\n\n`);
  chunk({ role: 'assistant', content: '' });
  for (const piece of message.reply.text.match(/[\s\S]{1,200}/g) ?? []) chunk({ content: piece });
  toolCalls.forEach((call, index) => chunk({ tool_calls: [{ index, ...call }] }));
  chunk({}, finish);
  event({ choices: [], usage });
  response.end('data: [DONE]\n\n');
}
