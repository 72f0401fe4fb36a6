import { KarpathyError } from '../errors.js';
import { getExperiment, type ExperimentRow } from '../store/experiments.js';
import type { Context } from './context.js';
import { commandFor, requireProfile } from './requireProfile.js';

/**
 * An experiment of the profile this command is about: the ids of all profiles come from one table, and a command
 * for one profile must not act on another's.
 * @throws KarpathyError `unknown_experiment`, `not_initialised`
 */
export function ownExperiment(ctx: Context, id: number): ExperimentRow {
  const profile = requireProfile(ctx);
  const experiment = getExperiment(ctx.db, id);
  if (experiment.profileId === profile.id) return experiment;
  throw new KarpathyError(
    'unknown_experiment',
    `Experiment ${id} belongs to the profile ${experiment.profile}, not to ${profile.name}.`,
    {
      hint: `Use \`${commandFor(experiment.profile)}\` for it.`,
    },
  );
}
