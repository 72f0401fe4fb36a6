import { createHash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  lchownSync,
  mkdirSync,
  openSync,
  readdirSync,
  writeFileSync,
} from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { execa } from 'execa';
import { readGuardRecord } from '../guardRecord.js';
import { killGroup, stepBack, tailOf, withinLimits, type LaidSlot, type RunLimits } from '../hermesProcess.js';
import type { SlotPaths } from '../slot.js';
import type { ProcessEnd } from '../trialOutcome.js';
import { bubblewrapArguments, INIT_DIR, systemView, type ContainerView } from './bubblewrap.js';
import type { Bubblewrap } from './container.js';
import { defuse } from './defuse.js';
import { SOCKET_NAME, type Endpoint, type Forwarder } from './forwarder.js';

/** How much one container may use, over all its processes. */
export interface ContainerLimits {
  readonly memory_mb: number;
  /** Processes and threads. */
  readonly processes: number;
  readonly disk_mb: number;
}

export interface ContainerSetup {
  readonly container: Bubblewrap;
  /** Runs host/contained.py; its own files are in `readOnly` or the system's. */
  readonly python: string;
  /** The plugin's host/. */
  readonly hostDir: string;
  readonly readOnly: readonly string[];
  readonly endpoint: Endpoint;
  readonly forwarder: Forwarder;
  readonly limits: ContainerLimits;
  /** Niceness, 0 to 19. */
  readonly nice?: number;
}

const MB = 1024 * 1024;

/** Root's containers run as a user that owns nothing else; others as who started them (null). */
export function userOf({ isolation }: Bubblewrap, { paths }: Pick<LaidSlot, 'paths'>): number | null {
  if (!isolation.asRoot) return null;
  return 50_000 + (createHash('sha256').update(paths.root).digest().readUInt32BE(0) % 10_000);
}

/**
 * Runs one program in a container around the slot, to its end, the deadline or an abort. Then nothing that it started
 * is left, and what it wrote can be read safely.
 */
export async function runContained(
  setup: ContainerSetup,
  laid: Pick<LaidSlot, 'paths' | 'env'>,
  { argv, limits }: { readonly argv: readonly string[]; readonly limits: RunLimits },
): Promise<{ stdout: string; end: ProcessEnd }> {
  const { container, endpoint, forwarder } = setup;
  const { paths } = laid;
  const uid = userOf(container, laid);
  const own = [paths.home, paths.work, paths.userHome, paths.temp];
  const writable = [...own, paths.shared];
  const { memory_mb: memory, disk_mb: disk, processes } = setup.limits;
  const order = {
    uid,
    endpoints: [{ address: addressOf(endpoint), port: endpoint.port, socket: SOCKET_NAME }],
    limits: { memory: memory * MB, processes, disk: disk * MB },
    writable: [...own, '/dev/shm'],
    cwd: paths.work,
    argv,
  };
  const view = viewOf(setup, laid, uid);
  if (uid !== null) for (const dir of writable) chownTree(dir, uid);
  const init = [setup.python, '-I', '-S', join(INIT_DIR, 'contained.py'), JSON.stringify(order)];
  const sockets = openSync(forwarder.dir, constants.O_RDONLY | constants.O_DIRECTORY);
  const record = openSync(paths.record, 'a', 0o600);
  try {
    const child = execa(container.program, [...bubblewrapArguments(container.isolation, view), ...init], {
      env: withoutProxies(laid.env),
      extendEnv: false,
      cwd: '/',
      stdio: ['ignore', 'pipe', 'pipe', inherited(sockets), inherited(record)],
      detached: true,
      reject: false,
      maxBuffer: 10_000_000,
    });
    stepBack(child.pid, setup.nice);
    const { result, timedOut } = await withinLimits(limits, (signal) => killGroup(child.pid, signal), child);
    const stderrTail = tailOf(`${result.stderr}`) || readGuardRecord(paths.record).ended?.reason || '';
    return {
      stdout: `${result.stdout}`,
      end: { exitCode: result.exitCode ?? null, timedOut, stderrTail, agentLog: '' },
    };
  } finally {
    for (const fd of [sockets, record]) closeSync(fd);
    for (const dir of writable) defuse(dir);
  }
}

/** The types of execa know descriptors of one digit only. */
function inherited(fd: number): 3 {
  return fd as 3;
}

function viewOf(setup: ContainerSetup, laid: Pick<LaidSlot, 'paths' | 'env'>, uid: number | null): ContainerView {
  const system = systemView();
  const certificates = ['SSL_CERT_FILE', 'SSL_CERT_DIR'].flatMap((name) => laid.env[name] ?? []);
  const shown = [...setup.readOnly, ...certificates].filter((path) => existsSync(path));
  return {
    readOnly: [...system.readOnly, ...shown],
    links: system.links,
    placed: [{ from: setup.hostDir, at: INIT_DIR }, ...ownEtc(laid.paths, { endpoint: setup.endpoint, uid })],
    // A checkout of Hermes may have one, which the host would read.
    hidden: shown.map((path) => join(path, '.env')).filter((path) => existsSync(path)),
    slot: laid.paths,
  };
}

/** Names and users of the container: nobody's home, and no name but the endpoint's. */
function ownEtc(
  paths: SlotPaths,
  { endpoint, uid }: { endpoint: Endpoint; uid: number | null },
): ContainerView['placed'] {
  const dir = join(paths.root, 'etc');
  mkdirSync(dir, { recursive: true });
  const id = uid ?? process.getuid?.() ?? 0;
  const gid = uid ?? process.getgid?.() ?? 0;
  const named = isIP(endpoint.host) === 0 && endpoint.host !== 'localhost' ? ` ${endpoint.host}` : '';
  const files = {
    hosts: `127.0.0.1 localhost${named}\n`,
    'nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files\n',
    passwd: `root:x:0:0:root:/nonexistent:/bin/sh\nagent:x:${id}:${gid}:agent:${paths.userHome}:/bin/sh\n`,
    group: `root:x:0:\nagent:x:${gid}:\n`,
  };
  return Object.entries(files).map(([name, content]) => {
    const from = join(dir, name);
    writeFileSync(from, content);
    chmodSync(from, 0o644); // whatever the umask is: another user reads it
    return { from, at: join('/etc', name) };
  });
}

function addressOf({ host }: Endpoint): string {
  return isIP(host) === 0 ? '127.0.0.1' : host;
}

function withoutProxies(env: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/_proxy$/i.test(name)));
}

function chownTree(path: string, uid: number): void {
  lchownSync(path, uid, uid);
  for (const entry of readdirSync(path, { withFileTypes: true, recursive: true })) {
    lchownSync(join(entry.parentPath, entry.name), uid, uid);
  }
}
