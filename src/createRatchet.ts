import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openContext, type AppOptions } from './app.js';
import { defaultHermesHome, hermesRootOf, profileNameOf } from './hermes/paths.js';
import { applyExperiment } from './services/apply.js';
import { approve, type ApproveOptions } from './services/approve.js';
import { planCalibration, startCalibration, type CalibrationOptions } from './services/calibration.js';
import { calibrationOf, type CalibrationView } from './services/calibrationView.js';
import type { Context } from './services/context.js';
import { finish, type FinishOptions } from './services/finish.js';
import { historyOf, type TransitionItem } from './services/historyView.js';
import { initProfile, type InitResult } from './services/init.js';
import { pauseProfile, resumeProfile } from './services/pause.js';
import { prepare } from './services/prepare.js';
import { startProposal, type ProposalSource, type StartedProposal } from './services/propose.js';
import { reject } from './services/reject.js';
import { ownExperiment } from './services/ownExperiment.js';
import { resolveConflict, type ResolveOptions } from './services/resolve.js';
import { revertExperiment } from './services/revert.js';
import { importScenarios, listSuite, type ScenarioList, type WriteReport } from './services/scenarios.js';
import { show, type ShowView } from './services/show.js';
import { status, type StatusView } from './services/status.js';
import { tick, type TickSummary } from './services/tick.js';
import { requireFullWindow } from './services/verify.js';
import { enqueue, runJobNow } from './services/work.js';

/** How a program opens the ratchet of one profile. Without options: the Hermes home of the environment. */
export interface RatchetOptions extends Partial<
  Pick<AppOptions, 'hermes' | 'host' | 'env' | 'onProgress' | 'log' | 'clock' | 'ids' | 'pluginDir'>
> {
  /** The profile's home; default `HERMES_HOME`, else `~/.hermes`. */
  readonly home?: string;
  /**
   * Who decides, when the program asks a person itself; recorded with every decision. Without it the deciding calls
   * are refused (`needs_person`) unless `approvals.allow_noninteractive` is set.
   */
  readonly person?: string;
  /** Aborting it stops long work in a resumable state. */
  readonly signal?: AbortSignal;
}

/** The in-process service on the shared controller DB. Every failure is a `KarpathyError`. */
export interface Ratchet {
  status(): Promise<StatusView>;
  show(experimentId: number): Promise<ShowView>;
  history(experimentId: number): readonly TransitionItem[];
  init(input: Parameters<typeof initProfile>[1]): Promise<InitResult>;
  scenarios(): ScenarioList;
  /** Takes a YAML document; all or nothing. */
  importScenarios(yaml: string): WriteReport;
  /** Drafts one edit (and waits for the model, when it is the proposer). */
  propose(source: ProposalSource): Promise<StartedProposal>;
  /** Runs the paired comparison to its verdict; an interrupted one goes on. */
  evaluate(experimentId: number): Promise<ShowView>;
  /**
   * Runs the present text against itself and against paraphrases, which spends money and no error budget; an
   * interrupted one goes on. Whoever calls it has agreed to what that takes.
   */
  calibrate(options?: Partial<CalibrationOptions>): Promise<CalibrationView>;
  approve(experimentId: number, options?: ApproveOptions): Promise<ShowView>;
  reject(experimentId: number, reason: string): Promise<ShowView>;
  apply(experimentId: number): Promise<ShowView>;
  /** Judges a full live window by fresh trials. */
  verify(experimentId: number): Promise<ShowView>;
  revert(experimentId: number, reason: string): Promise<ShowView>;
  finish(experimentId: number, options: FinishOptions): Promise<ShowView>;
  resolve(experimentId: number, options: ResolveOptions): Promise<ShowView>;
  pause(reason?: string): void;
  resume(): void;
  /** Ingests what the hooks wrote and counts the live window. */
  tick(): Promise<TickSummary>;
  /** Closes the database; the ratchet is of no use afterwards. */
  close(): void;
}

/**
 * Opens the ratchet of one profile. Whoever opens, closes.
 * @throws KarpathyError `unknown_profile`, `bad_config`, `db_newer`, `db_corrupt`, `db_busy`, `io`
 */
