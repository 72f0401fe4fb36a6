import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { resolveConfig, type ConfigWithSources, type WrittenConfig } from '../../src/config.js';
import { NO_SECRETS } from '../../src/domain/secrets.js';
import { homeOfProfile, pathsUnder, profileHome } from '../../src/hermes/paths.js';
import type { Clock, Ids, Logger } from '../../src/ports.js';
import type { Context, Surface } from '../../src/services/context.js';
import { openDatabase, type Db } from '../../src/store/database.js';
import { TEST_EPOCH } from './epoch.js';

export { TEST_EPOCH };

export const DEFAULT_SOUL = 'You are a careful assistant.\n\nAnswer briefly. Ask before you delete anything.\n';

/** A clock that stands still until a test moves it. */
export interface TestClock extends Clock {
  set(at: number): void;
  advance(ms: number): void;
}

export function testClock(start = TEST_EPOCH): TestClock {
  let now = start;
  return {
    now: () => now,
    set: (at) => void (now = at),
    advance: (ms) => void (now += ms),
  };
}

/** `id-1`, `id-2`, ... */
export function testIds(): Ids {
  let last = 0;
  return { next: () => `id-${++last}` };
}

export interface TestLogger extends Logger {
  /** `level: message`, in order. */
  readonly lines: string[];
}

export function testLogger(): TestLogger {
  const lines: string[] = [];
  const at = (level: string) => (message: string) => void lines.push(`${level}: ${message}`);
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

export interface TestContextOptions {
  /** `default` (the root itself) or the name of a profile below it; default `dev`. */
  readonly profile?: string;
  /** Content of SOUL.md; null = no file. */
  readonly soul?: string | Uint8Array | null;
  /** As it would stand in config.yaml. */
  readonly config?: WrittenConfig;
  readonly surface?: Partial<Surface>;
  /** Insert the row of `profiles` (default true), as `init` would. */
  readonly initialised?: boolean;
  /** An existing root, for a second context on the same DB (a second process, or another profile). */
  readonly root?: string;
  /** Replaces any part of the finished context: models, runner, host, signal, ... */
  readonly context?: Partial<Context>;
}

export interface TestContext {
  readonly ctx: Context;
  readonly db: Db;
  readonly root: string;
  readonly home: string;
  /** The target file, SOUL.md in the profile's home. */
  readonly target: string;
  readonly clock: TestClock;
  readonly log: TestLogger;
  /** The id of the row in `profiles`; 0 when `initialised` is false. */
  readonly profileId: number;
  /** Closes the DB and removes the root; also done after the last test of the file. */
  close(): void;
}

const open: { close(): void }[] = [];
afterAll(() => {
  for (const fixture of open.splice(0).reverse()) fixture.close();
});

/** A new temporary directory with its links resolved, removed after the last test of the file. */
export function temporaryDirectory(prefix = 'karpathy-test-'): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), prefix)));
  open.push({ close: () => rmSync(path, { recursive: true, force: true }) });
  return path;
}

function notInThisTest(what: string): never {
  throw new Error(`this test has no ${what}; pass one in testContext({ context: { ... } })`);
}

/** Suites of tests are as small as a keep allows; what the power of a real one has to be has tests of its own. */
export function testConfig(values: WrittenConfig = {}): ConfigWithSources {
  const small: WrittenConfig = { gate: { min_power: 0 }, live: { epochs: 2 } };
  return resolveConfig([
    { source: 'test', values: small },
    { source: 'test', values },
  ]);
}

/** A real root, profile home, SOUL.md and controller DB; clock and ids are fixed, and there is no host or model. */
export function testContext(options: TestContextOptions = {}): TestContext {
  const ownsRoot = options.root === undefined;
  const root = options.root ?? realpathSync(mkdtempSync(join(tmpdir(), 'karpathy-test-')));
  const home = homeOfProfile(root, options.profile ?? 'dev');
  mkdirSync(home, { recursive: true });
  const target = join(home, 'SOUL.md');
  const soul = options.soul === undefined ? (ownsRoot ? DEFAULT_SOUL : null) : options.soul;
  if (soul !== null) writeFileSync(target, soul);

  const paths = pathsUnder(root);
  const db = openDatabase(paths.dbPath);
  const clock = testClock();
  const log = testLogger();
  const profileId = options.initialised === false ? 0 : insertProfile(db, { home, at: clock.now() });
  const surface: Surface = {
    kind: 'cli',
    interactive: true,
    agentShell: false,
    platform: null,
    ...options.surface,
  };
  const ctx: Context = {
    db,
    clock,
    ids: testIds(),
    log,
    env: {},
    paths,
    pluginDir: root,
    profile: profileHome(home),
    config: testConfig(options.config),
    surface,
    actor: `person@${surface.kind}`,
    hermes: null,
    host: null,
    makeModel: () => notInThisTest('model'),
    makeRunner: () => notInThisTest('trial runner'),
    findContainer: async () => ({ kind: null, problem: 'this test has none', fix: 'Pass one.' }),
    scrub: NO_SECRETS,
    checkPrompt: async (text) => ({
      blocked: false,
      truncated: text.length > 20_000,
      limitChars: 20_000,
      findings: [],
    }),
    signal: new AbortController().signal,
    onProgress: () => undefined,
    ...options.context,
  };
  let closed = false;
  const close = () => {
    if (closed) return;
    closed = true;
    db.close();
    if (ownsRoot) rmSync(root, { recursive: true, force: true });
  };
  open.push({ close });
  return { ctx, db, root, home, target, clock, log, profileId, close };
}

/** Inserts the row `init` would leave for a home (or finds it), with a token budget; returns its id. */
export function insertProfile(
  db: Db,
  row: { home: string; at?: number; targetRelpath?: string; proposer?: string; judge?: string; budgetTokens?: number },
): number {
  const profile = profileHome(row.home);
  const at = row.at ?? TEST_EPOCH;
  const found = db.prepare('SELECT id FROM profiles WHERE root_path = ?').pluck().get(profile.rootPath);
  if (found !== undefined) return Number(found);
  return Number(
    db
      .prepare(
        `INSERT INTO profiles (root_path, name, target_relpath, proposer, judge, budget_tokens, disclosure_accepted_at, created_at, updated_at)
         VALUES (@rootPath, @name, @targetRelpath, @proposer, @judge, @budgetTokens, @at, @at, @at)`,
      )
      .run({
        rootPath: profile.rootPath,
        name: profile.name,
        targetRelpath: row.targetRelpath ?? 'SOUL.md',
        proposer: row.proposer ?? '{"base_url":"http://127.0.0.1:9/v1","model":"proposer"}',
        judge: row.judge ?? '{"base_url":"http://127.0.0.1:9/v1","model":"judge"}',
        budgetTokens: row.budgetTokens ?? 1_000_000,
        at,
      }).lastInsertRowid,
  );
}
