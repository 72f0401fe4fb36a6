import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { KarpathyError } from '../errors.js';
import { profileHome } from '../hermes/paths.js';
import { immediate, openDatabase, type Db } from '../store/database.js';
import { listProfilePlaces, switchOffProfile } from '../store/profileMoves.js';
import { requirePerson } from './authority.js';
import type { Context } from './context.js';
import { ingestSpool } from './ingest.js';
import { quoted } from './lostProfiles.js';
import { followMarkers } from './followMarkers.js';
import { reconcileOperations } from './reconcile.js';
import { commandFor } from './requireProfile.js';
import { revertExperiment } from './revert.js';
import type { TextInForce } from './textsInForce.js';
import { LIST, planUninstall, type LeftOver, type UninstallOptions, type UninstallPlan } from './uninstallPlan.js';

export interface Uninstalled {
  readonly plan: UninstallPlan;
  /** What was put back and taken away, in words and paths. */
  readonly done: readonly string[];
  /** What could not be taken away; the rest was, and the command can be given again. */
  readonly left: readonly LeftOver[];
}

export interface UninstallSteps {
  /** Called before each step; another one only in tests. */
  readonly onStep?: (step: 'restore' | 'switch_off' | 'list' | 'remove') => void;
}

/**
 * The controller DB for an uninstall, which must work where it is gone or damaged. Null when there is none.
 * @throws KarpathyError as `openDatabase` does; with `texts: 'keep'` a DB that can't be read counts as none
 */
export function databaseToLeave(ctx: Context, options: UninstallOptions): Db | null {
  if (!existsSync(ctx.paths.dbPath)) return null;
  try {
    return openDatabase(ctx.paths.dbPath);
  } catch (error) {
    if (options.texts === 'keep') return null;
    if (!(error instanceof KarpathyError) || (error.code !== 'db_corrupt' && error.code !== 'db_newer')) throw error;
    throw new KarpathyError(error.code, error.message, {
      cause: error,
      hint: `Which texts are in force can't be read from it. \`restore FILE\` puts a backup in its place; --keep goes on and leaves every text as it is (the prior ones lie in ${ctx.paths.snapshotsDir}).`,
    });
  }
}

/**
 * Refuses what would be refused half-way.
 * @throws KarpathyError `bad_usage` when it must be said what becomes of the texts; `conflict` when a person's edit
 *   stands on one that is to be put back
 */
export function checkTexts(texts: readonly TextInForce[], choice: UninstallOptions['texts']): void {
  if (texts.length > 0 && choice === null) {
    throw new KarpathyError('bad_usage', 'Edits are in force; say what becomes of their texts.', {
      problems: texts.map(problemOf),
      hint: '`uninstall --restore` puts the exact bytes from before each of them back, `uninstall --keep` leaves the files as they are.',
    });
  }
  const unfit = texts.filter(({ fits }) => fits !== 'yes');
  if (choice !== 'restore' || unfit.length === 0) return;
  throw new KarpathyError('conflict', 'Not every text can be put back; nothing was changed.', {
    problems: unfit.map(problemOf),
    hint: unfit.map(wayOut).join(' ') + ' Or `uninstall --keep` leaves all files as they are.',
  });
}

const FITS: Readonly<Record<TextInForce['fits'], string>> = {
  yes: 'holds what was applied',
  edited: 'was edited since it was applied',
  missing: 'is gone',
  profile_gone: 'is gone with its profile',
};

function problemOf({ experiment, state, file, fits }: TextInForce): { path: string; message: string } {
  return { path: file, message: `experiment ${experiment} is ${state}; the file ${FITS[fits]}` };
}

function wayOut({ experiment, state, profile, home, fits }: TextInForce): string {
  const own = commandFor(profile);
  if (fits === 'profile_gone') return `\`relocate --from ${quoted(home)}\` says where the profile is now.`;
  if (state === 'live') return `Resolve ${experiment} first: \`${own} resolve ${experiment}\`.`;
  // Nothing asks about a verified edit that a person wrote on, until a revert is tried.
  return `To have ${experiment} undone all the same: \`${own} revert ${experiment}\`, then \`${own} resolve ${experiment} --restore\`.`;
}

