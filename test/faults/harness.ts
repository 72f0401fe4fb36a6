import { fork, type ChildProcess } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { bundleChild } from './bundle.js';
import type { Done, Order } from './child.js';

/** How many kills each operation gets of a thousand. */
export const SHARES = {
  approve: 40,
  apply: 90,
  'apply-no-git': 100,
  revert: 80,
  'revert-no-git': 80,
  resolve: 80,
  ingest: 90,
  propose: 60,
  evaluate: 80,
  trials: 50,
  tick: 70,
  'tick-revert': 70,
  migrate: 50,
  backup: 30,
  restore: 30,
  relocate: 40,
} as const;
export type OperationName = keyof typeof SHARES;

export interface FaultsOptions {
  /** Kills over all operations. */
  readonly kills: number;
  readonly seed: number;
  /** Processes at a time. */
  readonly lanes: number;
  readonly operations?: readonly OperationName[];
  /** Instead of `kills`: each numbered point once, and none at random. */
  readonly everyPoint?: boolean;
  readonly onFailure?: (failure: Failure) => void;
  readonly onKill?: (done: { readonly kills: number; readonly of: number }) => void;
}

export interface Failure {
  readonly operation: OperationName;
  readonly how: string;
  readonly what: string;
}

export interface Counts {
  /** Kills at a numbered point, and how many points the operation has. */
  instrumented: number;
  points: number;
  /** Kills from outside after a random time, of the process alone and of its whole group. */
  random: number;
  failures: number;
}

export interface FaultsReport {
  readonly counts: Readonly<Record<string, Counts>>;
  readonly failures: readonly Failure[];
  readonly kills: number;
  readonly ms: number;
}

/** Numbers in [0, 1) that a seed repeats (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A process that is warm and waits for its order. In a group of its own, which also holds the programs it starts. */
class Worker {
  readonly #child: ChildProcess;
  readonly #ready: Promise<void>;
  readonly #ended: Promise<void>;

  constructor(script: string) {
    this.#child = fork(script, { detached: true, execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.#ended = new Promise((resolve) => this.#child.once('exit', () => resolve()));
    this.#ready = new Promise((resolve) => this.#child.once('message', () => resolve()));
  }

