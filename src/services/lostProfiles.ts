import { statSync } from 'node:fs';
import { listProfiles } from '../hermes/profiles.js';
import { findInFlight } from '../store/experiments.js';
import { listProfilePlaces, type ProfilePlace } from '../store/profileMoves.js';
import type { Context } from './context.js';

/** A profile of the controller DB whose home is not where it was set up. */
export interface LostProfile {
  readonly name: string;
  readonly rootPath: string;
  /** The experiment in flight there; null without one. */
  readonly experiment: { readonly id: number; readonly state: string } | null;
}

/** Profiles whose home is gone: renamed, moved to another place or machine, or deleted. */
export function lostProfiles(ctx: Pick<Context, 'db'>): LostProfile[] {
  return places(ctx)
    .filter(({ rootPath }) => !isDirectory(rootPath))
    .map((place) => lost(ctx, place));
}

/**
 * Profiles that this one could be the continuation of, when it is not set up: those that are lost, and, in a copy of
 * a Hermes root, those of the root it was copied from.
 */
export function possibleOrigins(ctx: Pick<Context, 'db' | 'paths'>): LostProfile[] {
  const here = new Set(listProfiles(ctx.paths.root).map(({ rootPath }) => rootPath));
  return places(ctx)
    .filter(({ rootPath }) => !here.has(rootPath))
    .map((place) => lost(ctx, place));
}

/** What is said about a lost profile. */
export function lostText({ name, rootPath, experiment }: LostProfile): string {
  const what = experiment === null ? '' : `; its experiment ${experiment.id} is ${experiment.state}`;
  return `The home of the profile ${name} is gone: ${rootPath}${what}.`;
}

/** Both ways out of it. */
export function lostFix({ rootPath }: LostProfile): string {
  const from = `relocate --from ${quoted(rootPath)}`;
  return `Renamed or moved: \`${from}\` in the profile that it is now. Deleted: \`${from} --forget\`.`;
}

export function quoted(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}

export function isDirectory(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  } catch {
    return false; // a file where a directory on the way was
  }
}

function places(ctx: Pick<Context, 'db'>): ProfilePlace[] {
  return listProfilePlaces(ctx.db).filter(({ enabled }) => enabled);
}

function lost(ctx: Pick<Context, 'db'>, { id, name, rootPath }: ProfilePlace): LostProfile {
  const experiment = findInFlight(ctx.db, id);
  return { name, rootPath, experiment: experiment === null ? null : { id: experiment.id, state: experiment.state } };
}
