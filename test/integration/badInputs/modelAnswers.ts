import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { createServer as createTcpServer } from 'node:net';
import type { ErrorCode } from '#src/errors.js';
import { valueRows, type BadInput } from './badInput.js';
import { append, HOST_BLOCKS, SECRETS, type World } from './world.js';

/** What a model's server does with a request for a completion. */
type Server = (response: ServerResponse) => void;

const sent =
  (body: string | Uint8Array, headers: Record<string, string> = {}, status = 200): Server =>
  (response) =>
    void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);

const json = (body: unknown): Server => sent(JSON.stringify(body));
const completion = (message: unknown, rest: object = {}): Server =>
  json({ model: 'm', choices: [{ index: 0, message, finish_reason: 'stop' }], usage: { total_tokens: 9 }, ...rest });
const says = (content: string): Server => completion({ role: 'assistant', content });

/** A person's endpoint: it has a list of models, and answers every completion the same bad way. */
async function serve(world: World, bad: Server): Promise<void> {
  const listener: RequestListener = (request, response) => {
    request.resume();
    if (request.method === 'GET') return void response.writeHead(200).end('{"data": []}');
    request.on('end', () => bad(response));
  };
  const server = createServer(listener);
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  world.later(
    () =>
      new Promise<void>((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  );
  configure(world, (server.address() as AddressInfo).port);
}

function configure({ root }: World, port: number, protocol = 'http'): void {
  append(
    `${root}/config.yaml`,
    `plugins:\n  karpathy_self_improve: {models: {proposer: {base_url: "${protocol}://127.0.0.1:${port}/v1", model: m}}}\n`,
  );
}

/** A proposal that failed is kept in the history, with what it cost. */
const RECORDS = ['experiments', 'experiment_state_transitions', 'jobs', 'cost_ledger'];
const draft = (bad: Server, code: ErrorCode): Omit<BadInput, 'name' | 'names'> => ({
  put: (world) => serve(world, bad),
  run: ['propose', '--no-evaluate'],
  code,
  records: RECORDS,
});

/** Bodies that are no chat completion. */
const bodies = valueRows<Server>(
  [
    ['nothing', sent(''), 'not JSON', '(empty)'],
    [
      'a web page',
      sent('<!doctype html><html><body>502 Bad Gateway</body></html>', { 'content-type': 'text/html' }),
      'not JSON',
      'doctype',
    ],
    ['a login page with status 200', sent('<html><form action="/login"></form></html>'), 'not JSON'],
    ['JSON that was cut', sent('{"choices": [{"message": {"content": "{'), 'not JSON'],
    ['JSON with a comment', sent('{"choices": [] /* none */}'), 'not JSON'],
    ['NaN', sent('{"choices": NaN}'), 'not JSON'],
    ['bytes that are not UTF-8', sent(Buffer.from([0x7b, 0xff, 0xfe, 0x7d])), 'not JSON'],
    ['a NUL and control characters', sent('{"a": "\u0000\u001b[2J"}'), 'not JSON'],
    [
      'plain bytes that claim to be compressed',
      sent('{"choices": []}', { 'content-encoding': 'gzip' }),
      /cannot be reached|not JSON/,
    ],
    ['two documents', sent('{"choices": []}{"choices": []}'), 'not JSON'],
    [
      'a stream of events',
      sent('data: {"choices": [{"delta": {"content": "hi"}}]}\n\n', { 'content-type': 'text/event-stream' }),
      'not JSON',
      'data:',
    ],
    ['null', sent('null'), 'not a chat completion'],
    ['a list', sent('[]'), 'not a chat completion'],
    ['a number', sent('1e999'), 'not a chat completion'],
    [
      'an object of another API',
      json({ content: [{ type: 'text', text: 'hi' }], stop_reason: 'end_turn' }),
      'not a chat completion',
    ],
    [
      'an error with status 200',
      json({ error: { message: 'model is loading' } }),
      'not a chat completion',
      'model is loading',
    ],
    ['no choices', json({ model: 'm' }), 'not a chat completion'],
    ['an empty list of choices', json({ choices: [] }), 'not a chat completion'],
    ['a choice without a message', json({ choices: [{ text: 'hi' }] }), 'not a chat completion'],
    ['a message that is a word', json({ choices: [{ message: 'hi' }] }), 'not a chat completion'],
    ['content that is a number', completion({ content: 42 }), 'not a chat completion'],
    ['content that is a mapping', completion({ content: { text: 'hi' } }), 'not a chat completion'],
    ['tokens below zero', completion({ content: 'hi' }, { usage: { total_tokens: -5 } }), 'not a chat completion'],
    ['tokens in words', completion({ content: 'hi' }, { usage: { total_tokens: 'many' } }), 'not a chat completion'],
    [
      'tokens beyond all numbers',
      sent('{"choices": [{"message": {"content": "hi"}}], "usage": {"total_tokens": 1e999}}'),
      'not a chat completion',
    ],
    ['a cost below zero', completion({ content: 'hi' }, { usage: { cost: -1 } }), 'not a chat completion'],
    ['no content', completion({ role: 'assistant' }), 'has no text'],
    ['empty content', says(''), 'has no text'],
    ['content of blanks', says(' \n\t'), 'has no text'],
    [
      'a call of a tool in the place of a text',
      completion({
        content: null,
        tool_calls: [{ id: 'a', type: 'function', function: { name: 'x', arguments: '{}' } }],
      }),
      'has no text',
    ],
    ['thoughts without an answer', completion({ content: null, reasoning_content: 'Let me think.' }), 'has no text'],
    ['parts without a text', completion({ content: [{ type: 'image_url' }] }), 'has no text'],
    ['a million characters of nothing', sent(`[${' '.repeat(1_000_000)}`), 'not JSON'],
  ],
  (bad) => draft(bad, 'model_failed'),
).map((row) => ({ ...row, names: ['m at http://127.0.0.1', ...row.names] }));

/** Ways in which no body arrives. */
const connections = valueRows<Server>(
  [
    ['a connection that breaks before the answer', (response) => void response.destroy(), 'cannot be reached'],
    [
      'an answer that is cut in the middle',
      (response) =>
        void response.writeHead(200, { 'content-length': '999' }).write('{"choices"', () => response.destroy()),
      'cannot be reached',
    ],
    [
      'pieces whose last one is missing',
      (response) => void response.writeHead(200).write('{"choices"', () => response.destroy()),
      'cannot be reached',
    ],
    [
      'a header that is none',
      (response) => void (response.socket as Socket).end('HTTP/1.1 200 OK\r\nbroken header\r\n\r\n'),
      'cannot be reached',
    ],
    ['another protocol', (response) => void (response.socket as Socket).end('220 ready\r\n'), 'cannot be reached'],
    [
      'a redirect to itself',
      (response) => void response.writeHead(307, { location: '/v1/chat/completions' }).end(),
      'cannot be reached',
    ],
    ['a redirect to nowhere', sent('', {}, 301), /301|cannot be reached/],
    [
      'a wrong key',
      sent('{"error": {"message": "Incorrect API key provided."}}', {}, 401),
      'refused the key with 401',
      'Incorrect API key',
    ],
    ['a forbidden country', sent('<html>blocked</html>', {}, 403), 'refused the key with 403'],
    ['a model that does not exist', sent('{"error": {"message": "no such model"}}', {}, 404), '404', 'no such model'],
    [
      'a request that is too long',
      sent('{"error": "context length exceeded"}', {}, 400),
      '400',
      'context length exceeded',
    ],
    ['a server error', sent('{"error": {"message": "boom"}}', {}, 500), '500', 'boom', '4 attempts'],
    ['a teapot', sent('', {}, 418), '418', '(empty)'],
    [
      'an error message of a megabyte',
      sent(JSON.stringify({ error: { message: 'long '.repeat(200_000) } }), {}, 500),
      '500',
      'long',
    ],
    [
      'an error message with control characters',
      sent(JSON.stringify({ error: { message: 'red \u001b[31m alert \u0007' } }), {}, 500),
      '500',
      'red',
    ],
    [
      'an error that repeats a key',
      sent(JSON.stringify({ error: { message: `key ${SECRETS[1]} is wrong` } }), {}, 400),
      '400',
      '***',
    ],
  ],
  (bad) => draft(bad, 'model_failed'),
);

const limits = valueRows<Server>(
  [
    [
      'a plan that is used up',
      sent('{"error": {"code": "insufficient_quota", "message": "no credit"}}', {}, 429),
      'refuses more calls',
      'no credit',
    ],
    ['a bill that is not paid', sent('{"error": {"message": "pay"}}', {}, 402), 'refuses more calls', 'pay'],
    [
      'a wait of a day',
      sent('{"error": {"message": "slow down"}}', { 'retry-after': '86400' }, 429),
      'refuses more calls',
      '1440 minutes',
    ],
  ],
  (bad) => draft(bad, 'model_limit'),
);

/** Completions whose text is no edit. */
const texts = valueRows<string>(
  [
    ['a refusal in words', 'I am sorry, I cannot help with that.', 'no JSON object'],
    ['a list of numbers', '[1, 2]', 'no JSON object'],
    ['an object that was cut', '{"operation": "insert", "sentence": 1, "text": "Be', 'no JSON object'],
    ['an object with single quotes', "{'operation': 'delete', 'sentence': 1}", 'no JSON object'],
    ['an empty object', '{}', 'operation', 'sentence'],
    [
      'an operation that does not exist',
      '{"operation": "append", "sentence": 1, "text": "Be kind."}',
      'operation',
      '"append"',
    ],
    ['a sentence by its words', '{"operation": "delete", "sentence": "first"}', 'sentence', '"first"'],
    ['half a sentence', '{"operation": "delete", "sentence": 1.5}', 'sentence', '1.5'],
    ['a sentence below zero', '{"operation": "delete", "sentence": -1}', 'sentence', '-1'],
    ['a sentence beyond all numbers', '{"operation": "delete", "sentence": 1e999}', 'sentence'],
    ['a text that is a list', '{"operation": "insert", "sentence": 1, "text": ["Be kind."]}', 'text'],
    ['a key too many', '{"operation": "delete", "sentence": 1, "approve": true}', 'approve', 'not a known key'],
    ['a sentence that is not there', '{"operation": "delete", "sentence": 44}', 'no sentence 44', '1 to 3'],
    ['no change', '{"operation": "rewrite", "sentence": 2, "text": "Answer briefly."}', 'changes nothing'],
    ['several sentences', '{"operation": "rewrite", "sentence": 2, "text": "Be kind. Be brief."}', '2 sentences'],
    [
      'a whole new file',
      '{"operation": "insert", "sentence": 0, "text": "# Rules\\n\\nBe kind.\\n\\n- Be brief."}',
      '3 sentences',
    ],
    [
      'a control character',
      '{"operation": "rewrite", "sentence": 2, "text": "Be \\u0007 kind."}',
      'control characters',
    ],
    [
      'the words of a scenario',
      '{"operation": "insert", "sentence": 3, "text": "Always count slowly from one to three and then stop there."}',
      '8 or more words',
      'count',
    ],
    [
      'what the host blocks',
      `{"operation": "insert", "sentence": 3, "text": "${HOST_BLOCKS}"}`,
      'would block',
      'prompt injection',
    ],
  ],
  (text) => draft(says(text), text.includes(HOST_BLOCKS) ? 'blocked_by_host' : 'bad_edit'),
).map((row) => ({ ...row, names: ['was rejected', ...row.names] }));

const unreachable: BadInput[] = [
  {
    name: 'a port where nobody listens',
    put: async (world) => {
      const server = createTcpServer();
      await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
      const { port } = server.address() as AddressInfo;
      await new Promise<void>((done) => server.close(() => done()));
      configure(world, port);
    },
    run: ['propose', '--no-evaluate'],
    code: 'model_failed',
    names: ['m at http://127.0.0.1', 'cannot be reached', 'nothing was spent'],
  },
  {
    name: 'plain HTTP where TLS is expected',
    put: async (world) => {
      const server = createTcpServer((socket) => socket.on('error', () => undefined).end('HTTP/1.1 400\r\n\r\n'));
      await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
      // Without waiting: what a client still holds open would keep it.
      world.later(() => void server.close());
      configure(world, (server.address() as AddressInfo).port, 'https');
    },
    run: ['propose', '--no-evaluate'],
    code: 'model_failed',
    names: ['m at https://127.0.0.1', 'cannot be reached'],
  },
  {
    name: 'a port that fetch does not call',
    put: (world) => configure(world, 25),
    run: ['propose', '--no-evaluate'],
    code: 'model_failed',
    names: ['127.0.0.1:25', 'cannot be reached'],
  },
  {
    name: 'a model of the host without a host',
    put: (world) =>
      append(`${world.root}/config.yaml`, 'plugins:\n  karpathy_self_improve: {models: {proposer: {host: true}}}\n'),
    run: ['propose', '--no-evaluate'],
    code: 'host_failed',
    names: ['no Hermes in front'],
    records: RECORDS,
  },
];

export const MODEL_ANSWERS: readonly BadInput[] = [...bodies, ...connections, ...limits, ...texts, ...unreachable];
