import { existsSync, realpathSync } from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { KarpathyError } from '../errors.js';
import { listProfileSections } from '../hermes/configYaml.js';
import { profileHome } from '../hermes/paths.js';
import { immediate } from '../store/database.js';
import { heldJobs } from '../store/jobs.js';
import {
  absorbProfile,
  hasHistory,
  listMoves,
  listProfilePlaces,
  moveProfile,
  movePlainFiles,
  switchOffProfile,
  type MoveRow,
  type ProfilePlace,
} from '../store/profileMoves.js';
import { commandLine, requirePerson } from './authority.js';
import type { Context } from './context.js';
import { followMarkers } from './followMarkers.js';
import { ingestSpool } from './ingest.js';
import { isDirectory, quoted } from './lostProfiles.js';
import { reconcileOperations } from './reconcile.js';
import { checkText } from './relocatedText.js';

export interface RelocateRequest {
  /** The old home of a profile, the old Hermes root, or the name under which a profile is known. */
  readonly from: string;
  /** Where it lies now; null = the profile, or the root, that this command runs in. */
  readonly to: string | null;
  /** What lies at the old place is another profile by now, or the original of this copy. */
  readonly stillThere: boolean;
  /** The target was edited since it was moved. */
  readonly edited: boolean;
}

export interface Move {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  readonly newName: string;
}

export interface Relocation {
  readonly moves: readonly Move[];
  /** Profiles of the old root that are not in the new one; nothing was changed about them. */
  readonly missing: readonly { readonly name: string; readonly rootPath: string }[];
  /** What a person should look at. */
  readonly notes: readonly string[];
  /** It had been done already. */
  readonly already: boolean;
}

interface PlannedMove extends Move {
  readonly place: ProfilePlace;
  /** A set-up without a history at the new place, which gives way. */
  readonly absorbed: ProfilePlace | null;
}

interface Plan {
  readonly moves: readonly PlannedMove[];
  readonly missing: readonly ProfilePlace[];
  readonly fromAbove: string;
  readonly toAbove: string;
  readonly already: boolean;
}

/**
 * What `relocate` would do; changes nothing.
 * @throws KarpathyError `bad_usage` when a place is not as described, `conflict` when the text there is another one,
 *   `busy` while a job of a profile runs
 */
export function planRelocation(ctx: Context, request: RelocateRequest): Relocation {
  return shown(ctx, plan(ctx, request));
}

/**
 * Tells the controller DB where profiles lie now, so that their experiments, baselines and windows go on there. Moves
 * no file: that was done by whoever moved them. All of it in one transaction, with an audit row per profile.
 * @throws KarpathyError `needs_person`, and what `planRelocation` throws
 */
export async function relocate(ctx: Context, request: RelocateRequest): Promise<Relocation> {
  requirePerson(ctx, 'where a profile lies');
  plan(ctx, request);
  // What hooks wrote under the old place is only known to be this profile's as long as the DB knows that place.
  ingestSpool(ctx);
  const done = immediate(ctx.db, () => {
    const now = plan(ctx, request);
    for (const move of now.moves) write(ctx, move, now);
    return now;
  });
  followMarkers(ctx);
  await reconcileOperations(ctx);
  return shown(ctx, done);
}

function write(ctx: Context, move: PlannedMove, { fromAbove, toAbove }: Plan): void {
  const { id } = move.place;
  if (move.absorbed !== null) absorbProfile(ctx.db, move.absorbed.id, id);
  moveProfile(ctx.db, {
    id,
    from: move.from,
    to: move.to,
    fromAbove,
    toAbove,
    name: move.newName,
    actor: ctx.actor,
    at: ctx.clock.now(),
  });
  movePlainFiles(ctx.db, id, (name) => {
    const path = join(ctx.paths.snapshotsDir, name);
    return existsSync(path) ? path : null;
  });
}

/**
 * Stops asking where a profile is. Its records stay, and `relocate` takes them up again should it turn up.
 * @throws KarpathyError `needs_person`; `bad_usage` for an unknown profile, or one that is still there
 */
