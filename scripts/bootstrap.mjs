#!/usr/bin/env node
/**
 * Brings a clone to the point where tests and demo can run: packages, build, a real Hermes. Plain Node, no
 * packages, because it runs before there are any. Everything it makes lies in node_modules, dist and .cache.
 *
 *   node scripts/bootstrap.mjs [deps] [build] [hermes] [bubblewrap]     (all without an argument)
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const projectDir = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const cacheDir = join(projectDir, '.cache');
const oldestNode = [20, 19];
/** hermes-agent 0.19 itself asks for Python >= 3.11 and < 3.14. */
const pythons = ['python3', 'python3.13', 'python3.12', 'python3.11', 'python'];

/** Prints one line of what happens; stderr, so that a program's own output stays apart. */
export function say(line) {
  process.stderr.write(`${line}\n`);
}

/** Runs `work` and prints how long it took. */
export async function timed(label, work) {
  const start = performance.now();
  say(`> ${label}`);
  const result = await work();
  say(`  ${label}: ${((performance.now() - start) / 1000).toFixed(1)} s`);
  return result;
}

/**
 * Runs a command with the terminal inherited.
 * @throws when it exits with anything but 0
 */
export function run(command, args, options = {}) {
  return new Promise((done, fail) => {
    const child = spawn(command, args, { cwd: projectDir, stdio: 'inherit', ...options });
    // The terminal sends Ctrl-C to the whole group; this process waits for the child to finish cleaning up.
    const ignore = () => {};
    const pass = () => child.kill('SIGTERM');
    process.on('SIGINT', ignore);
    process.on('SIGTERM', pass);
    child.on('error', (error) => fail(new Error(`${command} could not be started: ${error.message}`)));
    child.on('close', (code, signal) => {
      process.off('SIGINT', ignore);
      process.off('SIGTERM', pass);
      if (code === 0) return done();
      const error = new Error(`${command} ${args.join(' ')} ended with ${signal ?? `exit code ${code}`}`);
      error.exitCode = code ?? (signal === 'SIGINT' ? 130 : 1);
      fail(error);
    });
  });
}

/** The environment for npm: Node's own headers, when they are on this machine, spare a download when it compiles. */
export function npmEnv() {
  const nodeRoot = resolve(process.execPath, '..', '..');
  const headers = existsSync(join(nodeRoot, 'include', 'node', 'node.h'));
  return headers ? { ...process.env, npm_config_nodedir: nodeRoot } : process.env;
}

/** @throws when this Node is older than package.json allows */
export function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1])) return;
  throw new Error(
    `Node ${process.versions.node} is too old: this needs Node ${oldestNode.join('.')} or newer (https://nodejs.org).`,
  );
}

/**
 * One process at a time per name; a lock whose owner is gone is taken over.
 * Parallel test runs in one checkout would otherwise install into each other.
 */
