import { baselinesOf, type Baseline } from '../store/baselines.js';
import type { Context } from './context.js';
import { requireProfile } from './requireProfile.js';

/** What each verified change was proven with, oldest first. */
export function baselinesView(ctx: Context): Baseline[] {
  return baselinesOf(ctx.db, requireProfile(ctx).id);
}
