import { readAgentLog, type LogRead } from '../metrics/logFiles.js';
import { immediate } from '../store/database.js';
import {
  addLogCounts,
  changedDays,
  dayIsSummed,
  dropLogCursors,
  findSnapshot,
  groupSessions,
  lastCapturedAt,
  logCursors,
  saveLogCursor,
  saveSnapshot,
  sumSessions,
  type ChangedDay,
  type MetricsFigures,
  type MetricsSnapshot,
  type WindowKey,
} from '../store/metrics.js';
import type { ProfileRow } from '../store/profiles.js';
import { tagsWithoutFacts } from '../store/sessionTags.js';
import type { Context } from './context.js';
import { ingestSpool, type IngestSummary } from './ingest.js';
import { measureSessions } from './measureSessions.js';
import { experimentWindows, notBackwards, type MetricsWindow } from './metricsWindows.js';
import { requireProfile } from './requireProfile.js';
import { resolveTags } from './resolveTags.js';

const DAY_MS = 24 * 60 * 60 * 1000;
/** For this long after its last turn a session that state.db did not show is looked for again. */
const RESOLVE_MS = 30 * DAY_MS;
const AGENT_LOG = 'agent.log';

export interface CollectResult {
  readonly ingested: IngestSummary;
  /**
   * Without a window: those before, under and after recent experiments that changed, then the days (UTC) that did,
   * oldest first, today always the last one.
   */
  readonly snapshots: readonly MetricsSnapshot[];
}

/**
 * Collects the profile's figures: of one window, else of every day and experiment in which something may be new. A
 * window has one row, which is brought up to date; collecting again changes nothing. Figures without a source are null.
 * @throws KarpathyError `not_initialised`
 */
export function collectMetrics(ctx: Context, window?: MetricsWindow): CollectResult {
  const profile = requireProfile(ctx);
  const ingested = ingestSpool(ctx);
  // A clock that was ahead for a while must not hide what comes until then.
  const collectedAt = Math.min(ctx.clock.now(), lastCapturedAt(ctx.db, profile.id) ?? 0);
  const unknown = tagsWithoutFacts(ctx.db, { profileId: profile.id, since: collectedAt - RESOLVE_MS });
  resolveTags(ctx, profile, unknown);
  const log = collectLog(ctx, profile);
  measureSessions(ctx, profile);
  if (window !== undefined)
    return { ingested, snapshots: [snapshot(ctx, { profile, window: notBackwards(window), log })] };
  const days = changedDays(ctx.db, profile.id);
  // Before the days, whose marks go with them: a collection that breaks off is made up for by the next one.
  const windows = experimentWindows(ctx, profile.id).filter((one) =>
    mayHaveChanged(ctx, { profile, window: one, days }),
  );
  const snapshots = windows.map((one) => snapshot(ctx, { profile, window: one, log }));
  for (const changed of withToday(ctx, days)) {
    snapshots.push(snapshot(ctx, { profile, window: dayWindow(changed.day), log, changed }));
  }
  return { ingested, snapshots };
}

/** Whether a window's row is missing, ends elsewhere, or a session of one of its days has changed. */
function mayHaveChanged(
  ctx: Context,
  of: { profile: ProfileRow; window: MetricsWindow; days: readonly ChangedDay[] },
): boolean {
  const { startedAt, endedAt } = of.window;
  if (of.days.some(({ day }) => day < endedAt && day + DAY_MS > startedAt)) return true;
  return findSnapshot(ctx.db, keyOf(of))?.windowEndedAt !== endedAt;
}

/** Today has a row even when nothing happened. */
function withToday(ctx: Context, days: readonly ChangedDay[]): ChangedDay[] {
  const now = ctx.clock.now();
  const today = now - (now % DAY_MS);
  return [
    ...days.filter(({ day }) => day !== today),
    days.find(({ day }) => day === today) ?? { day: today, revision: 0 },
  ];
}

function dayWindow(day: number): MetricsWindow {
  return { kind: 'collect', experimentId: null, startedAt: day, endedAt: day + DAY_MS };
}

function keyOf({ profile, window }: { profile: ProfileRow; window: MetricsWindow }): WindowKey {
  const { kind: windowKind, experimentId, startedAt: windowStartedAt } = window;
  return { profileId: profile.id, experimentId, windowKind, windowStartedAt };
}

