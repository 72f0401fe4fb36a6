import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { execa } from 'execa';
import { isolationArguments, systemView, type Isolation } from './bubblewrap.js';

/** Whether tools can really run in a container on this machine. */
export type Container = Bubblewrap | NoContainer;

export interface Bubblewrap {
  readonly kind: 'bubblewrap';
  readonly program: string;
  readonly version: string;
  readonly isolation: Isolation;
}

export interface NoContainer {
  readonly kind: null;
  /** What was found, as a clause. */
  readonly problem: string;
  /** What to do about it. */
  readonly fix: string;
}

export interface FindContainer {
  readonly env: Readonly<NodeJS.ProcessEnv>;
  readonly platform?: NodeJS.Platform;
  readonly signal?: AbortSignal;
}

const PROBE_MS = 10_000;
/** The first bubblewrap with `--disable-userns`. */
const DISABLES_USERNS = [0, 8] as const;

/** Looks for bubblewrap and starts a program in it, with everything that a trial's container uses. Never throws. */
export async function findContainer({ env, platform = process.platform, signal }: FindContainer): Promise<Container> {
  if (platform !== 'linux') {
    return none(`they need bubblewrap, which is for Linux, and this is ${platform}`, 'Use a Linux machine or WSL2.');
  }
  const program = locate('bwrap', env);
  if (program === null) {
    return none(
      'bubblewrap (`bwrap`) is not on PATH',
      'Install it: `apt install bubblewrap` on Debian and Ubuntu, `dnf install bubblewrap` on Fedora.',
    );
  }
  if (setting('/proc/sys/kernel/yama/ptrace_scope') === '3') {
    return none(
      'kernel.yama.ptrace_scope is 3, and a container could not tell who calls the model',
      'Set it to 2 or less, which takes a restart of the machine.',
    );
  }
  const options = {
    timeout: PROBE_MS,
    reject: false,
    stdin: 'ignore',
    ...(signal && { cancelSignal: signal }),
  } as const;
  const asked = await execa(program, ['--version'], options);
  const version = /(\d+(?:\.\d+)+)/.exec(asked.stdout)?.[1];
  if (version === undefined) return none(`${program} does not say its version`, 'Reinstall bubblewrap.');
  const isolation = { asRoot: process.getuid?.() === 0, disableUserns: isAtLeast(version, DISABLES_USERNS) };
  const { readOnly, links } = systemView();
  const view = [
    ...readOnly.flatMap((path) => ['--ro-bind', path, path]),
    ...links.flatMap(({ at, to }) => ['--symlink', to, at]),
  ];
  const tried = await execa(program, [...isolationArguments(isolation), ...view, '/bin/sh', '-c', ':'], options);
  if (tried.exitCode === 0) return { kind: 'bubblewrap', program, version, isolation };
  const said = tried.stderr.trim().split('\n').at(-1) || (tried.shortMessage ?? '');
  return whyRefused(`${program} ${version} can't make a container here (${said})`);
}

/** What usually stands in the way, told by the settings of this machine. */
export function whyRefused(problem: string, read: (path: string) => string | null = setting): NoContainer {
  const off = [
    ['/proc/sys/kernel/unprivileged_userns_clone', '0', 'kernel.unprivileged_userns_clone=1'],
    ['/proc/sys/user/max_user_namespaces', '0', 'user.max_user_namespaces=15000'],
  ].find(([path = '', value]) => read(path) === value);
  if (off !== undefined) {
    return none(
      `${problem}: unprivileged user namespaces are disabled`,
      `An administrator can allow them: \`sysctl ${off[2]}\`.`,
    );
  }
  if (read('/proc/sys/kernel/apparmor_restrict_unprivileged_userns') === '1') {
    return none(
      `${problem}: AppArmor keeps programs from making user namespaces`,
      'An administrator can allow it for bubblewrap: an AppArmor profile for /usr/bin/bwrap with `userns,` (Ubuntu: package apparmor-profiles has bwrap-userns-restrict).',
    );
  }
  if (read('/.dockerenv') !== null || read('/run/.containerenv') !== null) {
    return none(
      `${problem}: this is a container itself, and may not make namespaces`,
      'Run on the machine itself, or start the outer container with the right to make namespaces.',
    );
  }
  return none(problem, 'Allow user, process and network namespaces to programs of this user.');
}

function setting(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return existsSync(path) ? '' : null;
  }
}

function none(problem: string, fix: string): NoContainer {
  return { kind: null, problem, fix };
}

function isAtLeast(version: string, [major, minor]: readonly [number, number]): boolean {
  const [a = 0, b = 0] = version.split('.').map(Number);
  return a > major || (a === major && b >= minor);
}

function locate(name: string, env: Readonly<NodeJS.ProcessEnv>): string | null {
  const candidates = (env.PATH ?? '').split(delimiter).filter((dir) => isAbsolute(dir));
  const found = candidates.map((dir) => join(dir, name)).find((path) => isExecutable(path));
  return found ?? null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
