import { accessSync, closeSync, constants, openSync, readSync, realpathSync, statSync } from 'node:fs';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import type { HermesCommand } from '../ports.js';

export interface FindHermes {
  readonly env: Readonly<NodeJS.ProcessEnv>;
  /** `runner.hermes`: a path, or a name to look up on PATH. */
  readonly configured: string | null;
  /** What the Hermes process that started this worker said about itself. */
  readonly fromHost: HermesCommand | null;
}

/**
 * The Hermes that trials run: the configured one, then the host that started us, then `hermes` on PATH.
 * Null when there is none, or when the interpreter behind it can't be told.
 */
export function findHermes({ env, configured, fromHost }: FindHermes): HermesCommand | null {
  if (configured !== null) return commandAt(locate(configured, env), env);
  return fromHost ?? commandAt(locate('hermes', env), env);
}

function commandAt(script: string | null, env: Readonly<NodeJS.ProcessEnv>): HermesCommand | null {
  if (script === null) return null;
  const python = interpreterOf(script, env);
  return python === null ? null : { command: [script], python };
}

function locate(name: string, env: Readonly<NodeJS.ProcessEnv>): string | null {
  if (isAbsolute(name)) return isExecutable(name) ? name : null;
  if (name.includes('/')) return null;
  for (const directory of (env.PATH ?? '').split(delimiter)) {
    const path = join(directory, name);
    if (isAbsolute(path) && isExecutable(path)) return path;
  }
  return null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/**
 * The Python that runs a `hermes` script. Installers write three forms: a script whose first line names the
 * interpreter, a shell script that executes Python by path (pip does so for long paths), and a shell script that
 * executes another `hermes`, which has a Python beside it.
 */
function interpreterOf(script: string, env: Readonly<NodeJS.ProcessEnv>, depth = 0): string | null {
  const head = firstBytes(script);
  const [, program = '', argument = ''] = /^#!\s*(\S+)(?:[ \t]+(\S+))?/.exec(head) ?? [];
  if (/python[\d.]*$/.test(program)) return isExecutable(program) ? program : null;
  if (/\/env$/.test(program) && /^python[\d.]*$/.test(argument)) return locate(argument, env);
  for (const [, path = ''] of head.matchAll(/exec'?\s+["']?((?:\/|\$\{?\w+\}?\/)[^"'\s]+)/g)) {
    const expanded = path.replace(/^\$\{?(\w+)\}?/, (_, name: string) => env[name] ?? '');
    if (/python[\d.]*$/.test(expanded) && isExecutable(expanded)) return expanded;
    if (depth < 3 && expanded !== script && isExecutable(expanded)) {
      const inner = interpreterOf(expanded, env, depth + 1);
      if (inner !== null) return inner;
    }
  }
  return besides(script);
}

function besides(script: string): string | null {
  const directory = dirname(realpathSync(script));
  return ['python3', 'python'].map((name) => join(directory, name)).find(isExecutable) ?? null;
}

function firstBytes(path: string): string {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(4096);
    return bytes.toString('utf8', 0, readSync(file, bytes, 0, bytes.length, 0));
  } finally {
    closeSync(file);
  }
}

/** What `--version` prints, for example `0.19.0`; null when it can't be told. Takes about a second. */
export async function hermesVersion(hermes: HermesCommand, signal?: AbortSignal): Promise<string | null> {
  const [program = '', ...args] = hermes.command;
  // Loaded where it is used: every command looks for Hermes, few ask it for its version.
  const { execa } = await import('execa');
  const result = await execa(program, [...args, '--version'], {
    reject: false,
    timeout: 30_000,
    stdin: 'ignore',
    ...(signal === undefined ? {} : { cancelSignal: signal }),
  });
  return /Hermes Agent v?(\S+)/i.exec(result.stdout ?? '')?.[1] ?? null;
}
