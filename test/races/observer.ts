import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { IN_FLIGHT_STATES, type ExperimentState } from '#src/domain/experiment.js';
import { foldTransitions, type LoggedTransition } from '#src/domain/lifecycle.js';
import { sha256 } from '#src/ratchet/digest.js';
import { openDatabase, type Db } from '#src/store/database.js';
import { pathsIn, targetIn } from '../faults/world.js';
import type { ObserverReport, RaceOrder } from './protocol.js';

const LOOK_EVERY_MS = 2;
const AUDIT_EVERY_MS = 200;

/** Looks at the files all the time, and now and then at the audit log: everything must be right at every moment. */
export async function observe(order: RaceOrder): Promise<ObserverReport> {
  const seen = new Map<string, ObserverReport['seen'][number]>();
  const broken = new Set<string>();
  const db = openDatabase(pathsIn(order.root).dbPath);
  let [looks, audits, nextAudit] = [0, 0, 0];
  try {
    while (Date.now() < order.until) {
      for (const profile of order.profiles) {
        const text = read(targetIn(order.root, profile));
        const hash = text === null ? 'absent' : sha256(text);
        seen.set(`${profile} ${hash}`, { profile, sha256: hash, text: text?.toString('utf8').slice(0, 200) ?? '' });
        looks++;
      }
      if (Date.now() >= nextAudit) {
        for (const problem of audit(db)) broken.add(problem);
        audits++;
        nextAudit = Date.now() + AUDIT_EVERY_MS;
      }
      await delay(LOOK_EVERY_MS);
    }
  } finally {
    db.close();
  }
  return { role: 'observer', seen: [...seen.values()], looks, audits, broken: [...broken] };
}

function read(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch {
    return null;
  }
}

interface LoggedRow extends LoggedTransition {
  readonly experimentId: number;
  readonly profileId: number;
}

/**
 * What is wrong at this moment, in one reading transaction: a stored state that the audit log does not add up to, and,
 * replaying the log of a profile, two experiments in flight at a time.
 */
export function audit(db: Db): string[] {
  return db.transaction(() => {
    const log = db
      .prepare(
        `SELECT t.experiment_id AS experimentId, e.profile_id AS profileId, t.from_state AS "from", t.to_state AS "to"
         FROM experiment_state_transitions t JOIN experiments e ON e.id = t.experiment_id ORDER BY t.id`,
      )
      .all() as LoggedRow[];
    const stored = db.prepare('SELECT id, state FROM experiments').all() as { id: number; state: ExperimentState }[];
    const logs = new Map<number, LoggedRow[]>();
    for (const row of log) logs.set(row.experimentId, [...(logs.get(row.experimentId) ?? []), row]);
    return [
      ...stored.flatMap(({ id, state }) => {
        const folded = fold(logs.get(id) ?? []);
        return folded === state ? [] : [`experiment ${id} is ${state}; its audit log says ${folded}`];
      }),
      ...oneInFlight(log),
    ];
  })();
}

function fold(log: readonly LoggedTransition[]): string {
  try {
    return foldTransitions(log) ?? 'nothing';
  } catch (error) {
    return String(error);
  }
}

function oneInFlight(log: readonly LoggedRow[]): string[] {
  const problems: string[] = [];
  const inFlight = new Map<number, number>();
  for (const { experimentId, profileId, to } of log) {
    const holder = inFlight.get(profileId);
    if (!IN_FLIGHT_STATES.some((state) => state === to)) {
      if (holder === experimentId) inFlight.delete(profileId);
    } else if (holder === undefined) inFlight.set(profileId, experimentId);
    else if (holder !== experimentId)
      problems.push(`experiments ${holder} and ${experimentId} were in flight together`);
  }
  return problems;
}
