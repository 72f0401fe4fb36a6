import type { SessionTag } from '../domain/sessionTag.js';
import { immediate } from '../store/database.js';
import type { ProfileRow } from '../store/profiles.js';
import { resolveSessionTag } from '../store/sessionTags.js';
import type { Context } from './context.js';
import { readSessionFacts, type SessionFacts } from './sessionFacts.js';

/**
 * Looks again for what state.db could not say when sessions were tagged: their text, their start, and why they never
 * count. Returns what it says of them now; a session that is still not there has no entry.
 */
export function resolveTags(
  ctx: Pick<Context, 'db' | 'clock' | 'log'>,
  profile: ProfileRow,
  tags: readonly SessionTag[],
): ReadonlyMap<string, SessionFacts> {
  const ids = tags.map((tag) => tag.sessionId);
  const facts = readSessionFacts(ctx, profile, ids);
  const at = ctx.clock.now();
  const known = [...facts].filter(([, fact]) => fact.contentSha256 !== null || fact.excludedReason !== null);
  if (known.length > 0) {
    immediate(ctx.db, () => {
      for (const [sessionId, fact] of known) {
        resolveSessionTag(ctx.db, { ...fact, profileId: profile.id, sessionId, at });
      }
    });
  }
  return facts;
}
