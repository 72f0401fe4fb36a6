import { sharesFault, type PromptFault } from '../domain/promptText.js';
import { immediate } from '../store/database.js';
import { findInFlight, getExperiment, markConflict, recordWindow, type ExperimentRow } from '../store/experiments.js';
import { findProfile, type ProfileRow } from '../store/profiles.js';
import {
  countWindow,
  tagsWithOldText,
  unansweredSessions,
  unresolvedTags,
  type WindowCounts,
  type WindowQuery,
} from '../store/sessionTags.js';
import type { Context } from './context.js';
import { ingestSpool } from './ingest.js';
import { readSessionFacts } from './sessionFacts.js';
import { resolveTags } from './resolveTags.js';
import { targetStatus, type TargetStatus } from './targetStatus.js';

/** A chat that goes on with the text from before the apply: SOUL.md is frozen per session. */
export interface OpenChat {
  readonly sessionId: string;
  readonly platform: string | null;
  readonly lastTurnAt: number;
}

/**
 * The host refused or cut the new text in a session since the apply, which it did not do to the old one; or no session
 * of the new text got any answer (`unanswered`), while sessions of another text did.
 */
export interface WindowFault {
  readonly sessionId: string;
  readonly kind: PromptFault['kind'] | 'unanswered';
}

export interface WindowStatus {
  readonly experimentId: number;
  readonly target: number | null;
  readonly deadlineAt: number | null;
  readonly extensions: number;
  readonly counts: WindowCounts;
  /** Enough sessions, or the time is over; null while it runs. */
  readonly due: 'target_reached' | 'deadline_passed' | null;
  /** What a person made of the file; null while it is what was applied. */
  readonly conflict: Exclude<TargetStatus, 'as_applied'> | null;
  readonly fault: WindowFault | null;
  readonly openChats: readonly OpenChat[];
  /** The window has ended without a verdict that decides: it waits for `finish`. */
  readonly waitsForPerson: boolean;
  /** What the window waits for, in words. */
  readonly note: string | null;
}

/** How a note begins that asks a person to decide; it stays until they do. */
export const WAITS_FOR_PERSON = 'Waits for you: ';
/** The window has stopped short of a verdict, full or not (a hard fault), and asks for `finish`. */
export function waitsForPerson(experiment: Pick<ExperimentRow, 'liveNote'>): boolean {
  return experiment.liveNote?.startsWith(WAITS_FOR_PERSON) ?? false;
}

export const WAITS_FOR_MONEY = 'Waits for budget: ';
const OPEN_CHATS = 'Open chats still have the old text: ';
const NO_ANSWERS = 'No answer yet in any session of the new text';
/** So many sessions without any answer are no accident. */
const UNANSWERED_SESSIONS = 3;
/** A turn may take this long before its session counts as unanswered. */
const TURN_MS = 15 * 60 * 1000;
/** Longer ago than this a chat is not called open any more. */
const OPEN_CHAT_MS = 7 * 24 * 60 * 60 * 1000;
const NAMED_CHATS = 5;

/**
 * Ingests the spool and brings the profile's live window up to date: counts its sessions, notices a person's edit of
 * the file and a fault of the host, and names chats that still have the old text. Writes no file but the spool's own.
 * Empty when nothing is live.
 */
export function refreshWindows(ctx: Context): WindowStatus[] {
  ingestSpool(ctx);
  const profile = findProfile(ctx.db, ctx.profile.rootPath);
  const experiment = profile === null ? null : findInFlight(ctx.db, profile.id);
  if (profile === null || experiment === null) return [];
  const query = windowQuery(experiment);
  return query === null ? [] : [refreshWindow(ctx, { profile, experiment, query })];
}

function windowQuery(experiment: ExperimentRow): WindowQuery | null {
  const { state, profileId, appliedAt, candidateSha256, baseSha256 } = experiment;
  if (state !== 'live' || appliedAt === null || candidateSha256 === null || baseSha256 === null) return null;
  return { profileId, appliedAt, candidateSha256, baseSha256 };
}

interface LiveWindow {
  readonly profile: ProfileRow;
  readonly experiment: ExperimentRow;
  readonly query: WindowQuery;
}

function refreshWindow(ctx: Context, window: LiveWindow): WindowStatus {
  const { experiment, query } = window;
  const promptFault = resolveTexts(ctx, window);
  const unanswered = findUnanswered(ctx, query);
  const fault = promptFault ?? (unanswered?.othersAnswered === true ? unanswered.fault : null);
  const openChats = findOpenChats(ctx, window);
  const found = targetStatus(ctx, experiment);
  const counts = countWindow(ctx.db, query);
  const note = noteOf(experiment, { fault, openChats, unanswered: unanswered?.sessions ?? 0 });
  recordRefreshed(ctx, experiment, { conflict: found !== 'as_applied', counted: counts.counted, note });
  const { liveSessionsTarget: target, liveDeadlineAt: deadlineAt } = experiment;
  return {
    experimentId: experiment.id,
    target,
    deadlineAt,
    extensions: experiment.liveExtensions,
    counts,
    due: dueOf({ target, deadlineAt, counted: counts.counted, now: ctx.clock.now() }),
    conflict: found === 'as_applied' ? null : found,
    fault,
    openChats,
    waitsForPerson: waitsForPerson({ liveNote: note }),
    note,
  };
}