export function forgetProfile(ctx: Context, from: string): { readonly name: string; readonly rootPath: string } {
  requirePerson(ctx, 'giving up a profile');
  return immediate(ctx.db, () => {
    const { fromAbove, places } = known(ctx, from);
    const place = places.find((one) => one.rootPath === fromAbove);
    if (place === undefined) {
      throw usage(`No profile was set up at ${fromAbove}.`, { hint: 'Name the home of one profile, or its name.' });
    }
    const { id, name, rootPath } = place;
    if (isDirectory(rootPath)) {
      throw usage(`${rootPath} is still there; only a profile whose home is gone is forgotten.`, {
        hint: `\`${commandLine(ctx, 'pause')}\` stops what runs by itself; \`uninstall\` removes the plugin.`,
      });
    }
    switchOffProfile(ctx.db, { id, kind: 'forgotten', actor: ctx.actor, at: ctx.clock.now() });
    return { name, rootPath };
  });
}

function plan(ctx: Context, request: RelocateRequest): Plan {
  const found = known(ctx, request.from);
  const { fromAbove, places } = found;
  if (places.length === 0) return alreadyDone(found, request);
  const given = request.to === null ? defaultPlace(ctx, found) : resolve(request.to);
  if (!isDirectory(given)) {
    throw usage(`${given} is no directory.`, { hint: 'Name where it lies now; `relocate` moves no files.' });
  }
  const toAbove = realpathSync(given);
  if (fromAbove === toAbove) throw usage(`${fromAbove} is where it is already; there is nothing to change.`);
  const target = (place: ProfilePlace) => given + place.rootPath.slice(fromAbove.length);
  const missing = places.filter((place) => !isDirectory(target(place)));
  const moves = places.filter((place) => !missing.includes(place)).map((place) => planMove(ctx, place, target(place)));
  if (moves.length === 0) {
    throw usage(`No profile lies at ${missing.map(target).join(' or ')}.`, {
      hint: 'Name where it lies now; `relocate` moves no files.',
    });
  }
  for (const move of moves) checkMove(ctx, move, request);
  return { moves, missing, fromAbove, toAbove, already: false };
}

/** A command that was killed after its transaction can be given again. */
function alreadyDone({ fromAbove, past }: Known, request: RelocateRequest): Plan {
  const to = past.map((row) => row.to ?? '');
  const asked = request.to === null ? null : isDirectory(request.to) ? realpathSync(request.to) : resolve(request.to);
  if (asked === null || to.some((path) => path === asked || path.startsWith(asked + sep))) {
    return { moves: [], missing: [], fromAbove, toAbove: asked ?? fromAbove, already: true };
  }
  throw usage(`What was at ${fromAbove} was relocated before, to ${to.join(', ')}.`, {
    hint: 'If it was moved again, name that place as --from.',
  });
}

function planMove(ctx: Context, place: ProfilePlace, target: string): PlannedMove {
  const { name: newName, rootPath: to } = profileHome(target);
  const absorbed = listProfilePlaces(ctx.db).find((other) => other.rootPath === to && other.id !== place.id) ?? null;
  return { name: place.name, from: place.rootPath, to, newName, place, absorbed };
}

function checkMove(ctx: Context, move: PlannedMove, request: RelocateRequest): void {
  const { place, absorbed, from, to } = move;
  const job = heldJobs(ctx.db, ctx.clock.now()).find(({ profile }) => profile === place.name);
  if (job !== undefined) {
    throw new KarpathyError('busy', `Job ${job.id} (${job.kind}) of ${place.name} is running.`, {
      hint: 'Wait for it, or stop it with `jobs cancel`.',
    });
  }
  if (absorbed !== null && hasHistory(ctx.db, absorbed.id)) {
    throw usage(`The profile at ${to} has a history of its own; it can't be joined with the one of ${from}.`, {
      hint: `\`relocate --from ${quoted(from)} --forget\` gives the old one up.`,
    });
  }
  if (isDirectory(from) && !request.stillThere) {
    throw usage(`${from} is still there.`, {
      hint: `Two homes can't share one history. If what lies there is another profile by now, or the original of this copy, add --still-there.`,
    });
  }
  checkText(ctx, move.place, { to, edited: request.edited });
}

