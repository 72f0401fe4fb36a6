import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { errorToJson, toKarpathyError } from '#src/errors.js';
import { applyExperiment } from '#src/services/apply.js';
import { backup } from '#src/services/backup.js';
import type { Context } from '#src/services/context.js';
import { evaluationJob } from '#src/services/evaluationJob.js';
import { ingestSpool } from '#src/services/ingest.js';
import { initProfile } from '#src/services/init.js';
import { prepare } from '#src/services/prepare.js';
import { startProposal } from '#src/services/propose.js';
import { revertExperiment } from '#src/services/revert.js';
import { status } from '#src/services/status.js';
import { snapshotExport } from '#src/services/snapshotExport.js';
import { enqueue, runJobNow, work } from '#src/services/work.js';
import { getExperiment, listExperiments } from '#src/store/experiments.js';
import { HOLDOUT, insertScenarios, memoryRunner } from '../../faults/agent.js';
import { buildRoot, dump, homeIn, pathsIn, targetIn, withContext } from '../../faults/world.js';
import { approved, live, proposed, type Bench } from '../../support/experiments.js';
import { hookEvent, writeSpool } from '../../support/observed.js';

/**
 * Run as a program inside a mount namespace of its own: each operation on a real file system of its own that is nearly
 * full, full, or mounted read-only, and once more when there is room again. Prints one JSON document.
 */

interface Operation {
  /** What "nearly full" leaves, in bytes: enough to open the DB. Default: NEARLY_FULL. */
  readonly left?: number;
  readonly build: (bench: Bench) => unknown;
  readonly run: (ctx: Context, id: number) => unknown;
  readonly done: (ctx: Context, id: number) => boolean;
}

/** What became of one operation under one fault. */
export interface Outcome {
  readonly operation: string;
  readonly fault: 'nearly full' | 'full' | 'read-only';
  /** As the person sees it; null when it went through. */
  readonly error: Record<string, unknown> | null;
  /** What differs in files, target and DB from before. */
  readonly changed: readonly string[];
  /** With room again: null when it went through. */
  readonly retry: string | null;
}

const number = (ctx: Context, sql: string): number => ctx.db.prepare(sql).pluck().get() as number;
const inState = (state: string) => (ctx: Context, id: number) => getExperiment(ctx.db, id).state === state;
const copyOf = (ctx: Context): string => join(ctx.paths.root, 'copy');
const holdout = (bench: Bench): void => insertScenarios(bench, { split: 'holdout', count: HOLDOUT });
const EVENTS = 400;
const NEARLY_FULL = 200_000;

const OPERATIONS: Readonly<Record<string, Operation>> = {
  apply: { build: approved, run: applyExperiment, done: inState('live') },
  revert: {
    build: live,
    run: (ctx, id) => revertExperiment(ctx, id, { reason: 'a test' }),
    done: inState('reverted'),
  },
  propose: {
    build: holdout,
    run: (ctx) => startProposal(ctx, { by: 'model' }, { evaluate: true }),
    done: (ctx) => listExperiments(ctx.db).length === 1,
  },
  evaluate: {
    build: (bench) => {
      holdout(bench);
      proposed(bench);
    },
    run: (ctx, id) => evaluationJob(ctx, getExperiment(ctx.db, id), { underpowered: false }),
    done: (ctx) => number(ctx, 'SELECT count(*) FROM jobs') === 1,
  },
  ingest: {
    build: ({ ctx }) => {
      const line = (id: number) => hookEvent(homeIn(ctx.paths.root), { id: `e${id}`, session_id: `s${id}` });
      writeSpool(
        { ctx },
        Array.from({ length: EVENTS }, (_, id) => line(id)),
      );
    },
    run: (ctx) => ingestSpool(ctx),
    done: (ctx) => number(ctx, 'SELECT count(*) FROM spool_events') === EVENTS,
  },
  backup: {
    build: live,
    run: (ctx) => backup(ctx),
    done: (ctx) => existsSync(ctx.paths.backupsDir) && readdirSync(ctx.paths.backupsDir).length === 1,
  },
  snapshot: {
    left: 50_000,
    build: live,
    run: (ctx, id) => snapshotExport(ctx, id, { toFile: copyOf(ctx) }),
    done: (ctx) => existsSync(copyOf(ctx)),
  },
  init: {
    build: () => undefined,
    run: (ctx) =>
      initProfile(ctx, {
        proposer: { base_url: 'http://127.0.0.1:9/v1', model: 'another' },
        judge: null,
        budgetTokens: 1000,
        acceptDisclosure: true,
      }),
    done: (ctx) => number(ctx, "SELECT count(*) FROM profiles WHERE proposer LIKE '%another%'") === 1,
  },
};

/** A small suite keeps the run short; its power is not what is tested here. */
const CONFIG = 'plugins: {karpathy_self_improve: {gate: {min_power: 0}, runner: {concurrency: 1}}}\n';

const CONTEXT: Partial<Context> = {
  makeModel: () => ({
    configured: { provider: 'openai-compatible', base_url: 'http://127.0.0.1:9/v1', model: 'proposer' },
    complete: () => Promise.reject(new Error('not asked in this test')),
  }),
  makeRunner: memoryRunner('candidate'),
  checkPrompt: async () => ({ blocked: false, truncated: false, limitChars: 20_000, findings: [] }),
};

