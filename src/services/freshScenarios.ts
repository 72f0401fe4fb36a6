import { restorePlan } from '../evaluation/plan.js';
import { windowEpochs } from '../gate/liveWindow.js';
import type { ScenarioSnapshot } from '../schemas.js';
import { getEvalRun } from '../store/evalRuns.js';
import type { ExperimentRow } from '../store/experiments.js';
import { snapshotsForPlan } from '../store/scenarios.js';
import type { Context } from './context.js';
import type { LiveRun } from './liveRuns.js';
import { decidedOn } from './verdictEvidence.js';

/** More holdout groups than this say little more about an edit that was kept, and cost as much as the test did. */
export const FRESH_GROUPS = 60;

/** Pairs of each scenario in a fresh comparison of so many holdout groups. */
export function freshEpochs(ctx: Pick<Context, 'config'>, groups: number): number {
  const { epochs } = ctx.config.config.live;
  return epochs === 'auto' ? windowEpochs(Math.min(groups, FRESH_GROUPS)) : epochs;
}

/**
 * The holdout scenarios of a fresh comparison, at most FRESH_GROUPS groups of them: first the groups that were added
 * since the keep, which the edit can't have been chosen for. An extension asks what the run it extends asked.
 */
export function freshScenarios(ctx: Context, experiment: ExperimentRow, extended: LiveRun | null): ScenarioSnapshot[] {
  if (extended !== null) return [...restorePlan(getEvalRun(ctx.db, extended.evalRunId)).scenarios];
  const holdout = snapshotsForPlan(ctx.db, experiment.profileId).filter(({ split }) => split === 'holdout');
  const decided = decidedOn(ctx, experiment);
  const known = new Set(holdout.filter(({ id }) => decided.has(id)).map(({ group }) => group));
  const groups = [...new Set(holdout.map(({ group }) => group))];
  const chosen = [...groups.filter((group) => !known.has(group)), ...groups.filter((group) => known.has(group))];
  const order = new Map(chosen.slice(0, FRESH_GROUPS).map((group, index) => [group, index]));
  return holdout
    .filter(({ group }) => order.has(group))
    .sort((a, b) => (order.get(a.group) ?? 0) - (order.get(b.group) ?? 0) || a.id - b.id);
}
