import { KarpathyError } from '../errors.js';
import { getExperiment, recordWindow, type ExperimentRow } from '../store/experiments.js';
import { requirePerson } from './authority.js';
import type { Context } from './context.js';
import { endWorkOn } from './enqueue.js';
import { followMarkers } from './followMarkers.js';
import { waitsForPerson } from './liveWindow.js';
import { ownExperiment } from './ownExperiment.js';
import { revertExperiment } from './revert.js';
import { closeAsVerified, requireFullWindow } from './verify.js';

const DAY_MS = 86_400_000;

/** Exactly one of them. */
export interface FinishOptions {
  /** Keep the edit; the reason stays on record. */
  readonly keep?: string;
  readonly revert?: boolean;
  /** Open the window for the same number of sessions and days once more. */
  readonly again?: boolean;
}

/**
 * A person may decide once the window is full, and before that when it has stopped at a fault and asks for it.
 * @throws KarpathyError `wrong_state`
 */
export function requireEndedWindow(ctx: Context, experiment: ExperimentRow): void {
  if (experiment.state === 'live' && waitsForPerson(experiment)) return;
  requireFullWindow(ctx, experiment);
}

/**
 * A person's decision about a live window that ended without one (too few sessions, money or trials).
 * @throws KarpathyError `needs_person`, `bad_usage`, `wrong_state` while the window is open, `conflict`, and what
 *   `revertExperiment` throws
 */
export async function finish(ctx: Context, id: number, options: FinishOptions): Promise<ExperimentRow> {
  requirePerson(ctx, 'ending a live window');
  const experiment = ownExperiment(ctx, id);
  const choices = [options.keep !== undefined, options.revert === true, options.again === true].filter(Boolean);
  if (choices.length !== 1) {
    throw new KarpathyError('bad_usage', 'Give exactly one of --keep REASON, --revert and --again.');
  }
  requireEndedWindow(ctx, experiment);
  if (options.revert === true) return revertExperiment(ctx, id, { reason: 'the live window ended without a verdict' });
  if (options.keep !== undefined) return keep(ctx, experiment, ctx.scrub.text(options.keep.trim()));
  return again(ctx, experiment);
}

function keep(ctx: Context, experiment: ExperimentRow, reason: string): ExperimentRow {
  if (reason === '') throw new KarpathyError('bad_usage', '--keep needs a reason, which stays on record.');
  const kept = closeAsVerified(ctx, experiment, {
    actor: ctx.actor,
    evidence: {
      verdict: null,
      passRate: experiment.liveScore,
      evidenceFingerprint: experiment.evidenceFingerprint,
      reason: `kept by a person without a verdict: ${reason}`,
    },
  });
  endWorkOn(ctx, experiment.id);
  return kept;
}

function again(ctx: Context, experiment: ExperimentRow): ExperimentRow {
  const { live } = ctx.config.config;
  recordWindow(ctx.db, experiment.id, {
    sessionsTarget: experiment.liveSessionsObserved + live.sessions,
    deadlineAt: ctx.clock.now() + live.days * DAY_MS,
    extensions: experiment.liveExtensions + 1,
    note: 'a person opened the window once more',
    at: ctx.clock.now(),
  });
  followMarkers(ctx);
  return getExperiment(ctx.db, experiment.id);
}
