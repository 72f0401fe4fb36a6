import { randomUUID } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { ensureBuild, ensureHermes, npmEnv, projectDir, say, timed } from '../../scripts/bootstrap.mjs';

export const PLUGIN = 'karpathy-self-improve';

/** A real Hermes and one real install of the plugin, shared by the roots that tests make. */
export interface HermesInstall {
  readonly python: string;
  readonly hermes: string;
  readonly version: string;
  /** A git repository with the working tree committed, as `hermes plugins install` gets it. */
  readonly repo: string;
  /** The Hermes root the plugin was installed and set up in. */
  readonly root: string;
  /** Why installing or setting up failed; tests that need the plugin report it. */
  readonly failure: string | null;
  /** Everything made for it lies in here. */
  readonly dir: string;
}

/** The variable that hands the install from vitest's set-up process to its workers. */
export const INSTALL_VARIABLE = 'KARPATHY_TEST_INSTALL';

/** The install this process was given. @throws when there is none */
export function currentInstall(): HermesInstall {
  const given = process.env[INSTALL_VARIABLE];
  if (given === undefined) {
    throw new Error(`${INSTALL_VARIABLE} is not set: run host tests as "npx vitest run --project host FILE".`);
  }
  return JSON.parse(given) as HermesInstall;
}

/**
 * The environment of a Hermes process: this machine's, without what belongs to the person's own Hermes or to a
 * surrounding tool, and with HOME and HERMES_HOME in the sandbox.
 */
export function hermesEnv(home: string, userHome: string): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(HERMES_|KARPATHY_|GIT_|VITEST|NODE_OPTIONS$|NODE_ENV$|TMUX|PYTHON)/.test(name),
  );
  const realHome = homedir();
  return {
    ...Object.fromEntries(kept),
    HOME: userHome,
    HERMES_HOME: home,
    // The sandbox has an empty HOME; npm still uses this machine's cache and registry settings.
    npm_config_cache: process.env.npm_config_cache ?? join(realHome, '.npm'),
    npm_config_userconfig: process.env.npm_config_userconfig ?? join(realHome, '.npmrc'),
    ...pick(npmEnv(), 'npm_config_nodedir'),
    NO_COLOR: '1',
    PYTHONDONTWRITEBYTECODE: '1',
  };
}

function pick(env: NodeJS.ProcessEnv, name: string): NodeJS.ProcessEnv {
  return env[name] === undefined ? {} : { [name]: env[name] };
}

/** Commits the working tree, tracked and new files alike, into a repository of its own at `dir`. */
export async function cloneWorkingTree(dir: string): Promise<void> {
  const listed = await execa('git', ['ls-files', '-co', '--exclude-standard', '-z'], { cwd: projectDir });
  for (const path of listed.stdout.split('\0').filter((p) => p !== '' && existsSync(join(projectDir, p)))) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    cpSync(join(projectDir, path), join(dir, path));
  }
  const git = (...args: string[]) =>
    execa('git', ['-c', 'user.name=test', '-c', 'user.email=test@localhost', '-c', 'commit.gpgsign=false', ...args], {
      cwd: dir,
    });
  await git('init', '-q', '-b', 'main');
  await git('add', '-A');
  await git('commit', '-q', '-m', 'The working tree');
}

export interface InstallOptions {
  /** Prints what it does. */
  readonly log?: (line: string) => void;
}

/**
 * `hermes plugins install file://<clone> --enable` and `hermes karpathy setup` in a new root.
 * Never throws for a plugin that can't be installed: `failure` says why.
 */
export async function createHermesInstall(options: InstallOptions = {}): Promise<HermesInstall> {
  const log = options.log ?? say;
  const hermes = await ensureHermes();
  const dir = mkdtempSync(join(tmpdir(), 'karpathy-install-'));
  const [repo, root, userHome] = ['repo', 'hermes', 'user'].map((name) => join(dir, name)) as [string, string, string];
  for (const path of [repo, root, userHome]) mkdirSync(path);
  await cloneWorkingTree(repo);
  const call = async (args: readonly string[], label: string) =>
    timed(label, async () => {
      const result = await execa(hermes.hermes, args, {
        env: hermesEnv(root, userHome),
        extendEnv: false,
        cwd: userHome,
        stdin: 'ignore',
        all: true,
        reject: false,
      });
      if (result.exitCode !== 0) throw new Error(`${label} ended with ${result.exitCode}:\n${result.all}`);
    });
  let failure: string | null = null;
  try {
    await ensureBuild();
    await call(['plugins', 'install', `file://${repo}`, '--enable'], 'hermes plugins install file://… --enable');
    const cached = restoreRuntime(root);
    await call(
      ['karpathy', 'setup'],
      `hermes karpathy setup${cached ? ' (runtime of the same build from .cache)' : ''}`,
    );
    saveRuntime(root);
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error);
    log(`  ! ${failure}`);
  }
  return { ...hermes, repo, root, failure, dir };
}

const runtimeCache = join(projectDir, '.cache', 'runtimes');
const runtimeOf = (root: string) => join(root, 'plugin-data', PLUGIN, 'runtime');

/** Name of the runtime of the sources as they are now: `<build id>-<node ABI>`. */
function runtimeName(): string {
  const built = JSON.parse(readFileSync(join(projectDir, 'dist', 'build.json'), 'utf8')) as { build: string };
  return `${built.build}-${process.versions.modules}`;
}

/** Puts a runtime of the same build where `setup` finds it done; the build id is a hash of the sources. */
export function restoreRuntime(root: string): boolean {
  const from = join(runtimeCache, runtimeName());
  if (process.env.KARPATHY_FRESH_SETUP || !existsSync(from)) return false;
  mkdirSync(runtimeOf(root), { recursive: true, mode: 0o700 });
  cpSync(from, join(runtimeOf(root), runtimeName()), { recursive: true, verbatimSymlinks: true });
  return true;
}

/** Keeps the runtime that `setup` made, for the next root with the same build. */
export function saveRuntime(root: string): void {
  const from = join(runtimeOf(root), runtimeName());
  const to = join(runtimeCache, runtimeName());
  if (!existsSync(from) || existsSync(to)) return;
  mkdirSync(runtimeCache, { recursive: true });
  const partial = `${to}.${randomUUID()}`;
  cpSync(from, partial, { recursive: true, verbatimSymlinks: true });
  try {
    renameSync(partial, to);
  } catch {
    // Another run was faster.
    rmSync(partial, { recursive: true, force: true });
  }
  removeOldRuntimes();
}

/** Each change of the sources makes a new build; two are enough to go back and forth. */
function removeOldRuntimes(): void {
  const newestFirst = readdirSync(runtimeCache)
    .filter((name) => /^[0-9a-f]{16}-\d+$/.test(name))
    .map((name) => ({ path: join(runtimeCache, name), at: statSync(join(runtimeCache, name)).mtimeMs }))
    .sort((a, b) => b.at - a.at);
  for (const { path } of newestFirst.slice(2)) rmSync(path, { recursive: true, force: true });
}

export function removeInstall(install: HermesInstall): void {
  rmSync(install.dir, { recursive: true, force: true });
}
