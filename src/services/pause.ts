import { immediate } from '../store/database.js';
import { setPaused, type ProfileRow } from '../store/profiles.js';
import { requirePerson } from './authority.js';
import type { Context } from './context.js';
import { requireProfile } from './requireProfile.js';

/** No new autonomous proposals from now on; counting, reverting and commands go on. Pausing twice keeps the first time. */
export function pauseProfile(ctx: Context, options: { readonly reason?: string } = {}): ProfileRow {
  const profile = requireProfile(ctx);
  const at = profile.pausedAt ?? ctx.clock.now();
  const reason = options.reason ?? profile.pauseReason;
  immediate(ctx.db, () => setPaused(ctx.db, profile.id, { at, reason, now: ctx.clock.now() }));
  return requireProfile(ctx);
}

/** @throws KarpathyError `needs_person` when no person is at the other end */
export function resumeProfile(ctx: Context): ProfileRow {
  const profile = requireProfile(ctx);
  requirePerson(ctx, 'resume');
  immediate(ctx.db, () => setPaused(ctx.db, profile.id, { at: null, reason: null, now: ctx.clock.now() }));
  return requireProfile(ctx);
}
