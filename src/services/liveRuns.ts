import * as z from 'zod';
import { restorePlan } from '../evaluation/plan.js';
import type { Pair, WindowVerdict } from '../gate/types.js';
import { listEvalRuns, type EvalRunRow } from '../store/evalRuns.js';
import type { ExperimentRow } from '../store/experiments.js';
import type { Context } from './context.js';

const storedSchema = z.object({
  pairs: z.array(
    z.object({
      scenario: z.int(),
      group: z.string(),
      epoch: z.int(),
      incumbent: z.union([z.literal(0), z.literal(1)]),
      candidate: z.union([z.literal(0), z.literal(1)]),
    }),
  ),
  plannedPairs: z.int(),
  verdict: z.looseObject({ verdict: z.enum(['verified', 'revert', 'extend', 'undecided']) }),
});

/** A finished run of a live window: its pairs, so that an extension can pool them, and what they said. */
export interface LiveRun {
  readonly evalRunId: number;
  /** Those of the run that it extends included. */
  readonly pairs: readonly Pair[];
  readonly plannedPairs: number;
  /** Planned, of this run alone. */
  readonly epochs: number;
  readonly verdict: WindowVerdict;
  /** How often the window had been opened again before it. */
  readonly round: number;
  readonly extension: boolean;
}

/** Of all openings of the window, oldest first. */
export function finishedLiveRuns(ctx: Context, experiment: Pick<ExperimentRow, 'id' | 'profileId'>): LiveRun[] {
  return listEvalRuns(ctx.db, {
    profileId: experiment.profileId,
    purpose: 'live_window',
    experimentId: experiment.id,
    states: ['finished'],
  })
    .filter((row) => row.decision !== null)
    .map(liveRun)
    .reverse();
}

function liveRun(row: EvalRunRow): LiveRun {
  const stored = storedSchema.parse(JSON.parse(row.decision ?? 'null'));
  const { round, firstEpoch, epochs } = restorePlan(row);
  // Written by the comparison from a WindowVerdict.
  const verdict = stored.verdict as unknown as WindowVerdict;
  return { ...stored, verdict, evalRunId: row.id, round, epochs, extension: firstEpoch > 1 };
}
