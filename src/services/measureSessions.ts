import type { SessionUsage } from '../domain/sessionUsage.js';
import { readStateDb } from '../metrics/stateDb.js';
import { immediate } from '../store/database.js';
import type { ProfileRow } from '../store/profiles.js';
import {
  saveNoSessionUsage,
  saveSessionUsage,
  sessionsToMeasure,
  settleSessions,
  type Measurable,
} from '../store/sessionUsage.js';
import type { Context } from './context.js';

const DAY_MS = 24 * 60 * 60 * 1000;
/** A session that state.db never showed in this time stays unknown. */
const LOOK_BACK_MS = 30 * DAY_MS;
/** The host books a turn's last calls after the turn, and a failed turn shows only by what does not follow. */
const SETTLE_MS = DAY_MS;
/** A chat that was not used for this long may end unnoticed. */
const OPEN_MS = 7 * DAY_MS;
/** Sessions per read of state.db: a long reader keeps the host from checkpointing, and all of them fill the memory. */
const BATCH = 200;
/** Sessions per write: others wait for it. */
const SETTLED_AT_ONCE = 5000;

/**
 * Reads from the profile's state.db what its sessions used, for those that took a turn since they were read. One that
 * cannot be read now is tried again at the next collection; until then its figures stay unknown.
 */
export function measureSessions(ctx: Pick<Context, 'db' | 'clock' | 'log'>, profile: ProfileRow): void {
  const now = ctx.clock.now();
  const key = { profileId: profile.id, settleMs: SETTLE_MS };
  const ended = now - SETTLE_MS;
  // First, so that a state.db that cannot be read does not keep the list of open sessions growing.
  const settling = { ...key, ended, open: ended - OPEN_MS, missing: ended - LOOK_BACK_MS, limit: SETTLED_AT_ONCE };
  while (settleSessions(ctx.db, settling) === SETTLED_AT_ONCE);
  for (let after: Measurable | null = null; ;) {
    const batch: Measurable[] = sessionsToMeasure(ctx.db, { ...key, now, after, limit: BATCH });
    const last = batch.at(-1);
    if (last === undefined) return;
    const ids = batch.map(({ sessionId }) => sessionId);
    if (!measureBatch(ctx, profile, ids)) return;
    after = last;
  }
}

function measureBatch(
  ctx: Pick<Context, 'db' | 'clock' | 'log'>,
  profile: ProfileRow,
  ids: readonly string[],
): boolean {
  const at = ctx.clock.now();
  const found = new Map<string, SessionUsage>();
  const read = readStateDb(profile.rootPath, (state) => {
    state.eachUsage(ids, at, (usage) => found.set(usage.sessionId, usage));
  });
  if (!read.ok) {
    ctx.log.warn(`${profile.name}: ${read.reason}; tokens, cost and tool calls stay unknown until it can be read`);
    return false;
  }
  immediate(ctx.db, () => {
    for (const sessionId of ids) {
      const usage = found.get(sessionId);
      if (usage === undefined) saveNoSessionUsage(ctx.db, { profileId: profile.id, sessionId, at });
      else saveSessionUsage(ctx.db, { ...usage, profileId: profile.id, at });
    }
  });
  return true;
}
