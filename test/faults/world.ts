import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { openContext } from '#src/app.js';
import { pathsUnder, type Paths } from '#src/hermes/paths.js';
import { sha256 } from '#src/ratchet/digest.js';
import type { Context } from '#src/services/context.js';
import type { Db } from '#src/store/database.js';
import { listExperiments, getExperiment } from '#src/store/experiments.js';
import { openFileOperations } from '#src/store/fileOperations.js';
import { databaseHealth } from '#src/store/health.js';
import { saveProfile } from '#src/store/profiles.js';
import { listSnapshots } from '#src/store/snapshots.js';
import { createRepository, repositoryAt } from '../support/gitRepository.js';
import type { Bench } from '../support/experiments.js';

/** Bytes that are easily lost: a byte order mark, CRLF, no newline at the end. */
export const PRIOR = Buffer.from(
  '\uFEFFYou are a careful assistant.\r\n\r\nAsk before you delete anything.\r\nBe brief.',
);
export const TARGET_MODE = 0o640;

/** Later than any lease and any grace: whoever was at work before has lost it. */
export const LATER_MS = 10 * 60_000;

const DEFAULT_PROFILE = 'dev';
export const homeIn = (root: string, profile = DEFAULT_PROFILE): string => join(root, 'profiles', profile);
export const targetIn = (root: string, profile = DEFAULT_PROFILE): string => join(homeIn(root, profile), 'SOUL.md');
export const pathsIn = (root: string): Paths => pathsUnder(root);

export interface WorldOptions {
  readonly profile?: string;
  /** Moves the clock. */
  readonly laterMs?: number;
  readonly context?: Partial<Context>;
}

/** A context on a real root, wired as the program does it. */
export async function withContext<T>(
  root: string,
  work: (ctx: Context) => T | Promise<T>,
  options: WorldOptions = {},
): Promise<T> {
  const profileName = options.profile ?? DEFAULT_PROFILE;
  const opened = openContext({
    root,
    profileName,
    home: homeIn(root, profileName),
    pluginDir: root,
    hermes: { command: ['hermes'], python: 'python3' },
    host: null,
    surface: { kind: 'library', interactive: true, agentShell: false, platform: null },
    actor: 'person@library',
    env: { PATH: process.env.PATH, HOME: root, GIT_CONFIG_NOSYSTEM: '1' },
    signal: new AbortController().signal,
    clock: { now: () => Date.now() + (options.laterMs ?? 0) },
  });
  try {
    return await work({ ...opened.ctx, ...options.context });
  } finally {
    opened.close();
  }
}

/** A profile with its row in a new controller DB; in a git repository with the target committed unless told otherwise. */
export async function buildRoot<T>(
  root: string,
  work: (bench: Bench) => T | Promise<T>,
  options: { readonly git?: boolean; readonly profile?: string } = {},
): Promise<T> {
  const { profile = DEFAULT_PROFILE } = options;
  const [home, target] = [homeIn(root, profile), targetIn(root, profile)];
  mkdirSync(home, { recursive: true });
  writeFileSync(target, PRIOR);
  chmodSync(target, TARGET_MODE);
  if (options.git !== false) createRepository(home);
  const build = async (ctx: Context): Promise<T> => {
    const { id: profileId } = saveProfile(ctx.db, {
      rootPath: ctx.profile.rootPath,
      name: profile,
      targetRelpath: 'SOUL.md',
      proposer: { base_url: 'http://127.0.0.1:9/v1', model: 'proposer' },
      judge: null,
      budgetUsd: null,
      budgetTokens: 1_000_000_000,
      disclosureAcceptedAt: ctx.clock.now(),
      at: ctx.clock.now(),
    });
    return work({ ctx, db: ctx.db, profileId, target });
  };
  return withContext(root, build, { profile });
}

export const readTargetIn = (root: string, profile = DEFAULT_PROFILE): Buffer => readFileSync(targetIn(root, profile));

/** What must hold after every recovery, whatever was interrupted. */
export function checkInvariants(root: string, db: Db, profile = DEFAULT_PROFILE): void {
  const { dbPath } = pathsIn(root);
  assert.deepEqual(databaseHealth(db).problems, [], 'DB intact and every state follows from the audit log');
  assert.equal(statSync(dbPath).mode & 0o777, 0o600, 'mode of the DB');
  assert.deepEqual(openFileOperations(db), [], 'no operation open');
  for (const directory of new Set([homeIn(root, profile), dirname(dbPath)])) checkNothingHalfWritten(directory);
  assert.equal(statSync(targetIn(root, profile)).mode & 0o777, TARGET_MODE, 'mode of the target');
  for (const row of listExperiments(db)) checkSnapshots(db, row.id);
}

export function checkNothingHalfWritten(directory: string): void {
  const left = readdirSync(directory).filter((name) =>
    /karpathy-[0-9a-f]{12}$|migrating|restoring|keeping|partial/.test(name),
  );
  assert.deepEqual(left, [], 'no half-written files');
}

/** The prior bytes of everything that was ever applied, twice: in the DB, and as a plain file. */
export function checkSnapshots(db: Db, id: number): void {
  const { appliedAt, baseSha256 } = getExperiment(db, id);
  const snapshots = listSnapshots(db, id);
  for (const { content, sha256: stated, plainPath } of snapshots) {
    assert.equal(sha256(content), stated, 'snapshot in the DB');
    assert.ok(plainPath !== null && existsSync(plainPath), 'plain file of the snapshot');
    assert.ok(readFileSync(plainPath).equals(content), 'bytes of the plain file');
  }
  if (appliedAt === null) return;
  assert.ok(
    snapshots.some((snapshot) => snapshot.kind === 'prior' && snapshot.sha256 === baseSha256),
    'prior bytes are kept',
  );
}

/** State and file agree; the file is one of its two ends and nothing in between. */
export function checkAgreement(root: string, id: number, db: Db): ReturnType<typeof getExperiment> {
  const row = getExperiment(db, id);
  const applied = row.state === 'live' || row.state === 'verified';
  const expected = applied ? row.candidateContent : row.baseContent;
  assert.ok(expected !== null && readTargetIn(root).equals(expected), `the file is what a state of ${row.state} means`);
  assert.equal(row.manualConflictDetected, false, 'nobody edited, so there is no conflict');
  return row;
}

/** Each operation has at most one commit, and nothing is left unmerged. */
export function checkHistory(root: string, profile = DEFAULT_PROFILE): void {
  if (!existsSync(join(homeIn(root, profile), '.git'))) return;
  const repository = repositoryAt(homeIn(root, profile));
  const operations = repository
    .git('log', '--format=%(trailers:key=Karpathy-Experiment,key=Karpathy-Operation,separator=%x20)')
    .split('\n')
    .filter((line) => line.trim() !== '');
  assert.equal(new Set(operations).size, operations.length, `one commit an operation: ${operations.join('; ')}`);
  assert.equal(repository.git('ls-files', '--unmerged'), '', 'no conflicts');
}

/** Every row of every table, as text: equal dumps are equal databases. */
export function dump(path: string): string {
  const db = new Database(path, { readonly: true });
  try {
    const tables = db
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
      .pluck()
      .all() as string[];
    return tables
      .map((table) => `${table}\n${JSON.stringify(db.prepare(`SELECT * FROM "${table}" ORDER BY 1, 2`).all())}`)
      .join('\n');
  } finally {
    db.close();
  }
}
