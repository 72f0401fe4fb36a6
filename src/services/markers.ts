import { chmodSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { faultCode, KarpathyError } from '../errors.js';
import { markerKey } from '../hermes/paths.js';
import { immediate } from '../store/database.js';
import { profileActivity } from '../store/profileActivity.js';
import type { Context } from './context.js';

type MarkerContext = Pick<Context, 'db' | 'paths'>;

/**
 * Makes the files that the hooks look at say what the DB says, for all profiles: `enabled` = append events,
 * `live` = a tick may be woken. Writes nothing when they do already.
 * @throws KarpathyError `io` when the data directory cannot be written
 */
export function refreshMarkers(ctx: MarkerContext): void {
  try {
    if (pending(ctx).length === 0) return;
    // Looked at again under the lock: what another process has decided meanwhile must not be undone.
    immediate(ctx.db, () => {
      for (const change of pending(ctx)) change();
    });
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    throw new KarpathyError('io', `The markers of the hooks cannot be written: ${error.message}.`, {
      cause: error,
      hint: `Make ${ctx.paths.dataDir} writable; until then sessions may not be counted.`,
    });
  }
}

function pending(ctx: MarkerContext): (() => void)[] {
  const profiles = profileActivity(ctx.db);
  const { dataDir, enabledMarkers, liveMarkers } = ctx.paths;
  const keys = (some: typeof profiles) => new Map(some.map(({ rootPath }) => [markerKey(rootPath), rootPath]));
  return [
    ...directoryChanges([dataDir, dirname(enabledMarkers), enabledMarkers, liveMarkers]),
    ...markerChanges(enabledMarkers, keys(profiles.filter((profile) => profile.enabled))),
    ...markerChanges(liveMarkers, keys(profiles.filter((profile) => profile.live))),
  ];
}

function directoryChanges(directories: readonly string[]): (() => void)[] {
  return directories.flatMap((path) => {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found === undefined) return [() => void mkdirSync(path, { recursive: true, mode: 0o700 })];
    return (found.mode & 0o077) === 0 ? [] : [() => chmodSync(path, 0o700)];
  });
}

/** `wanted`: file name to the profile's root, which the file repeats for whoever looks into it. */
function markerChanges(directory: string, wanted: ReadonlyMap<string, string>): (() => void)[] {
  const found = new Set(filesIn(directory));
  const missing = [...wanted].filter(([key]) => !found.has(key));
  const leftOver = [...found].filter((key) => !wanted.has(key));
  return [
    ...missing.map(
      ([key, root]) =>
        () =>
          writeFileSync(join(directory, key), `${root}\n`, { mode: 0o600 }),
    ),
    ...leftOver.map((key) => () => rmSync(join(directory, key), { force: true })),
  ];
}

function filesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (faultCode(error) === 'ENOENT') return [];
    throw error;
  }
}
