import { randomUUID } from 'node:crypto';
import type { Actor } from './domain/experiment.js';
import { makeScrubber, type Scrubber } from './domain/secrets.js';
import { KarpathyError } from './errors.js';
import type { Container } from './evaluation/container/container.js';
import { runnerInUse } from './evaluation/runnerInUse.js';
import { loadConfig, pathsFor } from './hermes/configYaml.js';
import { findHermes } from './hermes/hermesCommand.js';
import { homeOfProfile, profileHome, type Paths, type ProfileHome } from './hermes/paths.js';
import { resolveProfile } from './hermes/profiles.js';
import { findSecrets } from './hermes/secrets.js';
import { createPromptCheck } from './hermes/promptCheck.js';
import { createModel } from './llm/createModel.js';
import { withoutSecrets } from './llm/secrets.js';
import type { Clock, HermesCommand, HostServices, Ids, Logger, ProgressListener } from './ports.js';
import type { Context, Surface } from './services/context.js';
import type { Opened } from './services/opened.js';
import { learnedLayer } from './services/requireProfile.js';
import { emptyDatabase, openDatabase, type Db } from './store/database.js';
import { findProfile } from './store/profiles.js';

export const systemClock: Clock = { now: () => Date.now() };
export const randomIds: Ids = { next: () => randomUUID() };
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** Who opens, for whom, and with what. One per command. */
export interface AppOptions {
  /** The default Hermes root: it holds the controller DB and our data. */
  readonly root: string;
  readonly profileName: string;
  /** The profile's home as the host named it; without it, derived from root and name. */
  readonly home?: string;
  /** Directory of the plugin: holds host/slot_guard. */
  readonly pluginDir: string;
  /** The Hermes that started us; null lets config.yaml and PATH decide. */
  readonly hermes: HermesCommand | null;
  readonly host: HostServices | null;
  readonly surface: Surface;
  readonly actor: Actor;
  readonly env: Readonly<NodeJS.ProcessEnv>;
  readonly signal: AbortSignal;
  readonly onProgress?: ProgressListener;
  readonly log?: Logger;
  readonly clock?: Clock;
  readonly ids?: Ids;
  /** Leaves the controller DB alone: the context gets an empty one in memory. */
  readonly withoutDatabase?: boolean;
}

/**
 * Opens the controller DB and wires everything a use case may touch. Whoever opens, closes.
 * @throws KarpathyError `unknown_profile`, `bad_config`, `db_newer`, `db_corrupt`, `db_busy`, `io`
 */
export function openContext(options: AppOptions): Opened {
  try {
    return open(options);
  } catch (error) {
    // What is wrong may be a key in the wrong place.
    throw surroundingSecrets(options).error(error);
  }
}

/** Takes out what the homes and the environment hold, before or without a configuration that names more. */
export function surroundingSecrets({
  root,
  profileName,
  home,
  env,
}: Pick<AppOptions, 'root' | 'profileName' | 'home' | 'env'>): Scrubber {
  const homes = [...new Set([home ?? homeOfProfile(root, profileName), root])];
  return makeScrubber(() => findSecrets({ homes, env, keyEnv: [] }));
}

function open(options: AppOptions): Opened {
  const profile =
    options.home === undefined ? resolveProfile(options.root, options.profileName) : profileHome(options.home);
  const paths = pathsFor(options.root, options.env);
  const db = options.withoutDatabase === true ? emptyDatabase() : openDatabase(paths.dbPath);
  try {
    const ctx = contextOf(options, { profile, paths, db });
    return { ctx, close: () => void db.close() };
  } catch (error) {
    db.close();
    throw error;
  }
}

function contextOf(
  options: AppOptions,
  { profile, paths, db }: { profile: ProfileHome; paths: Paths; db: Db },
): Context {
  const { env, host, pluginDir } = options;
  const config = loadConfig(paths, profile.name, env, learnedLayer(findProfile(db, profile.rootPath)));
  const hermes = findHermes({ env, configured: config.config.runner.hermes, fromHost: options.hermes });
  const scrub = scrubberFor(options, { profile, config });
  const log = withoutSecretsIn(options.log ?? silentLogger, scrub);
  const clock = options.clock ?? systemClock;
  const needHermes = (): HermesCommand => {
    if (hermes !== null) return hermes;
    throw new KarpathyError('host_failed', 'No Hermes executable was found, and trials need one.', {
      hint: 'Put `hermes` on PATH, or set plugins.karpathy_self_improve.runner.hermes to its path.',
    });
  };
  let container: Promise<Container> | null = null;
  const whichContainer = (): Promise<Container> =>
    (container ??= import('./evaluation/container/container.js').then(({ findContainer }) =>
      findContainer({ env, signal: options.signal }),
    ));
  let usable: Promise<Container> | null = null;
  const containerForModel = async (): Promise<Container> => {
    if (hermes === null) return whichContainer();
    const { withReachableModel } = await import('./evaluation/container/reachableModel.js');
    const { signal } = options;
    return withReachableModel(await whichContainer(), { hermes, pluginDir, profileHome: profile.home, env, signal });
  };
  return {
    db,
    clock,
    ids: options.ids ?? randomIds,
    log,
    env,
    paths,
    pluginDir,
    profile,
    config,
    surface: options.surface,
    actor: options.actor,
    hermes,
    host,
    makeModel: (choice) => withoutSecrets(createModel(choice, { host, env }), scrub),
    // Loaded with the first trial: most commands run none, and start the sooner.
    makeRunner: async (setup) => {
      const { prices, runner } = config.config;
      const { slotsDir } = paths;
      const { read_only: readOnly, ...limits } = runner.contained;
      const containers = { find: whichContainer, limits, readOnly };
      const base = { hermes: needHermes(), slotsDir, pluginDir, env, prices, scrub, nice: runner.nice };
      const trials = { ...setup, ...base, containers };
      if (runnerInUse(runner.kind, process.platform).name === 'cold') {
        const { createColdRunner } = await import('./evaluation/coldRunner.js');
        return createColdRunner(trials);
      }
      const { createWarmRunner } = await import('./evaluation/warmRunner.js');
      return createWarmRunner({ ...trials, log });
    },
    findContainer: () => (usable ??= containerForModel()),
    scrub,
    checkPrompt: (text) => createPromptCheck({ hermes: needHermes(), pluginDir, env, home: profile.home })(text),
    signal: options.signal,
    onProgress: options.onProgress ?? (() => {}),
  };
}

/** The secrets are looked up when the first text asks for it: most commands meet none. */
function scrubberFor(
  { root, env }: AppOptions,
  { profile, config }: { profile: ProfileHome; config: Context['config'] },
): Scrubber {
  const { proposer, judge } = config.config.models;
  const keyEnv = [proposer, judge].flatMap((choice) =>
    choice !== null && choice !== undefined && typeof choice === 'object' && 'api_key_env' in choice
      ? [choice.api_key_env ?? '']
      : [],
  );
  return makeScrubber(() => findSecrets({ homes: [...new Set([profile.home, root])], env, keyEnv }));
}

function withoutSecretsIn(log: Logger, scrub: Scrubber): Logger {
  const at = (level: keyof Logger) => (message: string) => log[level](scrub.text(message));
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
