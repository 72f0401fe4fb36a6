import type { TagState } from '../domain/sessionTag.js';
import type { SpoolHookEvent } from '../schemas.js';
import type { HostSession } from './stateDb.js';

/** What the host's own store adds; null when it could not be read. */
export interface TagFacts {
  readonly parentSessionId: string | null;
  readonly contentSha256: string | null;
  readonly startedAt: number | null;
  readonly excludedReason: string | null;
}

export const BACKGROUND_REVIEW = 'background_review';

/** Sources and platforms of sessions that no person holds: they are counted apart. */
const EXCLUDED_SOURCES = new Set(['subagent', 'cron', 'tool']);

/**
 * Why the host's record says a session never counts; null when it does. A session that was split from another by
 * compression loses its own mark, so the sessions before it decide as well.
 */
export function excludedBySource(
  session: Pick<HostSession, 'source' | 'ancestorSources' | 'delegated'>,
): string | null {
  if (session.delegated) return 'subagent';
  return [session.source, ...session.ancestorSources].find((s) => s !== null && EXCLUDED_SOURCES.has(s)) ?? null;
}

function excludedByEvent(event: SpoolHookEvent): string | null {
  if (event.trial) return 'trial';
  return event.platform !== null && EXCLUDED_SOURCES.has(event.platform) ? event.platform : null;
}

/**
 * The tag after one more event. Every event is folded in exactly once, in any order. The host reviews a
 * conversation in the background under the conversation's own session id: such turns are not turns of it.
 */
export function nextTag(tag: TagState | null, event: SpoolHookEvent, facts: TagFacts | null): TagState {
  const background = event.write_origin === BACKGROUND_REVIEW;
  const reviewed = (tag?.backgroundTurns ?? 0) + Number(background && event.hook === 'pre_llm_call');
  if (background && tag !== null) return { ...tag, backgroundTurns: reviewed };
  const turn = background ? { startedTurns: 0, completedTurns: 0 } : turnsOf(event);
  const excluded = excludedByEvent(event) ?? facts?.excludedReason ?? null;
  const earlier = tag?.excludedReason === BACKGROUND_REVIEW ? null : (tag?.excludedReason ?? null);
  return {
    parentSessionId: facts?.parentSessionId ?? tag?.parentSessionId ?? null,
    contentSha256: facts === null ? (tag?.contentSha256 ?? null) : facts.contentSha256,
    startedAt: startOf(tag, event, facts),
    startSeen: tag?.startSeen === 1 || beginsSession(event) ? 1 : 0,
    startedTurns: (tag?.startedTurns ?? 0) + turn.startedTurns,
    completedTurns: (tag?.completedTurns ?? 0) + turn.completedTurns,
    backgroundTurns: reviewed,
    platform: event.platform ?? tag?.platform ?? null,
    model: event.model ?? tag?.model ?? null,
    excludedReason: excluded ?? earlier ?? (background ? BACKGROUND_REVIEW : null),
    lastTurnAt: background ? null : Math.max(tag?.lastTurnAt ?? 0, event.at),
  };
}

function turnsOf(event: SpoolHookEvent): { startedTurns: number; completedTurns: number } {
  return event.hook === 'pre_llm_call'
    ? { startedTurns: 1, completedTurns: 0 }
    : { startedTurns: 0, completedTurns: 1 };
}

/** The first turn starts a session; one that began before the hooks were there is dated by the host. */
function startOf(tag: TagState | null, event: SpoolHookEvent, facts: TagFacts | null): number {
  const seen = tag?.startSeen === 1;
  if (beginsSession(event)) return seen ? Math.min(tag.startedAt, event.at) : event.at;
  if (seen) return tag.startedAt;
  return Math.min(tag?.startedAt ?? event.at, facts?.startedAt ?? event.at, event.at);
}

function beginsSession(event: SpoolHookEvent): boolean {
  return event.hook === 'pre_llm_call' && event.is_first_turn === true && event.write_origin !== BACKGROUND_REVIEW;
}
