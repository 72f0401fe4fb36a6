import { chmodSync, chownSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, isIP, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KarpathyError } from '../../errors.js';

/** The one place a contained process may connect to. */
export interface Endpoint {
  /** As the base URL names it: a name or an address. */
  readonly host: string;
  readonly port: number;
}

export interface Forwarder {
  /** Holds only the socket; given to the container as an open directory. */
  readonly dir: string;
  close(): Promise<void>;
}

export const SOCKET_NAME = 'model.sock';

/** @throws KarpathyError `host_failed` for an address that a container can't be given */
export function endpointOf(baseUrl: string, env: Readonly<NodeJS.ProcessEnv>): Endpoint {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : null;
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    throw cannot(`the model's endpoint "${baseUrl}" is not an http(s) address`);
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (isIP(host) === 6 && host !== '::1') throw cannot(`the model's endpoint is the IPv6 address ${host}; use a name`);
  const proxy = proxyOf(url, env);
  if (proxy !== null) throw cannot(`${proxy} is set, and a container's connections don't go through a proxy`);
  return { host, port: Number(url.port) || (url.protocol === 'https:' ? 443 : 80) };
}

/** The variable that sends requests for this address through a proxy; null when they go straight there. */
export function proxyOf(url: URL, env: Readonly<NodeJS.ProcessEnv>): string | null {
  const value = (name: string): string => env[name.toLowerCase()] ?? env[name] ?? '';
  const direct = value('NO_PROXY')
    .split(',')
    .map((entry) => entry.trim().replace(/^\./, ''))
    .some((entry) => entry === '*' || (entry !== '' && (url.hostname === entry || url.hostname.endsWith(`.${entry}`))));
  if (direct) return null;
  const names = [url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY', 'ALL_PROXY'];
  return names.find((name) => value(name) !== '') ?? null;
}

function cannot(why: string): KarpathyError {
  return new KarpathyError('host_failed', `Contained trials can't reach the model: ${why}.`, {
    hint: 'Use `tools: simulated`, or another endpoint.',
  });
}

/**
 * Listens on a unix socket and passes every connection on to the endpoint, byte by byte: TLS runs from end to end.
 * @param owner user who may connect besides this one
 */
export async function startForwarder({ host, port }: Endpoint, owner: number | null): Promise<Forwarder> {
  const dir = mkdtempSync(join(tmpdir(), 'karpathy-model-'));
  const path = join(dir, SOCKET_NAME);
  const open = new Set<Socket>();
  const keep = (socket: Socket): void => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  };
  const server = createServer({ allowHalfOpen: true }, (inner) => {
    const outer = connect({ host, port, allowHalfOpen: true });
    for (const [socket, other] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      keep(socket);
      socket.on('error', () => other.destroy());
      socket.pipe(other);
    }
  });
  await new Promise<void>((ready, fail) => server.once('error', fail).listen(path, ready));
  chmodSync(path, 0o600);
  if (owner !== null) for (const at of [path, dir]) chownSync(at, owner, owner);
  return {
    dir,
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((closed) => server.close(closed));
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
