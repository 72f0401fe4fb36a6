import { listJobs } from '../store/jobs.js';
import type { Context } from './context.js';
import { requireProfile } from './requireProfile.js';
import { jobView, type JobView } from './status.js';

/** The profile's jobs, newest first; `all` includes those that have ended. */
export function jobsView(ctx: Context, options: { all: boolean; limit?: number }): JobView[] {
  const profileId = requireProfile(ctx).id;
  return listJobs(ctx.db, { profileId, open: !options.all, limit: options.limit ?? 50 }).map((job) =>
    jobView(job, ctx.clock.now()),
  );
}
