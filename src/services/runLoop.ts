import * as z from 'zod';
import { HUMAN_PROPOSER } from '../domain/experiment.js';
import { isKarpathyError, KarpathyError } from '../errors.js';
import type { Verdict } from '../gate/types.js';
import { immediate } from '../store/database.js';
import { countModelEdits } from '../store/experimentLists.js';
import { getExperiment, transition } from '../store/experiments.js';
import { writeJobExperiment, writeProgress, type JobRow } from '../store/jobs.js';
import type { Context } from './context.js';
import { evaluateExperiment } from './evaluate.js';
import type { LeasedJob } from './jobLease.js';
import { assertProposerThere } from './proposer.js';
import { assertDraftAffordable } from './draftBudget.js';
import { measureIncumbent } from './measureIncumbent.js';
import { assertCanEvaluate, draftProposal, openModelExperiment } from './propose.js';
import { commandFor, requireProfile } from './requireProfile.js';
import { requireTrainRunnable } from './trainBaseline.js';

const payloadSchema = z.object({ max_edits: z.int().min(1).max(100).default(10) });
/** A proposer that is refused this often in a row has nothing to offer. */
const REFUSED_IN_A_ROW = 3;

/**
 * The autonomous loop: proposes and evaluates one edit after another, each within the budget of an edit, until one is
 * kept (then it waits for the person), the number of edits is reached, or the profile is paused. What stays
 * undecided is rejected, since nobody is there to ask for more.
 * @throws KarpathyError `paused`, `in_flight`, and whatever proposing and evaluating throw
 */
export async function runLoop(ctx: Context, leased: LeasedJob): Promise<void> {
  const { max_edits: most } = payloadSchema.parse(leased.job.payload);
  let current = resumed(ctx, leased.job);
  let refused = 0;
  for (;;) {
    assertNotPaused(ctx);
    await assertCanEvaluate(ctx);
    const tried = editsOf(ctx, leased.job);
    if (current === null && tried >= most) {
      stop(ctx, leased, { tried, reason: `${most} edits were tried and none was worth keeping` });
      return;
    }
    if (current === null) {
      assertDraftAffordable(ctx);
      await requireTrainRunnable(ctx);
      await assertProposerThere(ctx);
    }
    current ??= next(ctx, leased);
    if (!(await drafted(ctx, current, leased))) {
      refused += 1;
      current = null;
      if (refused < REFUSED_IN_A_ROW) continue;
      stop(ctx, leased, { tried: tried + 1, reason: `${refused} proposals in a row were refused` });
      return;
    }
    refused = 0;
    const verdict = await evaluateExperiment(ctx, current, { fence: leased.fence });
    if (verdict.verdict === 'keep') {
      const reason = `experiment ${current} is worth keeping and waits for \`${commandFor(ctx.profile.name)} approve ${current}\``;
      stop(ctx, leased, { tried: editsOf(ctx, leased.job), reason });
      return;
    }
    if (verdict.verdict === 'undecided') rejectUndecided(ctx, current, { verdict, leased });
    current = null;
  }
}

/** The experiment that an interrupted run was at; a decided one is done. */
function resumed(ctx: Context, job: JobRow): number | null {
  if (job.experimentId === null) return null;
  const { id, state, verdict } = getExperiment(ctx.db, job.experimentId);
  return state === 'proposed' && verdict === null ? id : null;
}

function assertNotPaused(ctx: Context): void {
  const profile = requireProfile(ctx);
  if (profile.pausedAt === null) return;
  const why = profile.pauseReason === null ? '' : ` (${profile.pauseReason})`;
  throw new KarpathyError('paused', `The profile ${profile.name} is paused${why}; no new proposals are made.`, {
    hint: `\`${commandFor(ctx.profile.name)} resume\` lifts it; \`propose\` works all the same.`,
  });
}

function editsOf(ctx: Context, job: JobRow): number {
  return countModelEdits(ctx.db, { profileId: job.profileId, since: job.createdAt, human: HUMAN_PROPOSER });
}

function next(ctx: Context, { lease, fence }: LeasedJob): number {
  return immediate(ctx.db, () => {
    fence();
    const experimentId = openModelExperiment(ctx, 'proposed by the autonomous run');
    writeJobExperiment(ctx.db, { ...lease, experimentId });
    return experimentId;
  });
}

/** False when the proposal was refused, which the next one may do better. */
async function drafted(ctx: Context, experimentId: number, { fence }: LeasedJob): Promise<boolean> {
  if (getExperiment(ctx.db, experimentId).candidateSha256 !== null) return true;
  await measureIncumbent(ctx, experimentId, { fence });
  try {
    await draftProposal(ctx, experimentId, { fence });
    return true;
  } catch (error) {
    if (isKarpathyError(error) && (error.code === 'bad_edit' || error.code === 'blocked_by_host')) return false;
    throw error;
  }
}

function rejectUndecided(ctx: Context, id: number, how: { verdict: Verdict; leased: LeasedJob }): void {
  immediate(ctx.db, () => {
    how.leased.fence();
    const reason = `undecided in an autonomous run: ${how.verdict.reason}`;
    transition(ctx.db, { id, from: 'proposed', to: 'rejected', actor: 'gate', reason, at: ctx.clock.now() });
  });
}

function stop(ctx: Context, { lease }: LeasedJob, how: { tried: number; reason: string }): void {
  const at = ctx.clock.now();
  const { tried, reason } = how;
  writeProgress(ctx.db, { ...lease, progress: { phase: 'run', done: tried, total: tried, message: reason, at } });
  ctx.log.info(`run: ${reason}`);
}
