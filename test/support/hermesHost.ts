import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { parse, stringify } from 'yaml';
import { currentInstall, hermesEnv, PLUGIN, type HermesInstall } from './hermesInstall.js';

/** A temporary default Hermes root with its own HOME, on the real Hermes of the shared install. */
export interface HermesRoot {
  readonly dir: string;
  /** The default Hermes root; also the home of the profile `default`. */
  readonly home: string;
  /** HOME of every process. */
  readonly userHome: string;
  /** Working directory of every process. */
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly install: HermesInstall;
  /** `<home>/plugin-data/<plugin>`. */
  readonly dataDir: string;
  readonly dbPath: string;
}

export interface ModelEndpoint {
  /** Ends in `/v1`. */
  readonly baseUrl: string;
  readonly model: string;
  readonly apiKey?: string;
}

export interface RootOptions {
  readonly model?: ModelEndpoint;
  /** Text of SOUL.md; without it the host writes its own at the first start. */
  readonly soul?: string;
  /** Further keys of config.yaml; top-level keys replace those made here. */
  readonly config?: Record<string, unknown>;
  readonly install?: HermesInstall;
  /** Where the root is made; default a new directory under the temporary directory. */
  readonly dir?: string;
}

/** Makes a root whose config.yaml points at the model and whose caches keep Hermes from phoning out. */
export function createHermesRoot(options: RootOptions = {}): HermesRoot {
  const install = options.install ?? currentInstall();
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'karpathy-root-'));
  const [home, userHome, cwd] = ['hermes', 'user', 'work'].map((name) => join(dir, name)) as [string, string, string];
  for (const path of [home, userHome, cwd]) mkdirSync(path, { recursive: true });
  prepareHome(home, install.version, options);
  const dataDir = join(home, 'plugin-data', PLUGIN);
  const dbPath = join(home, `${PLUGIN}.db`);
  return { dir, home, userHome, cwd, env: hermesEnv(home, userHome), install, dataDir, dbPath };
}

function prepareHome(home: string, version: string, options: RootOptions): void {
  const { model } = options;
  const config = {
    ...(model && {
      model: {
        provider: 'custom',
        default: model.model,
        base_url: model.baseUrl,
        api_key: model.apiKey ?? 'local',
        context_length: 128_000,
      },
    }),
    security: { tirith_enabled: false },
    ...options.config,
  };
  writeFileSync(join(home, 'config.yaml'), stringify(config));
  if (options.soul !== undefined) writeFileSync(join(home, 'SOUL.md'), options.soul);
  writeCaches(home, version);
}

/** What a fresh home would otherwise fetch at its first start: update check and model catalogues. */
export function writeCaches(home: string, version: string): void {
  const farFuture = 4_000_000_000;
  writeFileSync(join(home, '.update_check'), JSON.stringify({ ts: farFuture, behind: 0, rev: null, ver: version }));
  writeFileSync(join(home, '.tirith-install-failed'), 'offline');
  writeFileSync(join(home, 'models_dev_cache.json'), JSON.stringify({ none: { id: 'none', models: {} } }));
  mkdirSync(join(home, 'cache'), { recursive: true });
  writeFileSync(
    join(home, 'cache', 'openrouter_model_metadata.json'),
    JSON.stringify({ none: { context_length: 128_000 } }),
  );
}

export interface RunOptions {
  readonly input?: string;
  /** Added to the root's environment; `undefined` removes a variable. */
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Called with each line of stderr as it comes. */
  readonly onProgress?: (line: string) => void;
}

