import { existsSync, lstatSync, readlinkSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { SlotPaths } from '../slot.js';

/** What a contained process can see. Whatever isn't named here doesn't exist for it. */
export interface ContainerView {
  /** Directories and files, read-only, each at its own path. */
  readonly readOnly: readonly string[];
  /** Symbolic links to make: where they lie, and where they lead. */
  readonly links: readonly { readonly at: string; readonly to: string }[];
  /** Read-only under another path. */
  readonly placed: readonly { readonly from: string; readonly at: string }[];
  /** Files inside what is seen that must not be read. */
  readonly hidden: readonly string[];
  readonly slot: Pick<SlotPaths, 'home' | 'work' | 'userHome' | 'temp' | 'shared'>;
}

const VAR_TMP = '/var/tmp';
/** Where host/ of the plugin lies in a container. */
export const INIT_DIR = '/run/karpathy';

/** Programs, libraries and what they read everywhere; of /etc only what holds no secrets. */
const SYSTEM = ['/usr', '/nix/store', '/gnu/store', '/run/current-system'];
const MERGED = ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'];
const ETC = [
  'alternatives',
  'ca-certificates',
  'ca-certificates.conf',
  'crypto-policies',
  'debian_version',
  'ld.so.cache',
  'ld.so.conf',
  'ld.so.conf.d',
  'locale.alias',
  'localtime',
  'lsb-release',
  'magic',
  'mime.types',
  'os-release',
  'pki/ca-trust',
  'pki/tls/certs',
  'protocols',
  'services',
  'ssl/certs',
  'ssl/openssl.cnf',
  'static',
  'terminfo',
  'timezone',
];

/** What this machine has of it. */
export function systemView(): Pick<ContainerView, 'readOnly' | 'links'> {
  const merged = MERGED.filter((path) => existsSync(path));
  const isLink = (path: string): boolean => lstatSync(path).isSymbolicLink();
  return {
    readOnly: [
      ...[...SYSTEM, ...ETC.map((name) => join('/etc', name))].filter((path) => existsSync(path)),
      ...merged.filter((path) => !isLink(path)),
    ],
    links: merged.filter(isLink).map((at) => ({ at, to: readlinkSync(at) })),
  };
}

/** The rights that the container's first process needs to set it up; it gives up all but the last. */
const RIGHTS = ['CAP_NET_ADMIN', 'CAP_NET_BIND_SERVICE', 'CAP_SYS_PTRACE'];
/** To become another user, and to find its own program while the slot belongs to that user already. */
const RIGHTS_OF_ROOT = ['CAP_SETUID', 'CAP_SETGID', 'CAP_DAC_READ_SEARCH'];

export interface Isolation {
  /** Whether root starts it: then without a user namespace, and as a user of its own. */
  readonly asRoot: boolean;
  /** Whether this bubblewrap can forbid further user namespaces. */
  readonly disableUserns: boolean;
}

/** The namespaces, rights and devices of a container. */
export function isolationArguments({ asRoot, disableUserns }: Isolation): string[] {
  return [
    ...['--unshare-pid', '--unshare-net', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try'],
    ...(asRoot ? [] : ['--unshare-user', ...(disableUserns ? ['--disable-userns'] : [])]),
    // Process 1 of its own namespace can't be signalled from inside, and ends with the runner.
    ...['--as-pid-1', '--die-with-parent', '--new-session', '--cap-drop', 'ALL'],
    ...[...RIGHTS, ...(asRoot ? RIGHTS_OF_ROOT : [])].flatMap((right) => ['--cap-add', right]),
    ...['--proc', '/proc', '--dev', '/dev'],
  ];
}

/** All arguments up to the command. */
export function bubblewrapArguments(isolation: Isolation, view: ContainerView): string[] {
  const { home, work, userHome, temp, shared } = view.slot;
  const slot = [home, work, userHome, temp];
  const shown = outermost(view.readOnly);
  const readOnly = (from: string, at = from): string[] => ['--ro-bind', from, at];
  return [
    ...isolationArguments(isolation),
    ...view.links.flatMap(({ at, to }) => ['--symlink', to, at]),
    // Files of the slot rather than memory: they count with the rest of it.
    ...['--bind', temp, '/tmp', '--bind', shared, '/dev/shm'],
    // Left to bubblewrap, they would be closed to any user but the one who starts it.
    ...parentsOf([...shown, ...view.placed.map(({ at }) => at), ...slot, VAR_TMP]).flatMap((dir) => ['--dir', dir]),
    ...['--symlink', '/tmp', VAR_TMP],
    ...shown.flatMap((path) => readOnly(path)),
    ...view.placed.flatMap(({ from, at }) => readOnly(from, at)),
    ...slot.flatMap((path) => ['--bind', path, path]),
    // What says how the trial is watched, and with which keys.
    ...['plugins', 'karpathy-trial.json', 'config.yaml', '.env'].flatMap((name) => readOnly(join(home, name))),
    ...view.hidden.flatMap((path) => readOnly('/dev/null', path)),
    // The rest is memory that nothing counts.
    ...['--remount-ro', '/dev', '--remount-ro', '/', '--chdir', '/'],
  ];
}

/** Every directory above the paths but the root, from the top down. */
function parentsOf(paths: readonly string[]): string[] {
  const found = new Set<string>();
  for (const path of paths) for (let dir = dirname(path); dir !== '/'; dir = dirname(dir)) found.add(dir);
  return [...found].sort();
}

/** Without those that lie in another one. */
export function outermost(paths: readonly string[]): string[] {
  const unique = [...new Set(paths)];
  return unique.filter((path) => !unique.some((other) => other !== path && isWithin(path, other))).sort();
}

export function isWithin(path: string, dir: string): boolean {
  return path === dir || path.startsWith(dir.endsWith('/') ? dir : `${dir}/`);
}

/**
 * Directories of the host's code that may be shown. One that holds the person's home, their Hermes root or the slots
 * would show what a trial must not see.
 */
export function showable(code: readonly string[], privateDirs: readonly string[]): string[] {
  const secret = privateDirs.flatMap((dir) => [dir, existsSync(dir) ? realpathSync(dir) : dir]);
  return code.filter((path) => !secret.some((dir) => isWithin(dir, path)));
}
