import { KarpathyError } from '../errors.js';
import { listExperiments } from '../store/experiments.js';
import type { ProfilePlace } from '../store/profileMoves.js';
import type { Context } from './context.js';
import { targetSha256 } from './targetStatus.js';

/**
 * A profile is known again by its text: the target at the new place must hold what was applied there last, or, with
 * nothing live, any text that an experiment started from or led to.
 * @throws KarpathyError `conflict` with what was expected and what is there
 */
export function checkText(
  ctx: Context,
  place: ProfilePlace,
  at: { readonly to: string; readonly edited: boolean },
): void {
  if (at.edited) return;
  const experiments = listExperiments(ctx.db, { profileId: place.id });
  const live = experiments.find(({ state }) => state === 'live');
  // A conflict is known already, and decided by `resolve`.
  if (live?.manualConflictDetected === true) return;
  const of = live === undefined ? experiments : [live];
  const expected = of.flatMap(({ baseSha256, candidateSha256 }) =>
    live === undefined ? [candidateSha256, baseSha256] : [candidateSha256],
  );
  const hashes = [...new Set(expected.filter((hash) => hash !== null))];
  if (hashes.length === 0) return;
  const found = targetSha256({ rootPath: at.to, targetRelpath: place.targetRelpath });
  if (found !== null && hashes.includes(found)) return;
  const what =
    live === undefined
      ? `a text that the records of ${place.name} know (the last one is ${short(hashes[0])})`
      : `what experiment ${live.id} applied (${short(hashes[0])})`;
  const file = `${place.targetRelpath} in ${at.to}`;
  throw new KarpathyError(
    'conflict',
    found === null ? `${file} is missing; it should be ${what}.` : `${file} (${short(found)}) is not ${what}.`,
    {
      hint: 'Nothing was changed. If it is the right profile and somebody edited the file since, add --edited; a live change is then in conflict, and `resolve` decides.',
    },
  );
}

function short(sha256: string | undefined): string {
  return `sha256 ${sha256?.slice(0, 12) ?? '?'}…`;
}
