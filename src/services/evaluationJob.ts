import type { ExperimentRow } from '../store/experiments.js';
import { listJobs } from '../store/jobs.js';
import type { Context } from './context.js';
import { enqueue } from './enqueue.js';

/**
 * The job that brings a proposed experiment to its verdict: the one that is open, whatever it waits for, else a new
 * one, which drafts first when there is no edit yet. Returns its id.
 */
export function evaluationJob(ctx: Context, experiment: ExperimentRow, options: { underpowered: boolean }): number {
  const open = listJobs(ctx.db, { profileId: experiment.profileId, open: true }).find(
    (job) => job.experimentId === experiment.id && (job.kind === 'evaluate' || job.kind === 'propose'),
  );
  if (open !== undefined && !options.underpowered) return open.id;
  const kind = experiment.candidateSha256 === null ? 'propose' : 'evaluate';
  return enqueue(ctx, { kind, experimentId: experiment.id, payload: { evaluate: true, ...options } });
}
