import { baselinesOf, type Baseline } from '../store/baselines.js';
import { listSnapshots, type MetricsSnapshot } from '../store/metrics.js';
import type { Context } from './context.js';
import { requireProfile } from './requireProfile.js';

/** What each verified change was proven with, oldest first. */
export function baselinesView(ctx: Context): Baseline[] {
  return baselinesOf(ctx.db, requireProfile(ctx).id);
}

/** The latest windows of metrics, newest first. */
export function metricsView(ctx: Context, options: { limit: number }): MetricsSnapshot[] {
  return listSnapshots(ctx.db, { profileId: requireProfile(ctx).id, limit: options.limit });
}
