import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Context } from '#src/services/context.js';
import { ingestSpool } from '#src/services/ingest.js';
import { refreshMarkers } from '#src/services/markers.js';
import { prepare } from '#src/services/prepare.js';
import { revertExperiment } from '#src/services/revert.js';
import { targetStatus } from '#src/services/targetStatus.js';
import { sha256 } from '#src/ratchet/digest.js';
import { listExperiments } from '#src/store/experiments.js';
import { bundleChild } from '../faults/bundle.js';
import {
  buildRoot,
  checkHistory,
  checkInvariants,
  homeIn,
  LATER_MS,
  pathsIn,
  readTargetIn,
  withContext,
} from '../faults/world.js';
import { checkClaims, checkEvents, checkOperations, checkPerson, checkSeen } from './checks.js';
import { audit } from './observer.js';
import type { RaceOrder, RaceReport } from './protocol.js';
import { spooled, writeEvents, writeInTurn, type SpooledEvent, type Writing } from './writers.js';

export interface RacesOptions {
  readonly seconds: number;
  readonly processes: number;
  readonly seed: number;
  /** Over all writers; even, for a turn is two events. */
  readonly events: number;
}

export interface RacesReport {
  readonly failures: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
  /** Commands given and refused, over all racers. */
  readonly given: Readonly<Record<string, number>>;
  readonly refused: Readonly<Record<string, number>>;
  readonly ms: number;
}

/** The first is in a git repository, the second is not. */
const PROFILES = ['dev', 'work'] as const;
const WRITERS = 4;
/** Processes that each writer is, one after the other. */
const SLICES = 5;
const DAY_MS = 86_400_000;

/**
 * Lets processes race for the same experiments, files and events, and looks afterwards whether each thing happened
 * once, in a legal order, and never over a person's text. The seed draws what each process tries; who comes first is
 * up to the machine.
 */
export async function runRaces(options: RacesOptions): Promise<RacesReport> {
  const began = Date.now();
  const bundle = await bundleChild('test/races/child.ts');
  const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'karpathy-races-')));
  const course: Course = { ...options, root: join(scratch, 'root'), scratch, script: bundle.script };
  try {
    await build(course.root);
    const backlog = await writeBacklog(course);
    const reports = await hold(course);
    const all = [...backlog, ...spooled(pathsIn(course.root).spoolDir)];
    const events = [...new Map(all.map((event) => [event.id, event])).values()];
    const failures =
      events.length === options.events ? [] : [`${events.length} of ${options.events} events were written`];
    failures.push(...reports.flatMap((report) => (report.role === 'person' ? [] : report.broken)));
    failures.push(...(await lookAfter(course.root, reports, events)));
    return { failures, ...tally(reports, events), ms: Date.now() - began };
  } finally {
    bundle.remove();
    rmSync(scratch, { recursive: true, force: true });
  }
}

interface Course extends RacesOptions {
  readonly root: string;
  readonly scratch: string;
  readonly script: string;
}

async function build(root: string): Promise<void> {
  mkdirSync(root, { mode: 0o700 });
  for (const profile of PROFILES) {
    await buildRoot(root, ({ ctx }) => refreshMarkers(ctx), { profile, git: profile === PROFILES[0] });
  }
  // The hooks would start a Hermes in the background; the racers are the ticks here.
  writeFileSync(join(pathsIn(root).dataDir, 'tick.stamp'), String(Math.floor(Date.now() / 1000)));
}

/** A tenth of the events lies in files that are over a day old, which the race therefore also deletes. */
async function writeBacklog({ root, scratch, events }: Course): Promise<SpooledEvent[]> {
  const { spoolDir } = pathsIn(root);
  const each = Math.floor(events / 20 / WRITERS) * 2;
  const names = Array.from({ length: WRITERS }, (_, index) => `earlier-${index}`);
  await Promise.all(names.map((name) => writeEvents({ home: homeIn(root), scratch, events: each, name })));
  const longAgo = (Date.now() - 2 * DAY_MS) / 1000;
  for (const name of readdirSync(spoolDir)) utimesSync(join(spoolDir, name), longAgo, longAgo);
  return spooled(spoolDir);
}

/** The race itself: racers, a person for each profile, an observer, and the writers. */
async function hold(course: Course): Promise<RaceReport[]> {
  const { root, script, seed, seconds, processes } = course;
  const racers = Array.from({ length: processes }, (_, index) => ({ role: 'racer', name: `racer-${index}` }) as const);
  const roles = [
    ...racers.map((racer) => ({ ...racer, profiles: PROFILES })),
    ...PROFILES.map((profile) => ({ role: 'person', name: `person of ${profile}`, profiles: [profile] }) as const),
    { role: 'observer', name: 'observer', profiles: PROFILES } as const,
  ];
  const children = roles.map(() => new Participant(script));
  await Promise.all(children.map((child) => child.ready));
  const from = Date.now();
  const until = from + seconds * 1000;
  const reports = children.map((child, index) => {
    const role = roles[index] as (typeof roles)[number];
    return child.obey({ ...role, root, seed: `${seed} ${role.name}`, until });
  });
  const writers = writersOf(course).map((slices) => writeInTurn(slices, { from, until }));
  const [answers] = await Promise.all([Promise.all(reports), Promise.all(writers)]);
  return answers;
}

