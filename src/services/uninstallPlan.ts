import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { CONFIG_PATH } from '../config.js';
import { KarpathyError, toKarpathyError } from '../errors.js';
import { listProfiles } from '../hermes/profiles.js';
import { pluginTraces, type PluginTraces } from '../hermes/pluginTraces.js';
import { openGit } from '../ratchet/gitCommand.js';
import type { Db } from '../store/database.js';
import { heldJobs } from '../store/jobs.js';
import { listProfilePlaces } from '../store/profileMoves.js';
import type { Context } from './context.js';
import { isDirectory } from './lostProfiles.js';
import { textsInForce, type TextInForce } from './textsInForce.js';

export interface UninstallOptions {
  /** What becomes of the texts that edits were applied to; needed when there are any. */
  readonly texts: 'restore' | 'keep' | null;
  /** Take the records away as well: the controller DB, snapshots, backups, our section of config.yaml. */
  readonly purge: boolean;
}

/** What can't be, or is not, taken away, and why. */
export interface LeftOver {
  readonly what: string;
  readonly why: string;
}

/** Everything that will be touched, and nothing else is. */
export interface UninstallPlan {
  readonly root: string;
  readonly texts: readonly TextInForce[];
  readonly homes: readonly PluginTraces[];
  /** Files and directories of ours. */
  readonly remove: readonly string[];
  /** Records that stay. */
  readonly keep: readonly string[];
  readonly left: readonly LeftOver[];
}

/**
 * What an uninstall would touch; changes nothing. `db`: null when there is none, or none that can be read.
 * @throws KarpathyError `busy` while a job runs; `bad_usage` when a purge would take records of another Hermes root
 */
export async function planUninstall(ctx: Context, db: Db | null, options: UninstallOptions): Promise<UninstallPlan> {
  if (db !== null) refuseWhileWorking(ctx, db);
  if (db !== null && options.purge) refuseForeignRecords(ctx, db);
  const found = listProfiles(ctx.paths.root).map(pluginTraces);
  const homes: PluginTraces[] = [];
  const left: LeftOver[] = [];
  for (const traces of found) {
    left.push(...traces.unclear);
    const own = traces.directory === null ? null : await unsavedWork(ctx, traces.directory);
    if (own !== null) left.push({ what: traces.directory ?? '', why: own });
    homes.push({
      ...traces,
      directory: own === null ? traces.directory : null,
      section: traces.section && options.purge,
      entries: [...traces.entries, ...(traces.section && options.purge ? [CONFIG_PATH] : [])],
    });
  }
  const { remove, keep } = ownFiles(ctx, options.purge);
  return { root: ctx.paths.root, texts: db === null ? [] : textsInForce(db), homes, remove, keep, left };
}

function refuseWhileWorking(ctx: Context, db: Db): void {
  const [job] = heldJobs(db, ctx.clock.now());
  if (job === undefined) return;
  throw new KarpathyError('busy', `Job ${job.id} (${job.kind}) of the profile ${job.profile} is running.`, {
    hint: `Nothing was changed. Wait for it, or stop it with \`jobs cancel ${job.id}\` in that profile.`,
  });
}

/** A DB that `db_path` shares between Hermes roots is not this root's to delete. */
function refuseForeignRecords(ctx: Context, db: Db): void {
  const here = new Set(listProfiles(ctx.paths.root).map(({ rootPath }) => rootPath));
  const others = listProfilePlaces(db).filter(
    ({ rootPath, enabled }) => enabled && !here.has(rootPath) && isDirectory(rootPath),
  );
  if (others.length === 0) return;
  throw new KarpathyError(
    'bad_usage',
    `${ctx.paths.dbPath} also holds the records of ${others.map(({ rootPath }) => rootPath).join(', ')}.`,
    {
      hint: 'Nothing was changed. Leave out --purge, or uninstall there first. If this root is a copy of that one, `relocate` its profiles first.',
    },
  );
}

/** Why a copy of the plugin is somebody's work; null for one as `hermes plugins install` made it. */
async function unsavedWork(ctx: Context, directory: string): Promise<string | null> {
  if (!existsSync(join(directory, '.git'))) return null;
  const git = openGit(directory, ctx.env);
  try {
    if ((await git.run(['status', '--porcelain'])).stdout.trim() !== '') return 'it has changes that are not committed';
    const { stdout } = await git.run(['log', '--oneline', '-1', '--branches', '--not', '--remotes']);
    return stdout.trim() === '' ? null : 'it has commits that are nowhere else';
  } catch (error) {
    return `git could not tell whether it holds work of yours (${toKarpathyError(error).message})`;
  }
}

function ownFiles(ctx: Context, purge: boolean): Pick<UninstallPlan, 'remove' | 'keep'> {
  const { dbPath, dataDir, snapshotsDir, backupsDir, spoolDir, runtimeDir } = ctx.paths;
  const databases = databaseFiles(dbPath);
  const data = isDirectory(dataDir) ? readdirSync(dataDir).map((name) => join(dataDir, name)) : [];
  const records = new Set([snapshotsDir, backupsDir, spoolDir]);
  const listed = data.filter((path) => basename(path) !== LIST);
  const kept = purge ? [] : listed.filter((path) => records.has(path));
  const removed = listed.filter((path) => !kept.includes(path) && path !== runtimeDir);
  // The runtime last: as long as it is there the command can be given again.
  const runtime = listed.filter((path) => path === runtimeDir);
  return {
    remove: [...(purge ? databases : []), ...removed, ...runtime],
    keep: [...(purge ? [] : databases), ...kept],
  };
}

/** In the data directory, what the last part of an uninstall does; host/leave.py reads it. */
export const LIST = 'uninstall.json';

/** The DB, its journals, and what `restore` and migrations leave beside it. */
function databaseFiles(dbPath: string): string[] {
  const name = basename(dbPath);
  const beside = /^(-wal|-shm|-journal|\.(replaced-|restoring|keeping|migrating|partial).*)$/;
  return readdirSync(dirname(dbPath), { withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.startsWith(name))
    .filter((entry) => entry.name === name || beside.test(entry.name.slice(name.length)))
    .map((entry) => join(dirname(dbPath), entry.name));
}
