import { KarpathyError } from '../errors.js';
import { restorePlan } from '../evaluation/plan.js';
import { readTarget } from '../ratchet/target.js';
import type { ScenarioSnapshot } from '../schemas.js';
import { snapshotsForPlan } from '../store/scenarios.js';
import { endEvalRun, listEvalRuns } from '../store/evalRuns.js';
import { getExperiment } from '../store/experiments.js';
import type { Context } from './context.js';
import { guarded, withEvalSession } from './evalSession.js';
import { planRun, resumableRun, type RunRequest } from './planRun.js';
import { requireProfile } from './requireProfile.js';
import { requireRunnable } from './runnable.js';

/**
 * Runs the incumbent once on every train scenario, so that the proposer has failures to learn from. Once per text
 * and set of scenarios; what is there already is not run again. Without train scenarios nothing happens.
 * @param experimentId the experiment that pays for it; null = the profile
 * @throws KarpathyError `budget`, `price_unknown`, `model_limit`, `host_failed`, `bad_scenario`, `interrupted`
 */
export async function runTrainBaseline(
  ctx: Context,
  experimentId: number | null,
  options: { readonly fence?: () => void } = {},
): Promise<void> {
  const target = incumbentText(ctx, experimentId);
  const open = openTrain(ctx);
  if (open.length === 0) return;
  const request = {
    purpose: 'train_baseline',
    experimentId,
    arms: ['incumbent'],
    contents: { incumbent: target.content, candidate: null },
    scenarios: open,
    epochs: 1,
    looks: [],
    alpha: 0,
    targetRelpath: target.relpath,
    proposer: null,
    fence: options.fence,
  } satisfies RunRequest;
  const row = resumableRun(ctx, request) ?? (await planRun(ctx, request));
  const session = {
    evalRunId: row.id,
    contents: request.contents,
    proposer: { configured: null, returned: null },
    fence: options.fence,
  };
  await withEvalSession(ctx, session, async (run) => {
    await run.completeEpochs(1);
    guarded(ctx, options, () => endEvalRun(ctx.db, row.id, { state: 'finished', at: ctx.clock.now() }));
  });
}

/** Refuses train scenarios that can't be run here. Costs nothing. @throws what `requireRunnable` throws */
export async function requireTrainRunnable(ctx: Context): Promise<void> {
  // Without Hermes they are not run; the proposer still sees the file itself.
  if (ctx.hermes !== null) await requireRunnable(ctx, openTrain(ctx));
}

/** Train scenarios that were not run yet with the file as it is. */
export function openTrain(ctx: Context): ScenarioSnapshot[] {
  const { profileId, sha256 } = incumbentText(ctx, null);
  const measured = new Set(
    listEvalRuns(ctx.db, {
      profileId,
      purpose: 'train_baseline',
      incumbentSha256: sha256,
      states: ['finished'],
    }).flatMap((row) => restorePlan(row).scenarios.map((scenario) => scenario.id)),
  );
  return snapshotsForPlan(ctx.db, profileId).filter(({ id, split }) => split === 'train' && !measured.has(id));
}

interface Incumbent {
  readonly profileId: number;
  readonly relpath: string;
  readonly content: Uint8Array;
  readonly sha256: string;
}

function incumbentText(ctx: Context, experimentId: number | null): Incumbent {
  const { id: profileId, targetRelpath: relpath } = requireProfile(ctx);
  const { bytes, sha256 } = readTarget(ctx.profile.rootPath, relpath);
  const base = experimentId === null ? null : getExperiment(ctx.db, experimentId).baseSha256;
  if (base !== null && base !== sha256) {
    throw new KarpathyError(
      'stale',
      `${relpath} was changed after edit ${experimentId} was proposed; nothing was run.`,
    );
  }
  return { profileId, relpath, content: bytes, sha256 };
}
