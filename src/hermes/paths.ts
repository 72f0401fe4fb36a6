import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';

export const PLUGIN_NAME = 'karpathy-self-improve';

/** A profile's home as the host names it, and the real path that identifies it. */
export interface ProfileHome {
  readonly name: string;
  readonly home: string;
  readonly rootPath: string;
}

/** Where everything of ours lies, under the default Hermes root so that one install serves all profiles. */
export interface Paths {
  readonly root: string;
  readonly dbPath: string;
  readonly dataDir: string;
  readonly spoolDir: string;
  readonly enabledMarkers: string;
  readonly liveMarkers: string;
  readonly slotsDir: string;
  readonly snapshotsDir: string;
  /** Not called `backups`: the host's own backup leaves out every directory of that name. */
  readonly backupsDir: string;
  readonly runtimeDir: string;
  readonly tickStamp: string;
}

/** The root of a home, as the host derives it: `<x>/profiles/<n>` belongs to `<x>`, anything else is a root. */
export function hermesRootOf(home: string): string {
  const parent = dirname(resolve(home));
  return basename(parent) === 'profiles' ? dirname(parent) : resolve(home);
}

export function defaultHermesHome(env: NodeJS.ProcessEnv): string {
  return resolve(env.HERMES_HOME?.trim() || join(homedir(), '.hermes'));
}

/** The label of a home: `default` for a root, else the directory's name. */
export function profileNameOf(home: string): string {
  return hermesRootOf(home) === resolve(home) ? 'default' : basename(resolve(home));
}

export function homeOfProfile(root: string, name: string): string {
  return name === 'default' ? root : join(root, 'profiles', name);
}

/** @throws when the home does not exist */
export function profileHome(home: string): ProfileHome {
  return { name: profileNameOf(home), home: resolve(home), rootPath: realpathSync(home) };
}

/** The file name of a profile's markers: the first 16 hex digits of the SHA-256 of its home's real path. */
export function markerKey(rootPath: string): string {
  return createHash('sha256').update(rootPath, 'utf8').digest('hex').slice(0, 16);
}

export interface PathOverrides {
  /** From KARPATHY_DB_PATH, else from config.yaml. */
  readonly dbPath?: string | null;
}

export function pathsUnder(root: string, overrides: PathOverrides = {}): Paths {
  const dataDir = join(root, 'plugin-data', PLUGIN_NAME);
  return {
    root,
    dbPath: overrides.dbPath ? resolve(root, overrides.dbPath) : join(root, `${PLUGIN_NAME}.db`),
    dataDir,
    spoolDir: join(dataDir, 'spool'),
    enabledMarkers: join(dataDir, 'markers', 'enabled'),
    liveMarkers: join(dataDir, 'markers', 'live'),
    slotsDir: join(dataDir, 'slots'),
    snapshotsDir: join(dataDir, 'snapshots'),
    backupsDir: join(dataDir, 'db-backups'),
    runtimeDir: join(dataDir, 'runtime'),
    tickStamp: join(dataDir, 'tick.stamp'),
  };
}
