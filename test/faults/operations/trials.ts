import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { slotKey } from '#src/evaluation/slot.js';
import type { TrialSpec } from '#src/ports.js';
import type { Context } from '#src/services/context.js';
import { answerOf } from '../agent.js';
import type { Operation } from '../operation.js';
import { homeIn, pathsIn } from '../world.js';
import { buildEvaluation, checkEvaluated, runJobs } from './evaluate.js';

const slotOf = (root: string, home: string, slot: number): string =>
  join(pathsIn(root).slotsDir, `${slotKey(home)}-${slot}`, 'profiles', 'dev');

/** Outlives whoever starts it, unless somebody ends it. */
function start(env: Record<string, string>): ChildProcess {
  return spawn('sleep', ['600'], { env: { PATH: process.env.PATH, ...env }, detached: true, stdio: 'ignore' });
}

async function end(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

/** Each trial is a process in a slot, as a real one is. */
function processRunner(root: string): Context['makeRunner'] {
  const run = async (spec: TrialSpec) => {
    const home = slotOf(root, homeIn(root), spec.slot);
    mkdirSync(home, { recursive: true });
    const trial = start({ HERMES_HOME: home, KARPATHY_TRIAL: '1' });
    await once(trial, 'spawn');
    await delay(2);
    await end(trial);
    return answerOf(spec, 'candidate');
  };
  return () => ({
    name: 'process',
    run,
    close: async () => rmSync(pathsIn(root).slotsDir, { recursive: true, force: true }),
  });
}

/** Processes that say of themselves that they are a trial of this root. Only where the system tells. */
function trialsLeft(root: string): string[] {
  if (!existsSync(join('/proc', '1', 'environ'))) return [];
  const prefix = `HERMES_HOME=${dirname(dirname(slotOf(root, homeIn(root), 1))).slice(0, -1)}`;
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const variables = readFileSync(join('/proc', pid, 'environ'), 'utf8').split('\0');
      return variables.includes('KARPATHY_TRIAL=1') && variables.some((variable) => variable.startsWith(prefix));
    } catch {
      return false; // it has ended, or is somebody else's
    }
  });
}

/** An evaluation whose trials are processes: those of the dead executor are ended before the next begins, and no other. */
export const trialsOperation: Operation = {
  name: 'trials',
  build: buildEvaluation,
  run: (root) => runJobs(root, processRunner(root)),
  check: async (root) => {
    const others = [
      start({ HERMES_HOME: slotOf(root, '/other/profiles/dev', 1), KARPATHY_TRIAL: '1' }),
      start({ HERMES_HOME: slotOf(root, homeIn(root), 1) }),
      start({ HERMES_HOME: homeIn(root), KARPATHY_TRIAL: '1' }),
    ];
    try {
      await Promise.all(others.map((other) => once(other, 'spawn')));
      await checkEvaluated(root, processRunner(root));
      assert.deepEqual(trialsLeft(root), [], 'no trial of the dead executor goes on');
      const alive = others.map((other) => other.exitCode === null && other.signalCode === null);
      assert.deepEqual(alive, [true, true, true], 'and nothing else was ended');
    } finally {
      await Promise.all(others.map(end));
    }
  },
};
