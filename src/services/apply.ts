import { KarpathyError } from '../errors.js';
import { readTarget } from '../ratchet/target.js';
import type { ExperimentRow } from '../store/experiments.js';
import { commandLine, requirePerson } from './authority.js';
import type { Context } from './context.js';
import { requireFresh } from './evidenceFreshness.js';
import { changeFile } from './fileChange.js';
import { ownExperiment } from './ownExperiment.js';

const DAY_MS = 86_400_000;

/**
 * Writes an approved edit into the target file and opens its live window. Returns the live experiment; `gitNote` and
 * `applyCommitSha` say what git made of it.
 * @throws KarpathyError `needs_person`, `wrong_state`, `stale`, `conflict`, `bad_target`, `io`, `busy`; nothing written
 */
export async function applyExperiment(ctx: Context, id: number): Promise<ExperimentRow> {
  requirePerson(ctx, 'applying a change');
  const experiment = ownExperiment(ctx, id);
  requireApplicable(ctx, experiment);
  const next = experiment.candidateContent;
  if (next === null) throw new KarpathyError('internal', `Experiment ${id} is approved but has no edit.`);
  // What the target is comes first: a link or a pipe in its place is named, not called stale.
  const file = readTarget(experiment.targetProfileRoot, experiment.targetRelpath);
  await requireFresh(ctx, experiment);
  if (file.sha256 !== experiment.baseSha256) {
    throw new KarpathyError('stale', `${experiment.targetRelpath} changed just now; nothing was written.`);
  }
  const { live } = ctx.config.config;
  return changeFile(ctx, {
    experiment,
    kind: 'apply',
    to: 'live',
    path: file.path,
    mode: file.mode,
    prior: file.bytes,
    next,
    actor: ctx.actor,
    reason: 'applied',
    set: {
      liveSessionsTarget: experiment.liveSessionsTarget ?? live.sessions,
      liveDeadlineAt: ctx.clock.now() + live.days * DAY_MS,
      liveSessionsObserved: 0,
    },
  });
}

/** @throws KarpathyError `wrong_state` unless it is approved */
export function requireApplicable(ctx: Pick<Context, 'profile'>, { id, state }: ExperimentRow): void {
  if (state === 'approved') return;
  throw new KarpathyError('wrong_state', `Experiment ${id} is ${state}; only an approved one can be applied.`, {
    hint: state === 'proposed' ? `Approve it first: \`${commandLine(ctx, `approve ${id}`)}\`.` : undefined,
  });
}
