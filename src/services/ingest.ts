import { realpathSync, unlinkSync } from 'node:fs';
import { faultCode } from '../errors.js';
import { listSpool, readSpool, statSpoolFile, type SpoolChunk, type SpoolFile } from '../metrics/spoolReader.js';
import { nextTag } from '../metrics/tagging.js';
import type { SpoolEvent, SpoolHookEvent } from '../schemas.js';
import { immediate } from '../store/database.js';
import { findProfile, type ProfileRow } from '../store/profiles.js';
import { findSessionTag, saveSessionTag } from '../store/sessionTags.js';
import {
  dropSpoolCursor,
  dropSpoolEvents,
  insertProcessEvent,
  insertSpoolEvent,
  listSpoolCursors,
  moveSpoolCursor,
  quarantineLine,
  spoolCursor,
} from '../store/spool.js';
import type { Context } from './context.js';
import { requireRoom } from '../ratchet/room.js';
import { rowsNeed } from './room.js';
import { readSessionFacts, type SessionFacts } from './sessionFacts.js';

const DAY_MS = 24 * 60 * 60 * 1000;
/** Events tell a line that was counted from one that was not, for as long as a spool file might come back. */
const KEEP_EVENTS_MS = 30 * DAY_MS;

export interface IngestSummary {
  /** Events that were not in the DB before. */
  readonly events: number;
  /** Spool files looked at. */
  readonly files: number;
  /** Lines that are no event and were put aside. */
  readonly quarantined: number;
}

type IngestContext = Pick<Context, 'db' | 'clock' | 'log' | 'paths'>;

/**
 * Takes what the hooks of all profiles have written. Rows and the file's offset move in one transaction, so a crash
 * or a second ingester neither loses nor doubles an event. A line that is no event is kept in `spool_quarantine`.
 * @throws KarpathyError `io` when the DB has no room; the events stay in the spool
 */
export function ingestSpool(ctx: IngestContext): IngestSummary {
  const files = listSpool(ctx.paths.spoolDir);
  const profileOf = profileFinder(ctx);
  const total = { events: 0, quarantined: 0 };
  for (const file of files) {
    const added = ingestFile(ctx, file, profileOf);
    total.events += added.events;
    total.quarantined += added.quarantined;
  }
  forgetGoneFiles(ctx, files);
  dropSpoolEvents(ctx.db, { before: ctx.clock.now() - KEEP_EVENTS_MS, limit: 5000 });
  if (total.quarantined > 0)
    ctx.log.warn(`${total.quarantined} spool lines are no events; they are kept in spool_quarantine`);
  return { ...total, files: files.length };
}

type ProfileFinder = (home: string) => ProfileRow | null;

/** Profiles by home as the hook saw it; the identity is the home's real path. */
function profileFinder(ctx: Pick<Context, 'db'>): ProfileFinder {
  const found = new Map<string, ProfileRow | null>();
  return (home) => {
    let row = found.get(home);
    if (row === undefined) {
      row = findProfile(ctx.db, realPath(home));
      found.set(home, row);
    }
    return row;
  };
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    // The profile was renamed or deleted since.
    return path;
  }
}

function ingestFile(
  ctx: IngestContext,
  file: SpoolFile,
  profileOf: ProfileFinder,
): { events: number; quarantined: number } {
  const total = { events: 0, quarantined: 0 };
  for (;;) {
    const cursor = spoolCursor(ctx.db, file.name);
    const from = cursor?.inode === file.inode ? cursor.offset : 0;
    // Only up to where the file was at first: with hooks that go on writing, whoever is overtaken each time never ends.
    if (from >= file.size && from > 0) {
      deleteWhenOld(ctx, file);
      return total;
    }
    const chunk = readChunk(ctx, file, from);
    if (chunk === null) return total;
    if (chunk.to > from) {
      const added = storeChunk(ctx, { file, chunk, cursorOffset: cursor?.offset ?? null, profileOf });
      // null: another process moved the cursor meanwhile; look again where it stands now.
      if (added === null) continue;
      total.events += added.events;
      total.quarantined += added.quarantined;
    }
    if (chunk.more && chunk.to < file.size) continue;
    if (chunk.torn === 0) deleteWhenOld(ctx, file);
    return total;
  }
}

function isOld(ctx: IngestContext, file: SpoolFile): boolean {
  return ctx.clock.now() - file.writtenAt > DAY_MS;
}