export interface RunResult {
  /** 124 when the time limit ended it. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `hermes ARGS` in the root without a terminal; never throws for a non-zero exit. */
export async function runHermes(
  root: HermesRoot,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const child = execa(root.install.hermes, args, {
    env: { ...root.env, ...options.env },
    extendEnv: false,
    cwd: options.cwd ?? root.cwd,
    ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
    timeout: options.timeoutMs ?? 120_000,
    ...(options.signal && { cancelSignal: options.signal }),
    forceKillAfterDelay: 5000,
    reject: false,
  });
  const { onProgress } = options;
  // Awaited below, so that the last line is told before the result is.
  const told = onProgress && tell(child.iterable({ from: 'stderr' }), onProgress);
  const result = await child;
  await told;
  const exitCode = result.timedOut ? 124 : (result.exitCode ?? 1);
  return { exitCode, stdout: String(result.stdout ?? ''), stderr: String(result.stderr ?? '') };
}

async function tell(lines: AsyncIterable<unknown>, listen: (line: string) => void): Promise<void> {
  try {
    for await (const line of lines) listen(String(line));
  } catch {
    // The iterable fails with the command, whose result says why.
  }
}

/** Like `runHermes`, and throws with both outputs when the exit code is not 0. */
export async function hermesOk(root: HermesRoot, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await runHermes(root, args, options);
  if (result.exitCode === 0) return result.stdout;
  throw new Error(`hermes ${args.join(' ')} ended with ${result.exitCode}\n${result.stdout}\n${result.stderr}`);
}

/**
 * Puts the plugin into the root as `hermes plugins install --enable` left it in the shared install, and its
 * runtime by link. With `fresh` the real install command runs, and `setup` is left to the test.
 */
export async function installPlugin(root: HermesRoot, options: { fresh?: boolean } = {}): Promise<void> {
  const { install } = root;
  if (options.fresh) {
    await hermesOk(root, ['plugins', 'install', `file://${install.repo}`, '--enable']);
    return;
  }
  if (install.failure !== null) throw new Error(`The shared install of the plugin failed: ${install.failure}`);
  const from = join(install.root, 'plugins', PLUGIN);
  if (!existsSync(from)) throw new Error(`The shared install has no ${from}.`);
  cpSync(from, join(root.home, 'plugins', PLUGIN), { recursive: true, verbatimSymlinks: true });
  editConfig(root.home, (config) => {
    const plugins = (config.plugins ??= {}) as { enabled?: string[] };
    plugins.enabled = [...new Set([...(plugins.enabled ?? []), PLUGIN])];
  });
  mkdirSync(root.dataDir, { recursive: true, mode: 0o700 });
  symlinkSync(join(install.root, 'plugin-data', PLUGIN, 'runtime'), join(root.dataDir, 'runtime'));
}

/** Reads, changes and writes a home's config.yaml. */
export function editConfig(home: string, change: (config: Record<string, unknown>) => void): void {
  const path = join(home, 'config.yaml');
  const config =
    (existsSync(path) ? (parse(readFileSync(path, 'utf8')) as Record<string, unknown> | null) : null) ?? {};
  change(config);
  writeFileSync(path, stringify(config));
}

/** `hermes profile create NAME` with the root's model; returns the profile's home. */
export async function createProfile(root: HermesRoot, name: string): Promise<string> {
  await hermesOk(root, ['profile', 'create', name, '--no-alias', '--no-skills']);
  const home = join(root.home, 'profiles', name);
  const { model, security } = parse(readFileSync(join(root.home, 'config.yaml'), 'utf8')) as Record<string, unknown>;
  editConfig(home, (config) => Object.assign(config, { ...(model ? { model } : {}), security }));
  writeCaches(home, root.install.version);
  return home;
}

/**
 * A profile with the plugin, as `profile create` and `karpathy install` leave it, without starting Hermes for it.
 * `config` is the whole of its config.yaml but for the plugin. Returns its home.
 */
export function layProfile(root: HermesRoot, name: string, config: Record<string, unknown>): string {
  const home = join(root.home, 'profiles', name);
  mkdirSync(join(home, 'plugins'), { recursive: true });
  symlinkSync(join('..', '..', '..', 'plugins', PLUGIN), join(home, 'plugins', PLUGIN));
  writeCaches(home, root.install.version);
  const text = stringify({ security: { tirith_enabled: false }, ...config, plugins: { enabled: [PLUGIN] } });
  writeFileSync(join(home, 'config.yaml'), text, { mode: 0o600 });
  return home;
}

/** Removes the root with everything in it. */
export function cleanup(root: HermesRoot): void {
  // A detached worker may still be writing its last line.
  rmSync(root.dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
