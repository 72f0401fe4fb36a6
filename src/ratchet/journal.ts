import { realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { replaceFile } from './atomicFile.js';
import { ABSENT } from './digest.js';
import { hashAt, readTarget, resolveAbsentTarget } from './target.js';
import { KarpathyError } from '../errors.js';

/** What the journal says an operation is about to do, or has done. */
export interface Intent {
  readonly kind: 'apply' | 'revert' | 'restore';
  readonly path: string;
  readonly mode: number;
  /** `absent` when there was no file. */
  readonly priorSha256: string;
  readonly newSha256: string;
  readonly newContent: Uint8Array;
}

export type Found = 'prior' | 'new' | 'other';

/** Which of its two ends an operation's file is at. */
export function lookAt(intent: Intent): Found {
  // A directory that became a link leads to a file that is not ours, whatever it holds.
  if (!isReal(dirname(intent.path))) return 'other';
  const found = hashAt(intent.path);
  // The new bytes first: a restore whose file already has them is done, whatever the prior ones were.
  if (found === intent.newSha256) return 'new';
  return found === intent.priorSha256 ? 'prior' : 'other';
}

function isReal(directory: string): boolean {
  try {
    return realpathSync(directory) === directory;
  } catch {
    return true; // gone: there is no file either, which is what is found then
  }
}

export type Repair = 'finish' | 'cancel' | 'roll_forward' | 'conflict';

/**
 * What to do with an operation whose owner died. An apply that never touched the file is cancelled, for a person can
 * ask again; a revert is what somebody already wanted undone, so it goes on; anything else on disk is a person's edit.
 */
export function repairOf(kind: Intent['kind'], found: Found): Repair {
  if (found === 'other') return 'conflict';
  if (found === 'new') return 'finish';
  return kind === 'apply' ? 'cancel' : 'roll_forward';
}

/**
 * Writes the new bytes, after looking once more that the path still is the target inside its profile and still holds
 * the prior bytes. Synchronous, to be called while the write lock of the controller DB is held.
 * @throws KarpathyError `conflict` with nothing written; `bad_target`; `io`
 */
export function writeIntent(intent: Intent, where: { readonly root: string; readonly relpath: string }): void {
  const found = lookAt(intent);
  if (found === 'new') return;
  if (found === 'other') {
    throw new KarpathyError('conflict', `${intent.path} was changed by somebody else just now; nothing was written.`);
  }
  const path =
    intent.priorSha256 === ABSENT
      ? resolveAbsentTarget(where.root, where.relpath)
      : readTarget(where.root, where.relpath).path;
  if (path !== intent.path) {
    throw new KarpathyError('conflict', `${where.relpath} leads to another file than before; nothing was written.`);
  }
  replaceFile(intent.path, intent.newContent, { mode: intent.mode, expecting: intent.priorSha256 });
}
