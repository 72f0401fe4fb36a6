import type { ScenarioSnapshot } from '../schemas.js';
import type { ExperimentRow } from '../store/experiments.js';
import { snapshotsForPlan } from '../store/scenarios.js';
import type { Context } from './context.js';

/** How many independent groups scenarios form. */
export function groupsOf(scenarios: readonly { readonly group: string }[]): number {
  return new Set(scenarios.map(({ group }) => group)).size;
}

/** Train scenarios that may screen an edit: one may fit the very failures it was written from, and prove nothing. */
export function unseenTrain(
  ctx: Context,
  experiment: Pick<ExperimentRow, 'profileId' | 'shownGroups'>,
): ScenarioSnapshot[] {
  const shown = new Set(experiment.shownGroups ?? []);
  return snapshotsForPlan(ctx.db, experiment.profileId).filter((s) => s.split === 'train' && !shown.has(s.group));
}
