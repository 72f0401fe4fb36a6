import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { KarpathyError } from '../errors.js';
import type { Context } from './context.js';

/**
 * Starts `hermes -p PROFILE karpathy work` in a session of its own and returns its pid. It goes on when this process
 * ends; where another executor is at work already, it ends by itself.
 * @throws KarpathyError `host_failed` when there is no Hermes, or it cannot be started
 */
export async function launchWork(ctx: Context): Promise<number> {
  const [program, ...before] = ctx.hermes?.command ?? [];
  if (program === undefined) {
    throw new KarpathyError('host_failed', 'No Hermes was found to do the work in the background.', {
      hint: '`karpathy work` does it in the foreground.',
    });
  }
  // The home is named twice, since a sticky active profile overrides a home that is a root.
  const child = spawn(program, [...before, '-p', ctx.profile.name, 'karpathy', 'work'], {
    cwd: ctx.profile.home,
    detached: true,
    stdio: 'ignore',
    env: environment(ctx),
  });
  try {
    await once(child, 'spawn');
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new KarpathyError('host_failed', `Hermes could not be started for the work: ${message}.`, { cause: error });
  }
  child.unref();
  return child.pid ?? 0;
}

function environment(ctx: Context): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...ctx.env, HERMES_HOME: ctx.profile.home };
  // It marks the shell of an agent's session, which this process is not part of.
  delete env.HERMES_SESSION_ID;
  return env;
}