/** Without anything new it takes no write lock, so that looking never waits for a writer. */
function recordRefreshed(
  ctx: Context,
  experiment: ExperimentRow,
  seen: { readonly conflict: boolean; readonly counted: number; readonly note: string | null },
): void {
  const { id } = experiment;
  const isKnown = ({ manualConflictDetected, liveSessionsObserved, liveNote }: ExperimentRow): boolean =>
    manualConflictDetected === seen.conflict && liveSessionsObserved === seen.counted && liveNote === seen.note;
  if (isKnown(experiment)) return;
  immediate(ctx.db, () => {
    // Another process may have ended the window since it was read.
    const now = getExperiment(ctx.db, id);
    if (now.state !== 'live' || isKnown(now)) return;
    const at = ctx.clock.now();
    markConflict(ctx.db, id, { detected: seen.conflict, at });
    if (now.liveNote !== experiment.liveNote) return;
    recordWindow(ctx.db, id, { sessionsObserved: seen.counted, note: seen.note, at });
  });
}

function dueOf(window: {
  target: number | null;
  deadlineAt: number | null;
  counted: number;
  now: number;
}): WindowStatus['due'] {
  if (window.target !== null && window.counted >= window.target) return 'target_reached';
  return window.deadlineAt !== null && window.now >= window.deadlineAt ? 'deadline_passed' : null;
}

/** What asks for a decision stays; else open chats are named while there are any. */
function noteOf(
  experiment: ExperimentRow,
  seen: { fault: WindowFault | null; openChats: readonly OpenChat[]; unanswered: number },
): string | null {
  const { liveNote, autoRevertAgreed, targetRelpath } = experiment;
  if (waitsForPerson(experiment)) return liveNote;
  if (seen.fault !== null && !autoRevertAgreed) {
    return `${WAITS_FOR_PERSON}${faultText(seen.fault, targetRelpath)}. Revert it, or keep it with a reason.`;
  }
  const passing = liveNote?.startsWith(OPEN_CHATS) === true || liveNote?.startsWith(NO_ANSWERS) === true;
  const earlier = passing ? null : liveNote;
  if (earlier !== null) return earlier;
  if (seen.unanswered > 0) {
    return `${NO_ANSWERS} (${seen.unanswered} so far), nor in others since: is the provider down? \`hermes karpathy doctor\` looks.`;
  }
  if (seen.openChats.length === 0) return null;
  const names = seen.openChats.slice(0, NAMED_CHATS).map((chat) => `${chat.platform ?? 'chat'} ${chat.sessionId}`);
  const rest = seen.openChats.length - names.length;
  return `${OPEN_CHATS}${names.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}. Send /new there.`;
}

export function faultText(fault: WindowFault, file: string): string {
  if (fault.kind === 'unanswered') {
    return `no session of the new text was ever answered (the first is ${fault.sessionId}), while sessions of another text were`;
  }
  return `the host ${fault.kind} ${file} in session ${fault.sessionId}`;
}

/** Looks again for the texts that were not known when the sessions were tagged; returns a fault found on the way. */
function resolveTexts(ctx: Context, { profile, experiment, query }: LiveWindow): WindowFault | null {
  const tags = unresolvedTags(ctx.db, query);
  const facts = resolveTags(ctx, profile, tags);
  const before = experiment.baseContent?.toString('utf8') ?? '';
  for (const tag of tags) {
    const fault = facts.get(tag.sessionId)?.fault ?? null;
    if (tag.startedAt < query.appliedAt || fault === null || sharesFault(fault, before)) continue;
    return { sessionId: tag.sessionId, kind: fault.kind };
  }
  return null;
}

/** Three sessions of the new text and no answer in any: a fault when others were answered meanwhile. */
function findUnanswered(
  ctx: Context,
  query: WindowQuery,
): { sessions: number; othersAnswered: boolean; fault: WindowFault } | null {
  const found = unansweredSessions(ctx.db, { ...query, settledBefore: ctx.clock.now() - TURN_MS });
  if (found === null || found.firstSessionId === null || found.sessions < UNANSWERED_SESSIONS) return null;
  const { sessions, othersAnswered, firstSessionId: sessionId } = found;
  return { sessions, othersAnswered, fault: { sessionId, kind: 'unanswered' } };
}

function findOpenChats(ctx: Context, { profile, query }: LiveWindow): OpenChat[] {
  const since = ctx.clock.now() - OPEN_CHAT_MS;
  const recent = tagsWithOldText(ctx.db, query).filter((tag) => (tag.lastTurnAt ?? 0) >= since);
  const facts = readSessionFacts(
    ctx,
    profile,
    recent.map((tag) => tag.sessionId),
  );
  return recent
    .filter((tag) => (facts.get(tag.sessionId)?.endedAt ?? null) === null)
    .map((tag) => ({ sessionId: tag.sessionId, platform: tag.platform, lastTurnAt: tag.lastTurnAt ?? 0 }));
}
