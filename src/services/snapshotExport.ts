import { lstatSync, rmSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { KarpathyError } from '../errors.js';
import { replaceFile } from '../ratchet/atomicFile.js';
import { requireRoom } from '../ratchet/room.js';
import { findSnapshot, type SnapshotKind } from '../store/snapshots.js';
import type { Context } from './context.js';
import { ownExperiment } from './ownExperiment.js';

export interface ExportedSnapshot {
  readonly experimentId: number;
  readonly kind: SnapshotKind;
  readonly bytes: Buffer;
  readonly sha256: string;
  /** Permission bits of the file they came from. */
  readonly mode: number;
  /** Where they lie as a plain file, when they do. */
  readonly plainPath: string | null;
  /** Where this export wrote them; null when it was not asked to. */
  readonly writtenTo: string | null;
}

/**
 * The exact bytes of a snapshot (default `prior`: from before the apply), optionally written to a new file.
 * @throws KarpathyError `unknown_experiment`; `wrong_state` without such a snapshot; `bad_usage` when the file exists; `io`
 */
export function snapshotExport(
  ctx: Context,
  id: number,
  options: { readonly kind?: SnapshotKind; readonly toFile?: string } = {},
): ExportedSnapshot {
  const experiment = ownExperiment(ctx, id);
  const kind = options.kind ?? 'prior';
  const snapshot = findSnapshot(ctx.db, id, kind);
  if (snapshot === null) {
    throw new KarpathyError('wrong_state', `Experiment ${id} (${experiment.state}) has no snapshot "${kind}".`, {
      hint: kind === 'person' ? 'It exists after `resolve --restore`.' : 'Snapshots are taken when an edit is applied.',
    });
  }
  const { sha256, mode, plainPath } = snapshot;
  return {
    experimentId: id,
    kind,
    bytes: snapshot.content,
    sha256,
    mode,
    plainPath,
    writtenTo: write(snapshot, options),
  };
}

function write(snapshot: { content: Buffer; mode: number }, options: { toFile?: string }): string | null {
  if (options.toFile === undefined) return null;
  const path = resolve(options.toFile);
  // A link to nothing is there, too.
  if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) {
    throw new KarpathyError('bad_usage', `${path} exists; a snapshot is not written over anything.`, {
      hint: 'Name a file that does not exist yet.',
    });
  }
  requireRoom([{ what: 'the snapshot', path: dirname(path), bytes: snapshot.content.length }]);
  try {
    replaceFile(path, snapshot.content, { mode: 0o600 });
  } catch (error) {
    // It was not there before, and what may not last is not left behind as if it did.
    rmSync(path, { force: true });
    throw error;
  }
  return path;
}
