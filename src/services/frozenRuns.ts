import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { IN_FLIGHT_STATES } from '../domain/experiment.js';
import { frozenRuns } from '../evaluation/slotTemplate.js';
import { findEvalRun } from '../store/evalRuns.js';
import { getExperiment } from '../store/experiments.js';
import type { Context } from './context.js';

const WEEK_MS = 7 * 24 * 60 * 60 * 1000;

/**
 * Removes what was frozen for eval runs that nobody will go on with: they ended, or their edit was decided. What a run
 * of another controller DB left is kept for a week.
 */
export function dropDeadFrozen(ctx: Pick<Context, 'db' | 'paths' | 'clock'>): void {
  const dir = frozenRuns(ctx.paths.slotsDir);
  for (const name of namesIn(dir)) {
    if (!/^\d+$/.test(name) || isAlive(ctx, Number(name), join(dir, name))) continue;
    rmSync(join(dir, name), { recursive: true, force: true });
  }
}

function isAlive(ctx: Pick<Context, 'db' | 'clock'>, evalRunId: number, path: string): boolean {
  const run = findEvalRun(ctx.db, evalRunId);
  if (run === null) return ctx.clock.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0) < WEEK_MS;
  if (run.state !== 'planned' && run.state !== 'running' && run.state !== 'interrupted') return false;
  if (run.experimentId === null) return true;
  const { state } = getExperiment(ctx.db, run.experimentId);
  return IN_FLIGHT_STATES.some((open) => open === state);
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return []; // nothing was ever frozen
  }
}