/** The part of agent.log that this collection read; null = the profile has no log. */
interface LogSpan {
  readonly inode: number;
  readonly from: number;
  readonly to: number;
}

/** Counts what is new in agent.log, once: the counts and the cursors move in one transaction. */
function collectLog(ctx: Context, profile: ProfileRow): LogSpan | null {
  const key = { profileId: profile.id, stream: AGENT_LOG };
  for (;;) {
    const cursors = logCursors(ctx.db, key);
    const read = readAgentLog(profile.rootPath, cursors);
    for (const problem of read.problems) ctx.log.warn(`${profile.name}: not collected: ${problem}`);
    const stored = immediate(ctx.db, () => {
      if (JSON.stringify(logCursors(ctx.db, key)) !== JSON.stringify(cursors)) return false;
      storeLog(ctx, key, read);
      return true;
    });
    // Another process collected meanwhile: read again from where it stopped.
    if (!stored) continue;
    const current = read.files.at(-1);
    return current === undefined ? null : { inode: current.inode, from: current.from, to: current.offset };
  }
}

function storeLog(ctx: Context, key: { profileId: number; stream: string }, read: LogRead): void {
  const at = ctx.clock.now();
  for (const [sessionId, counts] of read.counts) {
    addLogCounts(ctx.db, { profileId: key.profileId, sessionId, ...counts, at });
  }
  for (const { inode, offset, headFingerprint } of read.files) {
    saveLogCursor(ctx.db, { ...key, inode, offset, headFingerprint, at });
  }
  if (read.files.length > 0) dropLogCursors(ctx.db, { ...key, keep: read.files.map((file) => file.inode) });
}

interface SnapshotInput {
  readonly profile: ProfileRow;
  readonly window: MetricsWindow;
  readonly log: LogSpan | null;
  /** The mark that this sum takes off. */
  readonly changed?: ChangedDay;
}

function snapshot(ctx: Context, { profile, window, log, changed }: SnapshotInput): MetricsSnapshot {
  const key = keyOf({ profile, window });
  return immediate(ctx.db, () => {
    const earlier = findSnapshot(ctx.db, key);
    const known = { ...key, profile: profile.name, windowEndedAt: window.endedAt, ...offsets(earlier, log) };
    // Today without a mark: every session is as it was when its row was summed up.
    if (changed?.revision === 0 && earlier !== null && sameBut(earlier, { ...earlier, ...known })) return earlier;
    const row = { ...known, capturedAt: ctx.clock.now(), ...figuresOf(ctx, profile, window) };
    if (changed !== undefined) dayIsSummed(ctx.db, { ...changed, profileId: profile.id });
    if (earlier !== null && sameBut(earlier, row)) return earlier;
    saveSnapshot(ctx.db, row);
    return findSnapshot(ctx.db, key) ?? { ...row, id: 0 };
  });
}

/** The offsets of the window's first and last collection, as long as they are of one file. */
function offsets(
  earlier: MetricsSnapshot | null,
  log: LogSpan | null,
): Pick<MetricsSnapshot, 'fromOffset' | 'toOffset' | 'logInode'> {
  if (log === null) {
    const { fromOffset = null, toOffset = null, logInode = null } = earlier ?? {};
    return { fromOffset, toOffset, logInode };
  }
  const same = earlier?.logInode === log.inode && earlier.fromOffset !== null && earlier.fromOffset <= log.from;
  return { logInode: log.inode, fromOffset: same ? earlier.fromOffset : log.from, toOffset: log.to };
}

/** Whether only the time of the capture differs. */
function sameBut(earlier: MetricsSnapshot, row: Omit<MetricsSnapshot, 'id'>): boolean {
  const comparable = { ...row, id: earlier.id, capturedAt: earlier.capturedAt };
  return Object.entries(comparable).every(
    ([key, value]) => JSON.stringify(earlier[key as keyof MetricsSnapshot]) === JSON.stringify(value),
  );
}

function figuresOf(ctx: Context, profile: ProfileRow, window: MetricsWindow): MetricsFigures {
  const span = { profileId: profile.id, from: window.startedAt, to: window.endedAt };
  return { ...sumSessions(ctx.db, span), ...groupSessions(ctx.db, span) };
}