async function withLock(name, work) {
  mkdirSync(cacheDir, { recursive: true });
  const path = join(cacheDir, `${name}.lock`);
  for (let told = false; ;) {
    try {
      writeFileSync(path, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const owner = lockOwner(path);
    if (owner === null) continue;
    if (!isAlive(owner)) {
      rmSync(path, { force: true });
      continue;
    }
    if (!told) say(`  waiting for process ${owner}, which is doing the same (${path})`);
    told = true;
    await new Promise((next) => setTimeout(next, 300));
  }
  try {
    return await work();
  } finally {
    rmSync(path, { force: true });
  }
}

function lockOwner(path) {
  try {
    // Empty for the instant between creation and the write of the owner.
    return Number(readFileSync(path, 'utf8')) || process.pid;
  } catch {
    return null;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function fileHash(path) {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

/** `npm ci` when node_modules is missing, made from another lock file, or made for another Node. */
export async function ensureDependencies() {
  const lock = join(projectDir, 'package-lock.json');
  const installed = join(projectDir, 'node_modules', '.package-lock.json');
  const stamp = join(projectDir, 'node_modules', '.made-for.json');
  const wanted = JSON.stringify({ lock: fileHash(lock), abi: process.versions.modules });
  await withLock('deps', async () => {
    if (existsSync(installed)) {
      const made = existsSync(stamp) ? readFileSync(stamp, 'utf8') : null;
      if (made === wanted) return;
      // Installed by hand with `npm ci` or `npm install`: accept it when it is newer than the lock file and loads.
      if (made === null && statSync(installed).mtimeMs >= statSync(lock).mtimeMs && nativeModuleLoads()) {
        writeFileSync(stamp, wanted);
        return;
      }
    }
    await timed(
      'npm ci, which also builds (packages from the registry; better-sqlite3 may be compiled, about a minute)',
      () =>
        run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
          env: npmEnv(),
          stdio: ['ignore', process.stderr, process.stderr],
        }),
    );
    writeFileSync(stamp, wanted);
  });
}

function nativeModuleLoads() {
  const script = "const D = require('better-sqlite3'); new D(':memory:').close()";
  return spawnSync(process.execPath, ['-e', script], { cwd: projectDir, stdio: 'ignore' }).status === 0;
}

/** `npm run build` when dist was built from other sources. */
export async function ensureBuild() {
  await withLock('build', async () => {
    if (await isBuilt()) return;
    await timed('npm run build', () =>
      run('npm', ['run', '--silent', 'build'], { stdio: ['ignore', process.stderr, process.stderr] }),
    );
  });
}

async function isBuilt() {
  const built = join(projectDir, 'dist', 'build.json');
  if (!existsSync(built)) return false;
  const { buildId } = await import('./build-id.mjs');
  return JSON.parse(readFileSync(built, 'utf8')).build === buildId();
}

/**
 * A virtual environment with the pinned hermes-agent, made once per Hermes and Python version.
 * @returns {Promise<{python: string, hermes: string, version: string}>} absolute paths
 */
export async function ensureHermes() {
  const requirements = join(projectDir, 'test', 'host', 'requirements.txt');
  const version = /^hermes-agent==(\S+)$/m.exec(readFileSync(requirements, 'utf8'))?.[1];
  if (!version) throw new Error(`${requirements} does not pin hermes-agent==VERSION.`);
  const base = findPython();
  const dir = join(cacheDir, `hermes-${version}-${base.version}`);
  const stamp = join(dir, '.complete');
  const paths = { python: join(dir, 'bin', 'python'), hermes: join(dir, 'bin', 'hermes'), version };
  const wanted = fileHash(requirements);
  await withLock(`hermes-${version}-${base.version}`, async () => {
    if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
    rmSync(dir, { recursive: true, force: true });
    await timed(`pip install hermes-agent==${version} (Python ${base.version}) into ${dir}`, async () => {
      const stdio = ['ignore', process.stderr, process.stderr];
      await run(base.command, ['-m', 'venv', dir], { stdio });
      await run(paths.python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements], {
        stdio,
      });
      // Compiled once here; otherwise the first of several trials in parallel all do it at once.
      await run(paths.python, ['-m', 'compileall', '-q', '-j', '0', join(dir, 'lib')], {
        stdio: 'ignore',
      }).catch(() => {});
    });
    writeFileSync(stamp, wanted);
  });
  return paths;
}

function findPython() {
  const candidates = process.env.KARPATHY_PYTHON ? [process.env.KARPATHY_PYTHON] : pythons;
  const seen = [];
  for (const command of candidates) {
    const probe = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])";
    const found = spawnSync(command, ['-c', probe], { encoding: 'utf8' });
    const version = found.status === 0 ? found.stdout.trim() : null;
    if (version !== null) seen.push(`${command} is ${version}`);
    const minor = Number(/^3\.(\d+)$/.exec(version ?? '')?.[1] ?? 0);
    if (minor >= 11 && minor <= 13) return { command, version };
  }
  throw new Error(
    `Hermes needs Python 3.11, 3.12 or 3.13 with the venv module; found ${seen.join(', ') || 'none'}. ` +
      'Install one, or name it in KARPATHY_PYTHON.',
  );
}

/**
 * Debian's bubblewrap, for the tests of contained tools, when it is missing and this is root on a machine with apt.
 * Never fails: without it those tests are skipped and say so.
 */
export async function ensureBubblewrap() {
  const has = (program, arg) => spawnSync(program, [arg], { stdio: 'ignore' }).status === 0;
  if (process.platform !== 'linux' || has('bwrap', '--version')) return;
  if (process.getuid() !== 0 || !has('apt-get', '--version')) return;
  await withLock('bubblewrap', async () => {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    const options = { env, stdio: 'ignore', timeout: 120_000 };
    const install = () => run('apt-get', ['install', '-y', '--no-install-recommends', 'bubblewrap'], options);
    await timed('apt-get install bubblewrap', () =>
      install().catch(() => run('apt-get', ['update'], options).then(install)),
    ).catch((error) => say(`  no bubblewrap, tests of contained tools are skipped: ${error.message}`));
  });
}

/** What both `npm test` and `npm run demo` start with. */
export async function bootstrap() {
  checkNode();
  await ensureDependencies();
  await ensureBuild();
  await ensureBubblewrap();
  return ensureHermes();
}

async function main(steps) {
  const known = { deps: ensureDependencies, build: ensureBuild, hermes: ensureHermes, bubblewrap: ensureBubblewrap };
  const unknown = steps.filter((step) => !(step in known));
  if (unknown.length > 0)
    throw new Error(`Unknown step ${unknown.join(', ')}; known: ${Object.keys(known).join(', ')}`);
  checkNode();
  for (const step of steps.length > 0 ? steps : Object.keys(known)) await known[step]();
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  main(process.argv.slice(2)).catch((error) => {
    say(`bootstrap: ${error.message}`);
    process.exitCode = 1;
  });
}
