import type { TrialRunner } from '../ports.js';
import { createColdProcess } from './coldProcess.js';
import { withContainers } from './container/policyProcess.js';
import { createTrialRunner, type TrialRunnerOptions } from './trialRunner.js';

/** Starts one `hermes chat -q` per user turn of a trial, in a slot that is laid afresh. */
export function createColdRunner(options: TrialRunnerOptions): TrialRunner {
  return createTrialRunner(options, withContainers(createColdProcess(options), options));
}
