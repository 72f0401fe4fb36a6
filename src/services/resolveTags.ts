import type { SessionTag } from '../domain/sessionTag.js';
import { immediate } from '../store/database.js';
import type { ProfileRow } from '../store/profiles.js';
import { resolveSessionTag, unresolvedTags } from '../store/sessionTags.js';
import type { Context } from './context.js';
import { readSessionFacts, type SessionFacts } from './sessionFacts.js';

/**
 * Looks again for what state.db could not say when sessions were tagged: their text, their start, and why they never
 * count. Only sessions that took a turn since then, the newest thousand of them.
 */
export function resolveTags(
  ctx: Pick<Context, 'db' | 'clock' | 'log'>,
  profile: ProfileRow,
  since: number,
): { readonly tags: readonly SessionTag[]; readonly facts: ReadonlyMap<string, SessionFacts> } {
  const tags = unresolvedTags(ctx.db, { profileId: profile.id, appliedAt: since });
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
  return { tags, facts };
}
