import { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import {
  createJSONRPCErrorResponse,
  JSONRPCClient,
  JSONRPCErrorCode,
  JSONRPCErrorException,
  JSONRPCServer,
  JSONRPCServerAndClient,
  type JSONRPCParams,
} from 'json-rpc-2.0';

/** Both directions of one newline-delimited JSON-RPC connection. */
export interface Channel {
  /** Registers what the other end may call. A thrown JSONRPCErrorException keeps its code and data. */
  on(method: string, handler: (params: unknown) => unknown): void;
  /** @throws JSONRPCErrorException as answered; Error when the channel ends first */
  request(method: string, params: JSONRPCParams): Promise<unknown>;
  notify(method: string, params: JSONRPCParams): void;
  /** Resolves when the other end is gone. */
  readonly closed: Promise<void>;
}

export interface Wire {
  readonly input: Readable;
  readonly output: Writable;
}

/** `stdio`, or `fd:<number>` for an inherited socket. @throws RangeError for anything else */
export function openWire(spec: string): Wire {
  if (spec === 'stdio') return { input: process.stdin, output: process.stdout };
  const fd = /^fd:(\d+)$/.exec(spec)?.[1];
  if (fd === undefined) throw new RangeError(`--channel must be stdio or fd:<number>, not '${spec}'`);
  const socket = new Socket({ fd: Number(fd), readable: true, writable: true });
  return { input: socket, output: socket };
}

export function openChannel({ input, output }: Wire): Channel {
  const send = (message: unknown) => void output.write(`${JSON.stringify(message)}\n`);
  // A fault is answered to the caller; the library's default would print it on a terminal that is not ours.
  const errorListener = () => undefined;
  const peer = new JSONRPCServerAndClient<void, void>(
    new JSONRPCServer({ errorListener }),
    new JSONRPCClient(async (message) => send(message)),
    { errorListener },
  );
  const refuse = (code: number, message: string) => send(createJSONRPCErrorResponse(null, code, message));
  const lines = createInterface({ input, crlfDelay: Infinity });
  lines.on('line', (line) => {
    const message = parse(line);
    if (message === undefined) return refuse(JSONRPCErrorCode.ParseError, 'Not a JSON line.');
    // Neither a request nor an answer: whoever sent it waits for something.
    const noRequest = () => refuse(JSONRPCErrorCode.InvalidRequest, 'Not a JSON-RPC request.');
    if (Array.isArray(message) && message.length === 0) return noRequest();
    peer.receiveAndSend(message, undefined, undefined).catch(noRequest);
  });
  const closed = new Promise<void>((resolve) => {
    const end = () => {
      peer.rejectAllPendingRequests('The Hermes process is gone.');
      resolve();
    };
    lines.once('close', end);
    input.once('error', end);
    output.once('error', end);
  });
  return {
    on: (method, handler) => peer.addMethod(method, (params: unknown) => handler(params)),
    request: async (method, params) => peer.request(method, params, undefined) as Promise<unknown>,
    notify: (method, params) => peer.notify(method, params, undefined),
    closed,
  };
}

export function rpcError(code: number, message: string, data?: unknown): JSONRPCErrorException {
  return new JSONRPCErrorException(message, code, data);
}

function parse(line: string): object | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
