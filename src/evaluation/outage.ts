import type { Arm } from '../domain/experiment.js';
import { KarpathyError } from '../errors.js';
import type { FinishedTrial } from './pairs.js';

/** So many trials lost one after the other, with none that ran between them, are no bad luck. */
const IN_A_ROW = 6;

const NO_ANSWER = /^(provider error|the (provider|model|judge) )/;

/**
 * The trials with a mark on those that fell into an outage: at least six lost in a row, in every arm of the plan. One
 * arm alone may be the text's own doing, and then the loss counts. Trials come in the order they ended.
 */
export function markOutages<T extends Pick<FinishedTrial, 'arm' | 'outcome'>>(
  trials: readonly T[],
  arms: readonly Arm[],
): (T & { readonly outage: boolean })[] {
  const marked: (T & { outage: boolean })[] = trials.map((trial) => ({ ...trial, outage: false }));
  for (let start = 0; start < marked.length;) {
    let end = start;
    while (marked[end]?.outcome === 'infra') end += 1;
    const row = marked.slice(start, end);
    if (isOutage(row, arms)) for (const trial of row) trial.outage = true;
    start = end + 1;
  }
  return marked;
}

/**
 * Stops a run of which nothing comes back, instead of losing every pair of it.
 * `trials`: those since the run was started or gone on with, in the order they ended.
 * @throws KarpathyError `outage`
 */
export function refuseOutage(
  trials: readonly {
    readonly arm: Arm;
    readonly outcome: FinishedTrial['outcome'];
    readonly infraReason: string | null;
  }[],
  arms: readonly Arm[],
): void {
  const row = trials.slice(trials.findLastIndex((trial) => trial.outcome !== 'infra') + 1);
  if (!isOutage(row, arms)) return;
  const reason = (row.at(-1)?.infraReason ?? 'unknown').replace(/\.$/, '');
  throw new KarpathyError(
    'outage',
    `The last ${row.length} trials were all lost to a fault outside of them: ${reason}. What is finished is kept.`,
    { hint: `${whatToCheck(reason)} \`hermes karpathy doctor\` looks for the cause.` },
  );
}

function whatToCheck(reason: string): string {
  if (/\bin time\b/.test(reason)) return 'Raise runner.timeout_seconds if the machine or the model is slow.';
  return NO_ANSWER.test(reason)
    ? "Check the network, and the model's provider."
    : 'Something on this machine is broken.';
}

function isOutage(row: readonly { readonly arm: Arm }[], arms: readonly Arm[]): boolean {
  return row.length >= IN_A_ROW && arms.every((arm) => row.some((trial) => trial.arm === arm));
}
