import type { Logger, TrialRunner } from '../ports.js';
import { withContainers } from './container/policyProcess.js';
import { createTrialRunner, type TrialRunnerOptions } from './trialRunner.js';
import { createWarmProcess } from './warmProcess.js';

export interface WarmRunnerOptions extends TrialRunnerOptions {
  readonly log: Logger;
  /** Default: this machine's. */
  readonly platform?: NodeJS.Platform;
}

/** Loads Hermes once per slot and forks each user turn of a trial from it; otherwise as the cold runner. */
export function createWarmRunner({ log, platform = process.platform, ...options }: WarmRunnerOptions): TrialRunner {
  return createTrialRunner(options, withContainers(createWarmProcess({ ...options, log, platform }), options));
}
