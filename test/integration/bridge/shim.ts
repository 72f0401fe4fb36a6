import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { markerKey, pathsUnder, type Paths } from '#src/hermes/paths.js';
import { PROJECT_DIR } from '#test/support/project.js';

export const PLUGIN_DIR = PROJECT_DIR;
const DRIVER = join(import.meta.dirname, 'drive_shim.py');

/** Every interpreter here that the shim must run on: 3.11 to 3.14. */
export const PYTHONS: readonly string[] = [
  ...(process.env.KARPATHY_PYTHON === undefined ? [] : [process.env.KARPATHY_PYTHON]),
  ...['python3', 'python3.11', 'python3.12', 'python3.13', 'python3.14'],
].filter((command) => {
  const shown = spawnSync(command, ['-c', 'import sys; print(sys.version_info[1])'], { encoding: 'utf8' });
  return shown.status === 0 && Number(shown.stdout) >= 11;
});

export type Step =
  | { readonly hook: 'pre_llm_call' | 'post_llm_call'; readonly payload: Record<string, unknown> }
  | { readonly env: Record<string, string> }
  | { readonly origin: string }
  | { readonly slash: string }
  | { readonly cli: readonly string[] }
  | { readonly set: readonly [module: string, name: string, value: unknown] }
  | { readonly call: readonly [module: string, name: string, ...args: unknown[]] };

/** What a command printed and how it ended. */
export interface CliAnswer {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** An empty Hermes root, and the Python shim running in it without Hermes. */
export interface ShimRoot {
  readonly root: string;
  readonly paths: Paths;
  /** Runs the steps in one Python process; what each returned. */
  run(steps: readonly Step[], options?: RunOptions): Promise<unknown[]>;
  cli(argv: readonly string[], options?: RunOptions): Promise<CliAnswer>;
  slash(text: string, options?: RunOptions & { readonly before?: readonly Step[] }): Promise<string>;
  /** Writes a marker of a home; default the root's. */
  mark(kind: 'enabled' | 'live', home?: string): void;
  spoolLines(): string[];
  remove(): void;
}

export interface RunOptions {
  readonly home?: string;
  readonly pluginDir?: string;
  readonly env?: Record<string, string>;
  readonly python?: string;
  readonly argv?: readonly string[];
}

export function createShimRoot(): ShimRoot {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'karpathy-shim-')));
  const paths = pathsUnder(root);
  const run: ShimRoot['run'] = async (steps, options = {}) => {
    const job = { plugin_dir: options.pluginDir ?? PLUGIN_DIR, steps, ...(options.argv && { argv: options.argv }) };
    const { stdout } = await execa(options.python ?? PYTHONS[0] ?? 'python3', ['-B', DRIVER], {
      input: JSON.stringify(job),
      env: { ...cleanEnv(), HERMES_HOME: options.home ?? root, ...options.env },
      extendEnv: false,
    });
    return JSON.parse(stdout) as unknown[];
  };
  return {
    root,
    paths,
    run,
    cli: async (argv, options) => (await run([{ cli: argv }], options))[0] as CliAnswer,
    slash: async (text, options) =>
      (await run([...(options?.before ?? []), { slash: text }], options)).at(-1) as string,
    mark: (kind, home = root) => {
      const dir = kind === 'enabled' ? paths.enabledMarkers : paths.liveMarkers;
      mkdirSync(dir, { recursive: true });
      writeFileSync(join(dir, markerKey(realpathSync(home))), '');
    },
    spoolLines: () => linesIn(paths.spoolDir),
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

function cleanEnv(): Record<string, string> {
  const kept = Object.entries(process.env).filter(([name]) => !/^(HERMES_|KARPATHY_|NODE_OPTIONS$|VITEST)/.test(name));
  return Object.fromEntries(kept) as Record<string, string>;
}

function linesIn(dir: string): string[] {
  let names: string[];
  try {
    names = readdirSync(dir);
  } catch {
    return [];
  }
  return names
    .filter((name) => name.endsWith('.ndjson'))
    .flatMap((name) => readFileSync(join(dir, name), 'utf8').split('\n').slice(0, -1));
}

/** A copy of the plugin's own files, as an install has them: no packages, no build. */
export function copyPlugin(to: string): string {
  mkdirSync(to, { recursive: true });
  const wanted = ['__init__.py', 'plugin.yaml', 'registrations.json', 'host', 'src', 'migrations', 'scripts'];
  const files = ['package.json', 'package-lock.json', 'tsconfig.json', 'tsup.config.ts'];
  for (const name of [...wanted, ...files]) {
    cpSync(join(PLUGIN_DIR, name), join(to, name), {
      recursive: true,
      filter: (path) => !path.includes('__pycache__'),
    });
  }
  return to;
}

/** Makes a copied plugin look built in place, with `script` as its worker. */
export async function pretendBuilt(pluginDir: string, script: string, shim: ShimRoot): Promise<void> {
  const [build] = await shim.run([{ call: ['runtime', 'build_id', pluginDir] }]);
  mkdirSync(join(pluginDir, 'dist'), { recursive: true });
  mkdirSync(join(pluginDir, 'node_modules', 'better-sqlite3'), { recursive: true });
  writeFileSync(join(pluginDir, 'dist', 'worker.mjs'), script);
  writeFileSync(
    join(pluginDir, 'dist', 'build.json'),
    JSON.stringify({ build, version: '0.1.0', abi: process.versions.modules }),
  );
}
