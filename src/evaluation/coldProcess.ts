import { execa } from 'execa';
import type { HermesCommand } from '../ports.js';
import { killGroup, stepBack, tailOf, withinLimits, type HermesProcess } from './hermesProcess.js';
import { assertGuardLoads } from './hostFacts.js';

export interface ColdProcessOptions {
  readonly hermes: HermesCommand;
  readonly pluginDir: string;
  /** Niceness of the trials' processes, 0 to 19. */
  readonly nice?: number;
}

/** Starts the host anew for every user turn. */
export function createColdProcess({ hermes, pluginDir, nice }: ColdProcessOptions): HermesProcess {
  const proven = new Map<number, Promise<void>>();
  return {
    name: 'cold',
    fellBack: null,
    async prepare({ slot, env }, signal) {
      const before = proven.get(slot);
      if (before !== undefined) {
        await before;
        return false;
      }
      const proof = assertGuardLoads({ hermes, pluginDir, env, signal });
      proven.set(slot, proof);
      await proof;
      return true;
    },
    async run({ env, paths }, args, limits) {
      const [file = '', ...before] = hermes.command;
      const child = execa(file, [...before, ...args], {
        env,
        extendEnv: false,
        cwd: paths.work,
        stdin: 'ignore',
        detached: true,
        reject: false,
        maxBuffer: 10_000_000,
      });
      stepBack(child.pid, nice);
      try {
        const { result, timedOut } = await withinLimits(limits, (signal) => killGroup(child.pid, signal), child);
        const stderrTail = tailOf(`${result.stderr}`) || result.shortMessage || '';
        return { exitCode: result.exitCode ?? null, timedOut, stderrTail, agentLog: '' };
      } finally {
        // Whatever the agent left running in the background goes with it.
        killGroup(child.pid, 'SIGKILL');
      }
    },
    async close() {
      proven.clear();
    },
  };
}
