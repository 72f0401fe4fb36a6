import { endedJobs, findOpenJob } from '../store/jobs.js';
import type { Context } from './context.js';
import { requireProfile } from './requireProfile.js';

/** The judgement of a live window that failed, and when the background tries it again. */
export interface WindowRetry {
  /** In a row. */
  readonly failures: number;
  readonly message: string;
  /** Time in ms since the epoch. */
  readonly at: number;
}

const FIRST_WAIT_MS = 15 * 60_000;
const LONGEST_WAIT_MS = 24 * 60 * 60_000;
const LOOKED_AT = 20;

/**
 * What is broken at one turn is broken at the next: the background waits 15 minutes after a failure, then twice as
 * long each time, up to a day. A person's `verify` and `work` wait for nothing. Null when the last judgement did not
 * fail, or another one is open.
 */
export function windowRetry(ctx: Context, experimentId: number): WindowRetry | null {
  const profileId = requireProfile(ctx).id;
  if (findOpenJob(ctx.db, { profileId, experimentId, kind: 'window' }) !== null) return null;
  const ended = endedJobs(ctx.db, { experimentId, kind: 'window', limit: LOOKED_AT });
  const other = ended.findIndex((job) => job.state !== 'failed');
  const failures = other === -1 ? ended.length : other;
  const [last] = ended;
  if (failures === 0 || last === undefined) return null;
  const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (failures - 1));
  return { failures, message: last.error?.message ?? 'it failed', at: (last.finishedAt ?? 0) + wait };
}

export function retryText({ failures, message, at }: WindowRetry, experimentId: number): string {
  const times = failures === 1 ? 'failed' : `failed ${failures} times in a row`;
  const when = new Date(at).toISOString().slice(0, 16).replace('T', ' ');
  return `Judging the live window of experiment ${experimentId} ${times}: ${message} The background tries it again after ${when} UTC.`;
}
