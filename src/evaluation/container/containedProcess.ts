import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { KarpathyError } from '../../errors.js';
import type { HermesCommand } from '../../ports.js';
import { readGuardRecord } from '../guardRecord.js';
import type { HermesProcess, LaidSlot } from '../hermesProcess.js';
import { askContainerFacts, assertGuard, readAnswer } from '../hostFacts.js';
import { GUARD_FAILED } from '../trialOutcome.js';
import { INIT_DIR, showable } from './bubblewrap.js';
import type { Bubblewrap, Container } from './container.js';
import { endpointOf, startForwarder } from './forwarder.js';
import { NEEDS_A_KEY } from './reachableModel.js';
import { runContained, userOf, type ContainerLimits, type ContainerSetup } from './runContained.js';

export interface ContainerSettings {
  readonly find: () => Promise<Container>;
  /** How much one trial may use, over all its processes. */
  readonly limits: ContainerLimits;
  /** Further directories that trials may read. */
  readonly readOnly: readonly string[];
}

export interface ContainedOptions {
  readonly hermes: HermesCommand;
  readonly pluginDir: string;
  readonly profileHome: string;
  readonly slotsDir: string;
  /** Of the parent: says whether the model is reached through a proxy. */
  readonly env: Readonly<NodeJS.ProcessEnv>;
  readonly containers: ContainerSettings;
  /** Niceness of the trials' processes, 0 to 19. */
  readonly nice?: number;
}

const GUARD_MS = 60_000;

/** Starts the host anew for every user turn, in a container of its own. */
export function createContainedProcess(options: ContainedOptions): HermesProcess {
  const slots = new Map<number, Promise<ContainerSetup>>();

  const getReady = async (laid: LaidSlot, signal: AbortSignal): Promise<ContainerSetup> => {
    const container = await requireContainer(options.containers.find);
    refuseLinkedCredentials(laid);
    const facts = await askContainerFacts({ ...options, env: laid.env, signal });
    const endpoint = endpointOf(facts.base_url, options.env);
    const forwarder = await startForwarder(endpoint, userOf(container, laid));
    const ready = { ...setupOf(options), container, endpoint, forwarder, readOnly: shownOf(options, facts.code) };
    try {
      const argv = [options.hermes.python, '-P', join(INIT_DIR, 'slot_facts.py'), 'guard'];
      const limits = { deadline: Date.now() + GUARD_MS, signal };
      const { stdout, end } = await runContained(ready, laid, { argv, limits });
      signal.throwIfAborted();
      assertGuard(readAnswer({ stdout, exitCode: end.exitCode, problem: end.stderrTail }));
      return ready;
    } catch (error) {
      await forwarder.close();
      throw error;
    }
  };

  return {
    name: 'contained',
    fellBack: null,
    async prepare(laid, signal) {
      const before = slots.get(laid.slot);
      if (before !== undefined) return (void (await before), false);
      const made = getReady(laid, signal);
      slots.set(laid.slot, made);
      try {
        await made;
        return true;
      } catch (error) {
        slots.delete(laid.slot);
        throw error;
      }
    },
    async run(laid, args, limits) {
      const ready = await slots.get(laid.slot);
      if (ready === undefined) throw new TypeError(`slot ${laid.slot} has no container`);
      const before = readGuardRecord(laid.paths.record).starts;
      const argv = [options.hermes.python, '-P', '-s', '-m', 'hermes_cli.main', ...args];
      const { end } = await runContained(ready, laid, { argv, limits });
      // Of every turn: the agent has a shell, and may have looked for a way around.
      const guarded = readGuardRecord(laid.paths.record).starts > before;
      return end.exitCode === 0 && !guarded ? { ...end, exitCode: GUARD_FAILED } : end;
    },
    async close() {
      for (const made of slots.values()) await made.then(({ forwarder }) => forwarder.close()).catch(() => {});
      slots.clear();
    },
  };
}

/** @throws KarpathyError `host_failed` that says what to install */
export async function requireContainer(find: () => Promise<Container>): Promise<Bubblewrap> {
  const found = await find();
  if (found.kind !== null) return found;
  throw new KarpathyError('host_failed', `Tools can't run in a container here: ${found.problem}.`, { hint: found.fix });
}

/** Tokens of a login rotate: the agent would have to be able to write the file that holds them for all providers. */
function refuseLinkedCredentials({ paths }: LaidSlot): void {
  if (!existsSync(join(paths.home, 'auth.json'))) return;
  throw new KarpathyError(
    'host_failed',
    'Contained trials need a provider with an API key: a login (OAuth) can’t be taken into a container.',
    { hint: NEEDS_A_KEY },
  );
}

function setupOf({ hermes, pluginDir, containers, nice }: ContainedOptions) {
  return {
    ...(nice === undefined ? {} : { nice }),
    python: hermes.python,
    hostDir: join(pluginDir, 'host'),
    limits: containers.limits,
  };
}

function shownOf(options: ContainedOptions, code: readonly string[]): string[] {
  const { profileHome, slotsDir, env, containers } = options;
  const inProfiles = /\/profiles\/[^/]+$/.test(profileHome);
  const hermesRoot = inProfiles ? dirname(dirname(profileHome)) : profileHome;
  const secret = [env.HOME ?? homedir(), homedir(), hermesRoot, dirname(slotsDir)];
  return [...showable(code, secret), ...containers.readOnly.filter((path) => existsSync(path))];
}
