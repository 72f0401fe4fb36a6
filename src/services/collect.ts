import { readAgentLog, type LogRead } from '../metrics/logFiles.js';
import { immediate } from '../store/database.js';
import {
  addLogCounts,
  dropLogCursors,
  findSnapshot,
  groupSessions,
  lastCapturedAt,
  logCursors,
  saveLogCursor,
  saveSnapshot,
  sumSessions,
  type MetricsFigures,
  type MetricsSnapshot,
} from '../store/metrics.js';
import type { ProfileRow } from '../store/profiles.js';
import { daysOfSessions, daysTouchedSince, tagsWithoutFacts } from '../store/sessionTags.js';
import type { Context } from './context.js';
import { ingestSpool, type IngestSummary } from './ingest.js';
import { measureSessions } from './measureSessions.js';
import { experimentWindows, type MetricsWindow } from './metricsWindows.js';
import { requireProfile } from './requireProfile.js';
import { resolveTags } from './resolveTags.js';

const DAY_MS = 24 * 60 * 60 * 1000;
/** For this long after its last turn a session that state.db did not show is looked for again. */
const RESOLVE_MS = 30 * DAY_MS;
/** A window's figures still change for a day after its last turns; one day more for what was spooled late. */
const SETTLE_MS = 2 * DAY_MS;
const AGENT_LOG = 'agent.log';

export interface CollectResult {
  readonly ingested: IngestSummary;
  /**
   * Without a window: those before, under and after recent experiments, then the days (UTC) that changed, oldest
   * first, today always the last one.
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
  const facts = resolveTags(ctx, profile, unknown);
  const { span: log, sessions } = collectLog(ctx, profile);
  const changed = [...facts.keys(), ...sessions, ...measureSessions(ctx, profile)];
  const windows = window === undefined ? windowsToCollect(ctx, { profile, changed, collectedAt }) : [window];
  return { ingested, snapshots: windows.map((one) => snapshot(ctx, { profile, window: one, log })) };
}

interface Collecting {
  readonly profile: ProfileRow;
  /** Sessions of which something was learnt. */
  readonly changed: readonly string[];
  /** When the profile was collected for the last time; 0 = never. */
  readonly collectedAt: number;
}

function windowsToCollect(ctx: Context, { profile, changed, collectedAt }: Collecting): MetricsWindow[] {
  const now = ctx.clock.now();
  const key = { profileId: profile.id, dayMs: DAY_MS };
  const days = new Set(daysOfSessions(ctx.db, { ...key, sessionIds: changed }));
  const open = experimentWindows(ctx, profile.id).filter(
    ({ startedAt, endedAt }) =>
      endedAt + SETTLE_MS >= collectedAt || [...days].some((day) => day < endedAt && day + DAY_MS > startedAt),
  );
  // A turn may have been spooled before the last collection and ingested after it: one day more is looked at again.
  for (const day of daysTouchedSince(ctx.db, { ...key, since: collectedAt - DAY_MS })) days.add(day);
  days.add(now - (now % DAY_MS));
  return [...open, ...[...days].sort((a, b) => a - b).map(dayWindow)];
}

function dayWindow(day: number): MetricsWindow {
  return { kind: 'collect', experimentId: null, startedAt: day, endedAt: day + DAY_MS };
}

/** The part of agent.log that this collection read; null = the profile has no log. */
interface LogSpan {
  readonly inode: number;
  readonly from: number;
  readonly to: number;
}

/** Counts what is new in agent.log, once: the counts and the cursors move in one transaction. */
function collectLog(ctx: Context, profile: ProfileRow): { span: LogSpan | null; sessions: Iterable<string> } {
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
    const span = current === undefined ? null : { inode: current.inode, from: current.from, to: current.offset };
    return { span, sessions: read.counts.keys() };
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
}

function snapshot(ctx: Context, { profile, window, log }: SnapshotInput): MetricsSnapshot {
  const figures = figuresOf(ctx, profile, window);
  const key = {
    profileId: profile.id,
    experimentId: window.experimentId,
    windowKind: window.kind,
    windowStartedAt: window.startedAt,
  };
  return immediate(ctx.db, () => {
    const earlier = findSnapshot(ctx.db, key);
    const row = {
      ...key,
      profile: profile.name,
      windowEndedAt: window.endedAt,
      ...offsets(earlier, log),
      capturedAt: ctx.clock.now(),
      ...figures,
    };
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