/**
 * Takes the plugin out of every profile of the root, and its files away. Texts first, through the ratchet; then hooks
 * off; then what lies in files, by a list that another process goes on with if this one is killed.
 * @throws KarpathyError `needs_person`, and what `planUninstall` and `checkTexts` throw, before anything is changed;
 *   what a revert throws, after which it can be given again
 */
export async function uninstall(
  ctx: Context,
  options: UninstallOptions,
  steps: UninstallSteps = {},
): Promise<Uninstalled> {
  requirePerson(ctx, 'removing the plugin');
  const onStep = steps.onStep ?? (() => undefined);
  // Loaded now: the files of this program are among those that go.
  const { execa } = await import('execa');
  const done: string[] = [];
  const db = databaseToLeave(ctx, options);
  let plan: UninstallPlan;
  try {
    if (db !== null) await reconcileOperations({ ...ctx, db });
    plan = await planUninstall(ctx, db, options);
    checkTexts(plan.texts, options.texts);
    if (db !== null) {
      onStep('restore');
      if (options.texts === 'restore') done.push(...(await restoreTexts({ ...ctx, db }, plan.texts)));
      onStep('switch_off');
      switchOff({ ...ctx, db }, options);
    }
  } finally {
    db?.close();
  }
  // Markers and journals came and went since.
  const { remove, keep, homes } = await planUninstall(ctx, null, options);
  onStep('list');
  const list = writeList(ctx, { homes, remove });
  onStep('remove');
  const python = ctx.hermes?.python ?? 'python3';
  const ended = await execa(python, ['-P', join(ctx.pluginDir, 'host', 'leave.py'), list], {
    env: { ...ctx.env, PYTHONDONTWRITEBYTECODE: '1' },
    extendEnv: false,
    stdin: 'ignore',
    reject: false,
  });
  const said = answerOf(ended.stdout);
  if (said === null) {
    throw new KarpathyError(
      'host_failed',
      `The last part did not run: ${ended.stderr?.trim().split('\n').at(-1) ?? ''}.`,
      {
        problems: [...remove, ...homes.flatMap(({ link, directory }) => [link, directory])].flatMap((path) =>
          path === null ? [] : [{ path, message: 'is still there' }],
        ),
        hint: 'Give the command again, or remove these by hand.',
      },
    );
  }
  return { plan: { ...plan, remove, keep }, done: [...done, ...said.done], left: [...plan.left, ...said.left] };
}

async function restoreTexts(ctx: Context, texts: readonly TextInForce[]): Promise<string[]> {
  const done: string[] = [];
  for (const { experiment, home, file } of texts) {
    await revertExperiment({ ...ctx, profile: profileHome(home) }, experiment, { reason: 'uninstalled' });
    done.push(`${file}: the bytes from before experiment ${experiment}`);
  }
  return done;
}

/** From here on no hook writes for any profile; `init` switches one on again. */
function switchOff(ctx: Context, { purge }: UninstallOptions): void {
  if (!purge) ingestSpool(ctx);
  immediate(ctx.db, () => {
    for (const { id } of listProfilePlaces(ctx.db)) {
      switchOffProfile(ctx.db, { id, kind: 'uninstalled', actor: ctx.actor, at: ctx.clock.now() });
    }
  });
  followMarkers(ctx);
}

/** What host/leave.py reads. */
function writeList(ctx: Context, of: Pick<UninstallPlan, 'homes' | 'remove'>): string {
  const path = join(ctx.paths.dataDir, LIST);
  const homes = of.homes.map(({ profile, home, entries, section, link, directory }) => ({
    profile,
    home,
    entries,
    section,
    link: link !== null,
    directory: directory !== null,
  }));
  mkdirSync(ctx.paths.dataDir, { recursive: true, mode: 0o700 });
  writeFileSync(path, `${JSON.stringify({ root: ctx.paths.root, homes, remove: of.remove }, null, 2)}\n`, {
    mode: 0o600,
  });
  return path;
}

const answerSchema = z.object({
  done: z.array(z.string()),
  left: z.array(z.object({ what: z.string(), why: z.string() })),
});

function answerOf(stdout: string | undefined): z.infer<typeof answerSchema> | null {
  try {
    return answerSchema.parse(JSON.parse(stdout?.trim().split('\n').at(-1) ?? ''));
  } catch {
    return null;
  }
}
