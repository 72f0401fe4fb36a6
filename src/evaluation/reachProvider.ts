import { connect } from 'node:net';
import { proxyOf } from './container/forwarder.js';

const PATIENCE_MS = 5_000;
const PORTS: Readonly<Record<string, number>> = { 'https:': 443, 'http:': 80 };

/**
 * Whether a connection to an endpoint (or the proxy before it) can be opened: its name is found, and its port answers
 * within five seconds. What can't be tried counts as reached.
 * @param env says whether a proxy is used
 */
export async function canBeReached(endpoint: string, env: Readonly<NodeJS.ProcessEnv>): Promise<boolean> {
  const at = addressOf(endpoint, env);
  if (at === null) return true;
  const socket = connect(at);
  try {
    return await new Promise<boolean>((settle) => {
      socket.once('connect', () => settle(true));
      socket.once('error', () => settle(false));
      socket.setTimeout(PATIENCE_MS, () => settle(false));
    });
  } finally {
    socket.destroy();
  }
}

function addressOf(endpoint: string, env: Readonly<NodeJS.ProcessEnv>): { host: string; port: number } | null {
  if (!URL.canParse(endpoint)) return null;
  const direct = new URL(endpoint);
  const proxy = proxyOf(direct, env);
  const through = proxy === null ? endpoint : (env[proxy.toLowerCase()] ?? env[proxy] ?? '');
  if (!URL.canParse(through)) return null;
  const { hostname, port, protocol } = new URL(through);
  const number = Number(port) || PORTS[protocol];
  return hostname === '' || number === undefined ? null : { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: number };
}