class Participant {
  readonly #child: ChildProcess;
  readonly ready: Promise<void>;

  constructor(script: string) {
    this.#child = fork(script, { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.ready = new Promise((resolve) => this.#child.once('message', () => resolve()));
  }

  obey(order: RaceOrder): Promise<RaceReport> {
    return new Promise((resolve, reject) => {
      this.#child.once('message', (report) => resolve(report as RaceReport));
      this.#child.once('exit', (code) => reject(new Error(`${order.name} ended with ${code} and no report`)));
      this.#child.send(order);
    });
  }
}

/** What the backlog left of the events, shared evenly; a turn is two. The last slice takes what does not divide. */
function writersOf({ root, scratch, events }: Course): Writing[][] {
  const rest = events - Math.floor(events / 20 / WRITERS) * 2 * WRITERS;
  const each = Math.floor(rest / (2 * WRITERS * SLICES)) * 2;
  return Array.from({ length: WRITERS }, (_, writer) =>
    Array.from({ length: SLICES }, (_, slice) => {
      const last = writer === WRITERS - 1 && slice === SLICES - 1;
      const mine = last ? rest - each * (WRITERS * SLICES - 1) : each;
      const home = homeIn(root, PROFILES[writer % PROFILES.length]);
      return { home, scratch, events: mine, name: `writer-${writer}-${slice}` };
    }),
  );
}

/** As a later command: recover, look at everything, and bring what is applied to its end, which is the prior bytes. */
async function lookAfter(
  root: string,
  reports: readonly RaceReport[],
  events: readonly SpooledEvent[],
): Promise<string[]> {
  const persons = ofRole(reports, 'person');
  const failures: string[] = [];
  const must = async (check: () => unknown): Promise<void> => {
    try {
      await check();
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
  };
  for (const profile of PROFILES) {
    const recover = async (ctx: Context): Promise<void> => {
      await prepare(ctx);
      ingestSpool(ctx);
      await must(() => checkInvariants(root, ctx.db, profile));
      await must(() => checkHistory(root, profile));
    };
    await withContext(root, recover, { profile, laterMs: LATER_MS });
  }
  await withContext(root, ({ db }) => {
    const claims = ofRole(reports, 'racer').flatMap((report) => report.claims);
    failures.push(...checkClaims(db, claims), ...checkOperations(db), ...checkEvents(db, events), ...audit(db));
    for (const observer of ofRole(reports, 'observer')) failures.push(...checkSeen(db, observer, persons));
    for (const person of persons) {
      failures.push(...checkPerson(db, person, sha256(readTargetIn(root, person.profile))));
    }
  });
  for (const profile of PROFILES) await must(() => withContext(root, (ctx) => bringToEnd(ctx, root), { profile }));
  return failures;
}

/** Takes back, newest first, what is applied and nobody wrote over. */
async function bringToEnd(ctx: Context, root: string): Promise<void> {
  const applied = listExperiments(ctx.db, { states: ['live', 'verified'] });
  for (const row of applied.filter(({ profile }) => profile === ctx.profile.name)) {
    if (targetStatus(ctx, row) !== 'as_applied') continue;
    await revertExperiment(ctx, row.id, { reason: 'the race is over' });
    const restored = readTargetIn(root, ctx.profile.name);
    assert.ok(row.baseContent?.equals(restored) === true, `the bytes from before experiment ${row.id} are back`);
  }
}

type OfRole<R extends RaceReport['role']> = Extract<RaceReport, { readonly role: R }>;

function ofRole<R extends RaceReport['role']>(reports: readonly RaceReport[], role: R): OfRole<R>[] {
  return reports.filter((report): report is OfRole<R> => report.role === role);
}

function tally(
  reports: readonly RaceReport[],
  events: readonly SpooledEvent[],
): Pick<RacesReport, 'counts' | 'given' | 'refused'> {
  const racers = ofRole(reports, 'racer');
  const sum = (of: readonly Readonly<Record<string, number>>[]): Record<string, number> => {
    const total: Record<string, number> = {};
    for (const one of of) for (const [key, value] of Object.entries(one)) total[key] = (total[key] ?? 0) + value;
    return total;
  };
  const given = sum(racers.map((racer) => racer.given));
  const observers = ofRole(reports, 'observer');
  return {
    counts: {
      events: events.length,
      commands: Object.values(given).reduce((total, count) => total + count, 0),
      transitions: racers.reduce((total, { claims }) => total + claims.length, 0),
      'edits of the persons': ofRole(reports, 'person').reduce((total, { edits }) => total + edits.length, 0),
      'looks at the files': observers.reduce((total, { looks }) => total + looks, 0),
      'looks at the audit log': observers.reduce((total, { audits }) => total + audits, 0),
      'longest command in ms': Math.round(Math.max(...racers.map(({ longestMs }) => longestMs))),
    },
    given,
    refused: sum(racers.map((racer) => racer.refused)),
  };
}
