import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Logger } from '../ports.js';
import { createColdProcess } from './coldProcess.js';
import { textOf, type HermesProcess, type LaidSlot } from './hermesProcess.js';
import { assertGuard, readAnswer } from './hostFacts.js';
import { startWarmServer, type WarmServer, type WarmServerOptions } from './warmServer.js';

export interface WarmProcessOptions extends WarmServerOptions {
  readonly log: Logger;
  readonly platform: NodeJS.Platform;
}

interface Loaded {
  readonly server: WarmServer;
  /** Of what the host read while it was loaded. */
  readonly settings: string;
}

const GUARD_MS = 60_000;
/** In a row, without a trial between them. */
const LOSSES_ALLOWED = 3;

/**
 * Forks every user turn from a Hermes that was loaded once for the slot. Where that can't be done, all goes on cold,
 * which is said once.
 */
export function createWarmProcess(options: WarmProcessOptions): HermesProcess {
  const cold = createColdProcess(options);
  const loaded = new Map<number, Loaded>();
  let fellBack = options.platform === 'linux' ? null : `a loaded Hermes needs Linux, and this is ${options.platform}`;
  let said = false;
  let losses = 0;

  const goCold = (reason: string): void => {
    fellBack ??= reason;
    if (said) return;
    said = true;
    options.log.warn(`Trials start a fresh Hermes each, which is slower: ${fellBack}.`);
  };
  const drop = async (slot: number): Promise<void> => {
    const found = loaded.get(slot);
    loaded.delete(slot);
    await found?.server.close();
  };

  return {
    get name() {
      return fellBack === null ? 'warm' : 'cold';
    },
    get fellBack() {
      return fellBack;
    },
    async prepare(laid, signal) {
      if (fellBack !== null) {
        goCold(fellBack);
        await drop(laid.slot);
        return cold.prepare(laid, signal);
      }
      const settings = settingsOf(laid);
      const found = loaded.get(laid.slot);
      if (found?.server.usable() && found.settings === settings) return false;
      await drop(laid.slot);
      try {
        const server = await startWarmServer(options, laid, signal);
        loaded.set(laid.slot, { server, settings });
      } catch (error) {
        signal.throwIfAborted();
        goCold(`this Hermes can't be loaded once for all (${error instanceof Error ? error.message : String(error)})`);
        await cold.prepare(laid, signal);
        return true;
      }
      const { server } = loaded.get(laid.slot) as Loaded;
      const limits = { deadline: Date.now() + GUARD_MS, signal };
      const { stdout, end } = await server.run('guard', laid, { args: [], limits });
      signal.throwIfAborted();
      assertGuard(readAnswer({ stdout, exitCode: end.exitCode, problem: end.stderrTail }));
      return true;
    },
    async run(laid, args, limits) {
      const found = loaded.get(laid.slot);
      if (found === undefined) return cold.run(laid, args, limits);
      const { end, serverLost } = await found.server.run('main', laid, { args, limits });
      losses = serverLost && !end.timedOut ? losses + 1 : 0;
      if (losses >= LOSSES_ALLOWED) goCold(`the loaded Hermes ended ${losses} times in a row`);
      return end;
    },
    async close() {
      await Promise.all([...loaded.keys()].map(drop));
      await cold.close();
    },
  };
}

/** What the host reads while it is loaded; another content asks for another process. */
function settingsOf({ env, paths, yolo }: LaidSlot): string {
  const files = ['config.yaml', '.env'].map((name) => textOf(join(paths.home, name)));
  const variables = Object.entries(env).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([variables, files, yolo]))
    .digest('hex');
}