export async function createRatchet(options: RatchetOptions = {}): Promise<Ratchet> {
  let opened = openContext(appOptions(options));
  try {
    await prepare(opened.ctx);
  } catch (error) {
    opened.close();
    throw opened.ctx.scrub.error(error);
  }
  const current = (): Context => opened.ctx;
  const init = async (input: Parameters<typeof initProfile>[1]) => {
    const result = await initProfile(opened.ctx, input);
    // What init learned is part of the configuration, which is read once at opening.
    opened.close();
    opened = openContext(appOptions(options));
    return result;
  };
  const methods = { ...readers(current), ...deciders(current), init };
  return { ...withoutSecretsInErrors(methods, current), close: () => opened.close() };
}

/** The same methods; what they throw may repeat what a provider or another program said. */
function withoutSecretsInErrors<T extends object>(methods: T, ctx: () => Context): T {
  const fail = (error: unknown): never => {
    throw ctx().scrub.error(error);
  };
  const wrapped = Object.entries(methods as Record<string, (...args: unknown[]) => unknown>).map(
    ([name, method]) =>
      [
        name,
        (...args: unknown[]) => {
          try {
            const result = method(...args);
            return result instanceof Promise ? result.catch(fail) : result;
          } catch (error) {
            return fail(error);
          }
        },
      ] as const,
  );
  return Object.fromEntries(wrapped) as T;
}

function appOptions(options: RatchetOptions): AppOptions {
  const env = options.env ?? process.env;
  const home = options.home ?? defaultHermesHome(env);
  return {
    root: hermesRootOf(home),
    profileName: profileNameOf(home),
    // This module is bundled into dist/, one level below the plugin's directory.
    pluginDir: options.pluginDir ?? dirname(dirname(fileURLToPath(import.meta.url))),
    hermes: options.hermes ?? null,
    host: options.host ?? null,
    env,
    surface: {
      kind: 'library',
      interactive: options.person !== undefined,
      agentShell: Boolean(env.HERMES_SESSION_ID),
      platform: null,
    },
    actor: options.person === undefined ? 'library' : `person@library:${options.person}`,
    signal: options.signal ?? new AbortController().signal,
    ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
    ...(options.log === undefined ? {} : { log: options.log }),
    ...(options.clock === undefined ? {} : { clock: options.clock }),
    ...(options.ids === undefined ? {} : { ids: options.ids }),
  };
}

function readers(ctx: () => Context) {
  return {
    status: () => status(ctx()),
    show: (id: number) => show(ctx(), id),
    history: (id: number) => historyOf(ctx(), id),
    scenarios: () => listSuite(ctx()),
    importScenarios: (yaml: string) => importScenarios(ctx(), yaml),
    tick: () => tick(ctx()),
  };
}

function deciders(ctx: () => Context) {
  /** Runs a step and returns what stands afterwards. */
  const then = async (id: number, step: Promise<unknown>): Promise<ShowView> => {
    await step;
    return show(ctx(), id);
  };
  const longWork = (id: number, kind: 'evaluate' | 'window'): Promise<ShowView> =>
    then(id, runJobNow(ctx(), enqueue(ctx(), { kind, experimentId: id })));
  return {
    async propose(source: ProposalSource) {
      const started = await startProposal(ctx(), source, { evaluate: false });
      if (started.jobId !== null) await runJobNow(ctx(), started.jobId);
      return started;
    },
    evaluate: (id: number) => longWork(id, 'evaluate'),
    async calibrate(options: Partial<CalibrationOptions> = {}) {
      const jobId = await startCalibration(ctx(), await planCalibration(ctx(), options));
      await runJobNow(ctx(), jobId);
      return calibrationOf(ctx(), jobId);
    },
    approve: (id: number, options: ApproveOptions = {}) => then(id, approve(ctx(), id, options)),
    reject: (id: number, reason: string) => then(id, reject(ctx(), id, { reason })),
    apply: (id: number) => then(id, applyExperiment(ctx(), id)),
    async verify(id: number) {
      requireFullWindow(ctx(), ownExperiment(ctx(), id));
      return longWork(id, 'window');
    },
    revert: (id: number, reason: string) => then(id, revertExperiment(ctx(), id, { reason })),
    finish: (id: number, options: FinishOptions) => then(id, finish(ctx(), id, options)),
    resolve: (id: number, options: ResolveOptions) => then(id, resolveConflict(ctx(), id, options)),
    pause: (reason?: string) => void pauseProfile(ctx(), reason === undefined ? {} : { reason }),
    resume: () => void resumeProfile(ctx()),
  };
}
