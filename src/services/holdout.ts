import { KarpathyError } from '../errors.js';
import { recordConsultation } from '../store/holdoutConsultations.js';
import { requirePerson } from './authority.js';
import type { Context } from './context.js';
import { requireProfile } from './requireProfile.js';

/** The holdout is shown only with both: asked for, and agreed to by a person on the surface. */
export interface HoldoutOptions {
  readonly includeHoldout?: boolean;
  readonly privileged?: boolean;
}

/**
 * True when the holdout may be shown, which is then recorded; `detail`: what is shown.
 * @throws KarpathyError `needs_person`
 */
export function openHoldout(
  ctx: Context,
  options: HoldoutOptions & { readonly detail: string; readonly experimentId?: number },
): boolean {
  if (options.includeHoldout !== true) return false;
  const profile = requireProfile(ctx);
  requirePerson(ctx, 'showing the holdout');
  if (options.privileged !== true) throw holdoutHidden(null);
  recordConsultation(ctx.db, {
    profileId: profile.id,
    experimentId: options.experimentId ?? null,
    evalRunId: null,
    kind: 'view',
    actor: ctx.actor,
    detail: options.detail,
    at: ctx.clock.now(),
  });
  return true;
}

export function holdoutHidden(name: string | null): KarpathyError {
  return new KarpathyError(
    'needs_person',
    name === null ? 'The holdout scenarios stay hidden.' : `${name} is a holdout scenario, which stays hidden.`,
    { hint: 'Ask for it with --include-holdout and agree on the terminal; each view is recorded.' },
  );
}
