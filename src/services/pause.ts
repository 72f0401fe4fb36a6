import { immediate } from '../store/database.js';
import { requestPause, requeueStopped } from '../store/jobs.js';
import { setPaused, type ProfileRow } from '../store/profiles.js';
import { requirePerson } from './authority.js';
import type { Context } from './context.js';
import { followMarkers } from './followMarkers.js';
import { requireProfile } from './requireProfile.js';

export interface Paused extends ProfileRow {
  /** The job that was at work; it stops within two seconds, and waits. */
  readonly stoppedJob: number | null;
}

export interface Resumed extends ProfileRow {
  /** Jobs that the pause, or an outage, had stopped; they are in the queue again. */
  readonly queuedJobs: readonly number[];
}

/**
 * No new autonomous proposals from now on, and what runs is stopped; counting, reverting and commands go on, also those
 * that evaluate. Pausing twice keeps the first time.
 */
export function pauseProfile(ctx: Context, options: { readonly reason?: string } = {}): Paused {
  const profile = requireProfile(ctx);
  const at = profile.pausedAt ?? ctx.clock.now();
  const reason = options.reason === undefined ? profile.pauseReason : ctx.scrub.text(options.reason);
  const stoppedJob = immediate(ctx.db, () => {
    setPaused(ctx.db, profile.id, { at, reason, now: ctx.clock.now() });
    return requestPause(ctx.db, { profileId: profile.id, at: ctx.clock.now() });
  });
  return { ...requireProfile(ctx), stoppedJob };
}

/** @throws KarpathyError `needs_person` when no person is at the other end */
export function resumeProfile(ctx: Context): Resumed {
  const profile = requireProfile(ctx);
  requirePerson(ctx, 'resume');
  const queuedJobs = immediate(ctx.db, () => {
    setPaused(ctx.db, profile.id, { at: null, reason: null, now: ctx.clock.now() });
    return requeueStopped(ctx.db, profile.id);
  });
  followMarkers(ctx);
  return { ...requireProfile(ctx), queuedJobs };
}