interface Known {
  readonly fromAbove: string;
  /** The profiles there; none when they were relocated before. */
  readonly places: readonly ProfilePlace[];
  readonly past: readonly MoveRow[];
}

/** The profiles at a path and below it, or the one of a name. */
function known(ctx: Context, from: string): Known {
  const all = listProfilePlaces(ctx.db);
  const relocated = listMoves(ctx.db).filter(({ kind }) => kind === 'relocated');
  const hint = all.length === 0 ? 'The controller DB knows no profile.' : `Known: ${all.map(shownPlace).join(', ')}.`;
  if (!from.includes(sep)) {
    const named = all.filter(({ name }) => name === from);
    if (named.length > 0) return byName(all, from, named);
    const past = relocated.filter((row) => basename(row.from) === from);
    if (past.length > 0) return { fromAbove: from, places: [], past };
    throw usage(`No profile is known as ${from}.`, { hint });
  }
  const path = resolve(from);
  for (const fromAbove of new Set([path, realFrom(path)])) {
    const places = all.filter(({ rootPath }) => rootPath === fromAbove || rootPath.startsWith(fromAbove + sep));
    if (places.length > 0) return { fromAbove, places, past: [] };
  }
  const past = relocated.filter((row) => row.from === path || row.from.startsWith(path + sep));
  if (past.length > 0) return { fromAbove: path, places: [], past };
  throw usage(`No profile was set up at ${path} or below it.`, { hint });
}

function byName(all: readonly ProfilePlace[], name: string, named: readonly ProfilePlace[]): Known {
  const gone = named.filter(({ rootPath }) => !isDirectory(rootPath));
  const [first, second] = gone.length > 0 ? gone : named;
  if (first === undefined || second !== undefined) {
    throw usage(`Several profiles are known as ${name}: ${named.map(({ rootPath }) => rootPath).join(', ')}.`, {
      hint: 'Name the path.',
    });
  }
  const { rootPath } = first;
  const places = all.filter((place) => place.id === first.id || place.rootPath.startsWith(rootPath + sep));
  return { fromAbove: rootPath, places, past: [] };
}

const shownPlace = ({ name, rootPath }: ProfilePlace) => `${name} at ${rootPath}`;

/** The real path of something that may be gone: what is left of the way to it may lead over links. */
function realFrom(path: string): string {
  const above = dirname(path);
  if (above === path) return path;
  return isDirectory(path) ? realpathSync(path) : join(realFrom(above), basename(path));
}

/** A named profile becomes the one that this command runs in; a Hermes root becomes this one's root. */
function defaultPlace(ctx: Context, { fromAbove, places }: Known): string {
  if (basename(dirname(fromAbove)) === 'profiles') return ctx.profile.home;
  const isRoot = places.some(
    ({ rootPath }) => rootPath === fromAbove || rootPath.startsWith(join(fromAbove, 'profiles') + sep),
  );
  if (isRoot) return ctx.paths.root;
  throw usage(`${fromAbove} is neither the home of a profile nor a Hermes root.`, {
    hint: 'Say with --to where it lies now.',
  });
}

function usage(message: string, options: { readonly hint?: string } = {}): KarpathyError {
  return new KarpathyError('bad_usage', message, options);
}

function shown(ctx: Context, { moves, missing, already }: Plan): Relocation {
  const sections = new Set(listProfileSections(ctx.paths.root));
  const renamed = moves.filter(({ name, newName }) => name !== newName && sections.has(name));
  return {
    moves: moves.map(({ name, from, to, newName }) => ({ name, from, to, newName })),
    missing: missing.map(({ name, rootPath }) => ({ name, rootPath })),
    notes: [
      ...renamed.map(
        ({ name, newName }) =>
          `config.yaml has settings under profiles.${name}; rename that key to profiles.${newName}, or they no longer apply.`,
      ),
      ...moves.flatMap(({ absorbed, to }) =>
        absorbed === null ? [] : [`What was set up at ${to} since then gives way to the settings from before.`],
      ),
      ...(already ? ['It had been done already.'] : []),
    ],
    already,
  };
}