/** A writer appends a line in one write, so a line that is torn for a day was left by a crash. Null = file gone. */
function readChunk(ctx: IngestContext, file: SpoolFile, from: number): SpoolChunk | null {
  try {
    return readSpool(file.path, from, { takeTorn: isOld(ctx, file) });
  } catch (error) {
    if (faultCode(error) === 'ENOENT') return null;
    throw error;
  }
}

interface Chunk {
  readonly file: SpoolFile;
  readonly chunk: SpoolChunk;
  readonly cursorOffset: number | null;
  readonly profileOf: ProfileFinder;
}

function storeChunk(ctx: IngestContext, input: Chunk): { events: number; quarantined: number } | null {
  const { file, chunk } = input;
  // The host's store is read before our write lock is taken: it may have to wait for the host.
  const factsOf = factsForEvents(ctx, chunk.events, input.profileOf);
  const at = ctx.clock.now();
  requireRoom([rowsNeed(ctx, chunk.to - chunk.from)]);
  return immediate(ctx.db, () => {
    if ((spoolCursor(ctx.db, file.name)?.offset ?? null) !== input.cursorOffset) return null;
    let events = 0;
    let quarantined = 0;
    for (const event of chunk.events) if (storeEvent(ctx, event, { ...input, factsOf, at })) events++;
    for (const line of chunk.malformed) if (quarantineLine(ctx.db, { file: file.name, ...line, at })) quarantined++;
    moveSpoolCursor(ctx.db, file.name, { inode: file.inode, offset: chunk.to, at });
    return { events, quarantined };
  });
}

type FactsFinder = (profile: ProfileRow, sessionId: string) => SessionFacts | null;

function factsForEvents(ctx: IngestContext, events: readonly SpoolEvent[], profileOf: ProfileFinder): FactsFinder {
  const sessions = new Map<ProfileRow, Set<string>>();
  for (const event of events) {
    const profile = event.hook === 'process' ? null : profileOf(event.home);
    if (profile === null || event.hook === 'process') continue;
    const ids = sessions.get(profile) ?? new Set();
    sessions.set(profile, ids.add(event.session_id));
  }
  const facts = new Map([...sessions].map(([profile, ids]) => [profile.id, readSessionFacts(ctx, profile, [...ids])]));
  return (profile, sessionId) => facts.get(profile.id)?.get(sessionId) ?? null;
}

interface StoreEvent {
  readonly profileOf: ProfileFinder;
  readonly factsOf: FactsFinder;
  readonly at: number;
}

/** False when the event was there already. */
function storeEvent(ctx: IngestContext, event: SpoolEvent, { profileOf, factsOf, at }: StoreEvent): boolean {
  if (event.hook === 'process') return insertProcessEvent(ctx.db, event);
  const profile = profileOf(event.home);
  if (!insertSpoolEvent(ctx.db, event, { profileId: profile?.id ?? null, at })) return false;
  if (profile !== null) tagSession(ctx, event, { profile, facts: factsOf(profile, event.session_id), at });
  return true;
}

function tagSession(
  ctx: IngestContext,
  event: SpoolHookEvent,
  { profile, facts, at }: { profile: ProfileRow; facts: SessionFacts | null; at: number },
): void {
  const key = { profileId: profile.id, sessionId: event.session_id };
  saveSessionTag(ctx.db, { ...nextTag(findSessionTag(ctx.db, key), event, facts), ...key, at });
}

/** Old files are deleted once every byte is in the DB; the size is looked at again under the lock. */
function deleteWhenOld(ctx: IngestContext, file: SpoolFile): void {
  if (!isOld(ctx, file)) return;
  immediate(ctx.db, () => {
    const now = statSpoolFile(ctx.paths.spoolDir, file.name);
    const done = now === null ? 0 : (spoolCursor(ctx.db, file.name)?.offset ?? 0);
    if (now === null || now.inode !== file.inode || now.size !== done) return;
    unlinkSync(now.path);
    dropSpoolCursor(ctx.db, file.name);
  });
}

function forgetGoneFiles(ctx: IngestContext, files: readonly SpoolFile[]): void {
  const there = new Set(files.map((file) => file.name));
  for (const name of listSpoolCursors(ctx.db)) {
    if (!there.has(name) && statSpoolFile(ctx.paths.spoolDir, name) === null) dropSpoolCursor(ctx.db, name);
  }
}
