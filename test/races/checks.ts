import { ABSENT, sha256 } from '#src/ratchet/digest.js';
import { SUPERSEDED } from '#src/services/resolve.js';
import type { Db } from '#src/store/database.js';
import { history, listExperiments, type ExperimentRow } from '#src/store/experiments.js';
import { listFileOperations, type FileOperationRow } from '#src/store/fileOperations.js';
import { PRIOR } from '../faults/world.js';
import type { Claim, ObserverReport, PersonReport } from './protocol.js';
import type { SpooledEvent } from './writers.js';

/** What is wrong after a race; each check returns what it found, nothing when all is well. */

const EMPTY = sha256(Buffer.alloc(0));

const countBy = <T>(of: readonly T[], key: (one: T) => string): Map<string, number> => {
  const counts = new Map<string, number>();
  for (const one of of) counts.set(key(one), (counts.get(key(one)) ?? 0) + 1);
  return counts;
};

/** Every change of state was reported by exactly the one process that the audit log names, and the other way round. */
export function checkClaims(db: Db, claims: readonly Claim[]): string[] {
  const rows = listExperiments(db).flatMap(({ id }) => history(db, id));
  const logged = countBy(rows, ({ experimentId, toState, actor }) => `${experimentId} ${toState} by ${actor}`);
  const claimed = countBy(claims, ({ experimentId, to, actor }) => `${experimentId} ${to} by ${actor}`);
  return [
    ...[...logged].filter(([, times]) => times > 1).map(([what]) => `double transition: ${what}`),
    ...[...claimed].filter(([what]) => !logged.has(what)).map(([what]) => `reported, but not in the log: ${what}`),
    ...[...logged].filter(([what]) => !claimed.has(what)).map(([what]) => `in the log, but not reported: ${what}`),
  ];
}

/** One apply and one revert at most for each experiment, and each a transition; each started from what it had to. */
export function checkOperations(db: Db): string[] {
  return listExperiments(db).flatMap((row) => {
    const done = listFileOperations(db, row.id).filter(({ phase }) => phase === 'done');
    const log = history(db, row.id);
    const applies = done.filter(({ kind }) => kind === 'apply');
    const backs = done.filter(({ kind }) => kind !== 'apply');
    const lives = log.filter(({ toState }) => toState === 'live').length;
    const reverts = log.filter(({ toState, reason }) => toState === 'reverted' && reason !== SUPERSEDED).length;
    return [
      ...(applies.length === lives && lives <= 1 ? [] : [`${row.id}: ${applies.length} applies, ${lives} times live`]),
      ...(backs.length === reverts && reverts <= 1 ? [] : [`${row.id}: ${backs.length} undone, ${reverts} reverts`]),
      ...done
        .filter((operation) => !startsRight(operation, row))
        .map(({ kind }) => `${row.id}: ${kind} over another text`),
    ];
  });
}

function startsRight({ kind, priorSha256, newSha256 }: FileOperationRow, row: ExperimentRow): boolean {
  if (kind === 'apply') return priorSha256 === row.baseSha256 && newSha256 === row.candidateSha256;
  return newSha256 === row.baseSha256 && (kind === 'restore' || priorSha256 === row.candidateSha256);
}

/**
 * A text that a person saved leaves the file only by their own next one, or by an operation that started from it; so
 * it is never written over unseen. `final`: what the file holds at the end.
 */
export function checkPerson(db: Db, { profile, edits }: PersonReport, final: string): string[] {
  const operations = operationsOf(db, profile);
  const started = new Set(operations.map(({ priorSha256 }) => priorSha256));
  return edits.flatMap((edit, index) => {
    const next = edits[index + 1]?.seenSha256 ?? final;
    if (next === edit.sha256 || started.has(edit.sha256)) return [];
    const over = operations.find(({ priorSha256, finishedAt }) => {
      return priorSha256 === edit.seenSha256 && Math.abs((finishedAt ?? 0) - edit.at) < 1000;
    });
    const how =
      over === undefined ? '' : `; ${over.kind} ${over.id} ended ${(over.finishedAt ?? 0) - edit.at} ms later`;
    return [`${profile}: edit ${index + 1} of the person, ${edit.how}, was written over${how}`];
  });
}

function operationsOf(db: Db, profile: string): FileOperationRow[] {
  const rows = listExperiments(db).filter((row) => row.profile === profile);
  return rows.flatMap(({ id }) => listFileOperations(db, id)).filter(({ phase }) => phase === 'done');
}

/** The file never held anything but a whole text that somebody wrote; empty only while a person saves in place. */
export function checkSeen(db: Db, { seen }: ObserverReport, persons: readonly PersonReport[]): string[] {
  return seen.flatMap(({ profile, sha256: hash, text }) => {
    const edits = persons.find((person) => person.profile === profile)?.edits ?? [];
    const legal = new Set([
      sha256(PRIOR),
      EMPTY,
      ...edits.map((edit) => edit.sha256),
      ...operationsOf(db, profile).map(({ newSha256 }) => newSha256),
    ]);
    return hash !== ABSENT && legal.has(hash)
      ? []
      : [`${profile} held what nobody wrote: ${hash} ${JSON.stringify(text)}`];
  });
}

/** Every event that the hooks wrote is in the DB once, and counted once. */
export function checkEvents(db: Db, events: readonly SpooledEvent[]): string[] {
  const stored = new Set(db.prepare('SELECT event_id FROM spool_events').pluck().all() as string[]);
  const missing = events.filter(({ id }) => !stored.has(id)).length;
  const number = (sql: string) => (db.prepare(sql).pluck().get() as number | null) ?? 0;
  const expected: readonly [string, number, number][] = [
    ['events in the DB', stored.size, new Set(events.map(({ id }) => id)).size],
    ['events that are missing', missing, 0],
    ['turns begun', number('SELECT sum(started_turns) FROM session_tags'), ofHook(events, 'pre_llm_call')],
    ['turns ended', number('SELECT sum(completed_turns) FROM session_tags'), ofHook(events, 'post_llm_call')],
    ['sessions', number('SELECT count(*) FROM session_tags'), new Set(events.map((event) => event.session_id)).size],
    ['lines put aside', number('SELECT count(*) FROM spool_quarantine'), 0],
  ];
  return expected
    .filter(([, found, due]) => found !== due)
    .map(([what, found, due]) => `${what}: ${found}, not ${due}`);
}

const ofHook = (events: readonly SpooledEvent[], hook: string) => events.filter((event) => event.hook === hook).length;
