import { createHash } from 'node:crypto';
import { readTarget } from '../ratchet/target.js';
import type { ExperimentRow } from '../store/experiments.js';

/**
 * A short code that stands for one decision as it was shown: it changes with the action, the experiment's state and
 * verdict, and the bytes of the target file, so that an agreement never reaches anything but what was agreed to.
 * It is no secret.
 * @throws KarpathyError `bad_target`
 */
export function decisionCode(experiment: ExperimentRow, action: string): string {
  const { sha256 } = readTarget(experiment.targetProfileRoot, experiment.targetRelpath);
  const { id, state, verdict, candidateSha256, evidenceFingerprint } = experiment;
  const bound = JSON.stringify([action, id, state, verdict, candidateSha256, evidenceFingerprint, sha256]);
  return createHash('sha256').update(bound).digest('hex').slice(0, 6).toUpperCase();
}
