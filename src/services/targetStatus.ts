import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { isKarpathyError } from '../errors.js';
import { ABSENT } from '../ratchet/digest.js';
import { hashAt, resolveTarget } from '../ratchet/target.js';
import type { ExperimentRow } from '../store/experiments.js';
import type { Context } from './context.js';

/** `as_base`: what the edit was made from; `as_applied`: what the edit makes of it; `edited`: anything else. */
export type TargetStatus = 'as_base' | 'as_applied' | 'edited' | 'missing';

type Target = Pick<ExperimentRow, 'targetProfileRoot' | 'targetRelpath' | 'baseSha256' | 'candidateSha256'>;

/** What the target file holds now, as this experiment sees it. Reads the file; changes nothing. */
export function targetStatus(_ctx: Pick<Context, 'profile'>, experiment: Target): TargetStatus {
  const { targetProfileRoot: root, targetRelpath: relpath } = experiment;
  let found: string | null;
  try {
    found = hashAt(resolveTarget(root, relpath));
  } catch (error) {
    if (!isKarpathyError(error)) throw error;
    return lstatSync(join(root, relpath), { throwIfNoEntry: false }) === undefined ? 'missing' : 'edited';
  }
  if (found === ABSENT) return 'missing';
  if (found !== null && found === experiment.candidateSha256) return 'as_applied';
  return found !== null && found === experiment.baseSha256 ? 'as_base' : 'edited';
}

/** Of the bytes that the profile's target file holds now; null = missing, or nothing that can be read. */
export function targetSha256(profile: { readonly rootPath: string; readonly targetRelpath: string }): string | null {
  try {
    const found = hashAt(resolveTarget(profile.rootPath, profile.targetRelpath));
    return found === ABSENT ? null : found;
  } catch (error) {
    if (!isKarpathyError(error)) throw error;
    return null;
  }
}
