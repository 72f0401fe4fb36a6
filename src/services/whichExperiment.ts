import { KarpathyError } from '../errors.js';
import { findInFlight } from '../store/experiments.js';
import type { Context } from './context.js';
import { ownExperiment } from './ownExperiment.js';
import { requireProfile } from './requireProfile.js';

/**
 * The experiment a command is about: the one named, else the profile's one in flight.
 * @throws KarpathyError `unknown_experiment`
 */
export function whichExperiment(ctx: Context, id: number | undefined): number {
  if (id !== undefined) return ownExperiment(ctx, id).id;
  const profile = requireProfile(ctx);
  const inFlight = findInFlight(ctx.db, profile.id);
  if (inFlight !== null) return inFlight.id;
  throw new KarpathyError('unknown_experiment', `Profile ${profile.name} has no experiment in flight.`, {
    hint: '`hermes karpathy history` lists the closed ones.',
  });
}