  /** Null when the process died before it was done. */
  async obey(order: Order, started: () => void = () => undefined): Promise<Done | null> {
    await this.#ready;
    const answered = new Promise<Done>((resolve) => this.#child.once('message', (done) => resolve(done as Done)));
    this.#child.send(order);
    started();
    return Promise.race([answered, this.#ended.then(() => null)]);
  }

  kill(whom: 'process' | 'group'): void {
    const { pid } = this.#child;
    if (pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    try {
      process.kill(whom === 'group' ? -pid : pid, 'SIGKILL');
    } catch {
      // It has just ended.
    }
  }

  /** Waits for the programs that the dead process had started: they go on without it. */
  async groupGone(): Promise<void> {
    await this.#ended;
    for (let tries = 0; tries < 500; tries++) {
      try {
        process.kill(-(this.#child.pid ?? 0), 0);
      } catch {
        return;
      }
      await delay(10);
    }
    throw new Error('a program that the killed process had started does not end');
  }

  async end(): Promise<void> {
    await this.#ready;
    if (this.#child.connected) this.#child.disconnect();
    await this.#ended;
  }
}

/** With its times: a spool file's age decides what becomes of it. */
const AS_IT_IS = { recursive: true, preserveTimestamps: true } as const;

interface Shot {
  readonly operation: OperationName;
  /** A point's number, or a share of the operation's time. */
  readonly at: { readonly point: number } | { readonly share: number; readonly whom: 'process' | 'group' };
}

/** What one lane works on: a root at a fixed path, for the profile's real path is its identity. */
class Lane {
  readonly #dir: string;
  readonly #script: string;
  readonly #checker: Worker;
  readonly #templates = new Map<OperationName, { points: number; ms: number }>();
  #next: Worker;

  constructor(script: string) {
    this.#dir = realpathSync(mkdtempSync(join(tmpdir(), 'karpathy-faults-')));
    this.#script = script;
    this.#checker = new Worker(script);
    this.#next = new Worker(script);
  }

  get #root(): string {
    return join(this.#dir, 'root');
  }

  /** Builds the root of an operation once, and runs it unharmed, which must pass its own check. */
  async template(operation: OperationName): Promise<{ points: number; ms: number }> {
    const known = this.#templates.get(operation);
    if (known !== undefined) return known;
    const order = { operation, root: this.#root, killAt: null };
    rmSync(this.#root, { recursive: true, force: true });
    mkdirSync(this.#root, { mode: 0o700 });
    must(await this.#checker.obey({ ...order, part: 'build' }), `building ${operation}`);
    cpSync(this.#root, join(this.#dir, operation), AS_IT_IS);
    const worker = this.#takeWorker();
    const whole = must(await worker.obey({ ...order, part: 'run' }), `${operation} unharmed`);
    await worker.end();
    must(await this.#checker.obey({ ...order, part: 'check' }), `the check of ${operation} unharmed`);
    const made = { points: whole.points.length, ms: whole.ms };
    this.#templates.set(operation, made);
    return made;
  }

  /** Kills and checks; null when the operation was done before the kill. */
  async shoot({ operation, at }: Shot): Promise<{ failure: Failure | null } | null> {
    const { ms } = await this.template(operation);
    rmSync(this.#root, { recursive: true, force: true });
    cpSync(join(this.#dir, operation), this.#root, AS_IT_IS);
    const worker = this.#takeWorker();
    const order = { operation, root: this.#root };
    const killAt = 'point' in at ? at.point : null;
    const done = await worker.obey({ ...order, part: 'run', killAt }, () => {
      if ('share' in at) setTimeout(() => worker.kill(at.whom), at.share * ms);
    });
    if (done !== null) {
      worker.kill('process');
      await worker.groupGone();
      if (done.failure === null) return null;
      return { failure: { operation, how: 'not killed', what: done.failure } };
    }
    await worker.groupGone();
    const checked = await this.#checker.obey({ ...order, part: 'check', killAt: null });
    const what = checked === null ? 'the checking process died' : checked.failure;
    const how = 'point' in at ? `at point ${at.point}` : `${at.whom} after ${(at.share * ms).toFixed(1)} ms`;
    return { failure: what === null ? null : { operation, how, what } };
  }

  #takeWorker(): Worker {
    const worker = this.#next;
    this.#next = new Worker(this.#script);
    return worker;
  }

  async close(): Promise<void> {
    await Promise.all([this.#checker.end(), this.#next.end()]);
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

function must(done: Done | null, what: string): Done {
  if (done === null) throw new Error(`${what}: the process died`);
  if (done.failure !== null) throw new Error(`${what}: ${done.failure}`);
  return done;
}

function everyPoint(operation: OperationName, points: number): Shot[] {
  return Array.from({ length: points }, (_, index) => ({ operation, at: { point: index + 1 } }));
}

/** Three of five at points that are spread over the whole operation, the others at random times. */
function planShots(operation: OperationName, count: number, of: { points: number; random: () => number }): Shot[] {
  const atPoints = Math.min(of.points, Math.ceil(count * 0.6));
  const offset = of.random();
  const instrumented = Array.from({ length: atPoints }, (_, index) => ({
    operation,
    at: { point: 1 + Math.floor(((index + offset) / atPoints) * of.points) },
  }));
  const random = Array.from({ length: count - atPoints }, () => ({
    operation,
    at: { share: of.random(), whom: of.random() < 0.5 ? ('process' as const) : ('group' as const) },
  }));
  return [...instrumented, ...random];
}

/** A random kill that comes too late is tried again earlier; this often. */
const RETRIES = 6;

/**
 * Kills real work at numbered points and at random times, and lets another process look after each kill.
 * The same seed plans the same kills; what a random time hits depends on the machine.
 */
export async function runFaults(options: FaultsOptions): Promise<FaultsReport> {
  const began = Date.now();
  const bundle = await bundleChild('test/faults/child.ts');
  const lanes = Array.from({ length: options.lanes }, () => new Lane(bundle.script));
  const random = seeded(options.seed);
  const counts: Record<string, Counts> = {};
  const failures: Failure[] = [];
  try {
    const shots: Shot[] = [];
    for (const operation of options.operations ?? (Object.keys(SHARES) as OperationName[])) {
      const { points } = await (lanes[0] as Lane).template(operation);
      counts[operation] = { instrumented: 0, points, random: 0, failures: 0 };
      const count = Math.ceil((SHARES[operation] / 1000) * options.kills);
      shots.push(
        ...(options.everyPoint === true
          ? everyPoint(operation, points)
          : planShots(operation, count, { points, random })),
      );
    }
    const of = shots.length;
    const runLane = async (lane: Lane): Promise<void> => {
      for (let shot = shots.shift(); shot !== undefined; shot = shots.shift()) {
        const tally = counts[shot.operation] as Counts;
        const { at, failure } = await shootUntilHit(lane, shot);
        if ('point' in at) tally.instrumented++;
        else tally.random++;
        options.onKill?.({ kills: of - shots.length, of });
        if (failure === null) continue;
        tally.failures++;
        failures.push(failure);
        options.onFailure?.(failure);
      }
    };
    await Promise.all(lanes.map(runLane));
  } finally {
    await Promise.all(lanes.map((lane) => lane.close()));
    bundle.remove();
  }
  const kills = Object.values(counts).reduce((sum, count) => sum + count.instrumented + count.random, 0);
  return { counts, failures, kills, ms: Date.now() - began };
}

/** Work that is done before every kill from outside is killed at a numbered point instead. */
async function shootUntilHit(lane: Lane, shot: Shot): Promise<{ at: Shot['at']; failure: Failure | null }> {
  const { operation } = shot;
  let { at } = shot;
  for (let tries = 0; 'share' in at && tries < RETRIES; tries++) {
    const result = await lane.shoot({ operation, at });
    if (result !== null) return { at, failure: result.failure };
    at = { ...at, share: at.share * 0.7 };
  }
  if ('share' in at) at = { point: 1 + Math.floor(at.share * (await lane.template(operation)).points) };
  const result = await lane.shoot({ operation, at });
  const missed = { operation, how: JSON.stringify(at), what: 'the operation was done before it reached this point' };
  return { at, failure: result === null ? missed : result.failure };
}