function mount(...args: string[]): void {
  const { status, stderr } = spawnSync('mount', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`mount ${args.join(' ')}: ${stderr}`);
}

/** Leaves `left` bytes. */
function fill(root: string, left: number): void {
  const { bavail, bsize } = statfsSync(root);
  const fd = openSync(join(root, 'filler'), 'w');
  const page = Buffer.alloc(4096);
  try {
    for (let written = 0; written < bavail * bsize - left; written += page.length) writeSync(fd, page);
  } catch {
    // Full.
  } finally {
    closeSync(fd);
  }
}

/** Every file but SQLite's journals, which come and go, and the DB, whose content is compared as rows. */
function files(root: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || /\.db(-wal|-shm)?$|filler$/.test(entry.name)) continue;
    found.set(relative(root, path), createHash('sha256').update(readFileSync(path)).digest('hex'));
  }
  return found;
}

function differences(before: Map<string, string>, after: Map<string, string>): string[] {
  return [...new Set([...before.keys(), ...after.keys()])].filter((name) => before.get(name) !== after.get(name));
}

const within = <T>(root: string, use: (ctx: Context, id: number) => T | Promise<T>): Promise<T> =>
  withContext(root, (ctx) => use(ctx, listExperiments(ctx.db)[0]?.id ?? 0), { context: CONTEXT });

async function attempt(root: string, operation: Operation): Promise<Record<string, unknown> | null> {
  try {
    await within(root, operation.run);
    return null;
  } catch (error) {
    return errorToJson(toKarpathyError(error));
  }
}

async function tryOut(place: string, name: string, fault: Outcome['fault']): Promise<Outcome> {
  const operation = OPERATIONS[name];
  if (operation === undefined) throw new RangeError(name);
  const root = join(place, `${name}-${fault.replace(' ', '-')}`);
  mkdirSync(root, { recursive: true });
  mount('-t', 'tmpfs', '-o', 'size=96m,mode=700', 'tmpfs', root);
  writeFileSync(join(root, 'config.yaml'), CONFIG);
  await buildRoot(root, operation.build, { git: false });
  const before = { files: files(root), rows: dump(pathsIn(root).dbPath) };
  if (fault === 'read-only') mount('-o', 'remount,ro', root);
  else fill(root, fault === 'full' ? 0 : (operation.left ?? NEARLY_FULL));
  const error = await attempt(root, operation);
  if (fault === 'read-only') mount('-o', 'remount,rw', root);
  else rmSync(join(root, 'filler'));
  const changed = differences(before.files, files(root));
  if (dump(pathsIn(root).dbPath) !== before.rows) changed.push('rows of the DB');
  if (!statSync(targetIn(root)).isFile()) changed.push('the target');
  const again = await attempt(root, operation);
  const done = await within(root, operation.done);
  const retry = again === null ? (done ? null : 'not done') : JSON.stringify(again);
  return { operation: name, fault, error, changed, retry };
}

/** What only looks goes on where the disk has too little room: the notes of its start, and that there is an answer. */
async function looking(place: string): Promise<Record<string, unknown>> {
  const root = join(place, 'looking');
  mkdirSync(root);
  mount('-t', 'tmpfs', '-o', 'size=96m,mode=700', 'tmpfs', root);
  const events = (bench: Bench) => OPERATIONS.ingest?.build(bench);
  await buildRoot(root, async (bench) => (await live(bench), events(bench)), { git: false });
  fill(root, NEARLY_FULL);
  return within(root, async (ctx) => ({ notes: await prepare(ctx), state: (await status(ctx)).experiment?.state }));
}

/** A disk that fills up while a job runs: the job waits, and goes on when there is room. */
async function fullMeanwhile(place: string): Promise<Record<string, unknown>> {
  const root = join(place, 'meanwhile');
  mkdirSync(root);
  mount('-t', 'tmpfs', '-o', 'size=96m,mode=700', 'tmpfs', root);
  writeFileSync(join(root, 'config.yaml'), CONFIG);
  await buildRoot(
    root,
    (bench) => {
      holdout(bench);
      enqueue(bench.ctx, { kind: 'evaluate', experimentId: proposed(bench) });
    },
    { git: false },
  );
  fill(root, 1_000_000);
  const stopped = await within(root, async (ctx) => (await work(ctx)).ran);
  rmSync(join(root, 'filler'));
  const goneOn = await within(root, async (ctx, id) => {
    const jobId = evaluationJob(ctx, getExperiment(ctx.db, id), { underpowered: false });
    return (await runJobNow(ctx, jobId)).state;
  });
  const verdict = await within(root, (ctx, id) => getExperiment(ctx.db, id).verdict);
  return { stopped, goneOn, verdict };
}

const [place = ''] = process.argv.slice(2);
const outcomes: Outcome[] = [];
for (const name of Object.keys(OPERATIONS)) {
  for (const fault of ['nearly full', 'full', 'read-only'] as const) outcomes.push(await tryOut(place, name, fault));
}
console.log(JSON.stringify({ outcomes, looked: await looking(place), meanwhile: await fullMeanwhile(place) }));
