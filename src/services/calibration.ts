import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod';
import { KarpathyError } from '../errors.js';
import { problemsOf } from '../problems.js';
import type { ScenarioSnapshot } from '../schemas.js';
import { insertCalibration, calibrationOfJob, type CalibrationRow } from '../store/calibrations.js';
import { lastLedgerId } from '../store/costLedger.js';
import { immediate } from '../store/database.js';
import { findOpenJob } from '../store/jobs.js';
import { snapshotsForPlan } from '../store/scenarios.js';
import { checkEdit, readBase, type BaseText } from './checkedEdit.js';
import type { Context } from './context.js';
import { enqueue } from './enqueue.js';
import { costOfScenarios, type EvaluationEstimate } from './estimateEvaluation.js';
import { requireProfile } from './requireProfile.js';
import { requireRunnable } from './runnable.js';
import { trialCost } from './trialCost.js';

/** Two runs of a scenario under each arm are the least that shows whether it is flaky. */
export const LEAST_EPOCHS = 2;
export const MOST_EPOCHS = 20;
export const DEFAULT_EPOCHS = 3;
export const MOST_PLACEBOS = 5;

const writtenSchema = z.strictObject({ sentence: z.int().min(1), text: z.string().min(1) });
export const calibrationOptionsSchema = z.strictObject({
  epochs: z.int().min(LEAST_EPOCHS).max(MOST_EPOCHS),
  /** Whether the holdout scenarios run too; of the incumbent only, so that no candidate is ever compared there. */
  holdout: z.boolean(),
  /** How many paraphrases the proposer writes. */
  placebos: z.int().min(0).max(MOST_PLACEBOS),
  /** Paraphrases by the person. */
  written: z.array(writtenSchema).max(MOST_PLACEBOS),
});
export type CalibrationOptions = z.infer<typeof calibrationOptionsSchema>;

/** What `startCalibration` would run, and what that is expected to take. */
export interface CalibrationPlan {
  readonly options: CalibrationOptions;
  readonly scenarios: { readonly train: number; readonly holdout: number };
  readonly estimate: EvaluationEstimate;
  /** The job that is open already and goes on; null = a new one. */
  readonly openJob: number | null;
}

/**
 * Lays a calibration out and writes nothing. Without wishes an open calibration goes on; what is not wished has its
 * default: three epochs, the holdout too, and one paraphrase where there are train scenarios and a proposer.
 * @throws KarpathyError `bad_scenario` without scenarios or for one that can't be run here, `bad_config` without the
 *   judge that one asks for, `bad_edit` for a placebo that can't be applied, `wrong_state` when another one is open
 */
export async function planCalibration(ctx: Context, wishes: Partial<CalibrationOptions>): Promise<CalibrationPlan> {
  const profile = requireProfile(ctx);
  const suite = snapshotsForPlan(ctx.db, profile.id);
  const open = openCalibration(ctx);
  const wished = Object.keys(wishes).length > 0;
  const options = !wished && open !== null ? optionsOf(open.row) : withDefaults(ctx, { wishes, suite });
  if (open !== null && !isDeepStrictEqual(options, optionsOf(open.row))) {
    throw new KarpathyError('wrong_state', `Another calibration is open, as job ${open.jobId}.`, {
      hint: `\`calibrate\` without options goes on with it; \`jobs cancel ${open.jobId}\` ends it.`,
    });
  }
  const chosen = suite.filter(({ split }) => split === 'train' || options.holdout);
  if (chosen.length === 0) {
    throw new KarpathyError('bad_scenario', 'There are no scenarios to calibrate on.', {
      hint: 'Add some with `karpathy scenario add`.',
    });
  }
  await requireRunnable(ctx, chosen);
  if (open === null) await assertPlacebos(ctx, { options, suite });
  const train = chosen.filter(({ split }) => split === 'train').length;
  const per = trialCost(ctx);
  const times = timesOf(options);
  return {
    options,
    scenarios: { train, holdout: chosen.length - train },
    estimate: { ...costOfScenarios(per, suite, ({ split }) => times[split]), basis: per.said },
    openJob: open?.jobId ?? null,
  };
}

/** Records the calibration as a job and returns the job's id; one that is open goes on. @throws as `planCalibration` */
export async function startCalibration(ctx: Context, plan: CalibrationPlan): Promise<number> {
  const base = readBase(ctx);
  const { id: profileId } = requireProfile(ctx);
  return immediate(ctx.db, () => {
    const jobId = enqueue(ctx, { kind: 'calibrate', experimentId: null });
    if (calibrationOfJob(ctx.db, jobId) === null) {
      insertCalibration(ctx.db, {
        profileId,
        jobId,
        options: plan.options,
        incumbentContent: base.bytes,
        incumbentSha256: base.sha256,
        ledgerFrom: lastLedgerId(ctx.db),
        createdAt: ctx.clock.now(),
      });
    }
    return jobId;
  });
}

export function optionsOf(row: CalibrationRow): CalibrationOptions {
  return calibrationOptionsSchema.parse(JSON.parse(row.options));
}

/** Runs of each scenario, by split: two arms against itself, and two for every placebo on train. */
function timesOf(options: CalibrationOptions): { train: number; holdout: number } {
  const placebos = options.placebos + options.written.length;
  return { train: 2 * options.epochs * (1 + placebos), holdout: options.holdout ? 2 * options.epochs : 0 };
}

function openCalibration(ctx: Context): { jobId: number; row: CalibrationRow } | null {
  const profileId = requireProfile(ctx).id;
  const job = findOpenJob(ctx.db, { profileId, experimentId: null, kind: 'calibrate' });
  const row = job === null ? null : calibrationOfJob(ctx.db, job.id);
  return job === null || row === null ? null : { jobId: job.id, row };
}

function withDefaults(
  ctx: Context,
  { wishes, suite }: { wishes: Partial<CalibrationOptions>; suite: readonly ScenarioSnapshot[] },
): CalibrationOptions {
  const proposer = ctx.config.config.models.proposer ?? requireProfile(ctx).proposer;
  const canWrite = proposer !== null && suite.some(({ split }) => split === 'train');
  const written = wishes.written ?? [];
  const options = {
    epochs: wishes.epochs ?? DEFAULT_EPOCHS,
    holdout: wishes.holdout ?? true,
    placebos: wishes.placebos ?? (canWrite && written.length === 0 ? 1 : 0),
    written,
  };
  const parsed = calibrationOptionsSchema.safeParse(options);
  if (parsed.success) return parsed.data;
  throw new KarpathyError('bad_usage', 'The options of the calibration are not valid.', {
    problems: problemsOf(parsed.error, options, { prefix: '' }),
  });
}

async function assertPlacebos(
  ctx: Context,
  { options, suite }: { options: CalibrationOptions; suite: readonly ScenarioSnapshot[] },
): Promise<void> {
  if (options.placebos + options.written.length === 0) return;
  if (!suite.some(({ split }) => split === 'train')) {
    throw new KarpathyError('bad_scenario', 'A placebo runs on train scenarios only, and there are none.', {
      hint: 'Leave it out with `--placebos 0`, or add train scenarios.',
    });
  }
  const base = readBase(ctx);
  for (const placebo of options.written) await applyPlacebo(ctx, base, placebo);
}

/** A person's paraphrase, held against the rules of an edit. @throws KarpathyError `bad_edit`, `blocked_by_host` */
export async function applyPlacebo(
  ctx: Context,
  base: BaseText,
  placebo: CalibrationOptions['written'][number],
): Promise<Awaited<ReturnType<typeof checkEdit>>['record']> {
  const edit = { operation: 'rewrite' as const, ...placebo, rationale: 'a placebo' };
  const { record } = await checkEdit(ctx, base, {
    wanted: { edit },
    by: 'person',
    proposerModel: 'human',
    experimentId: null,
  });
  return record;
}
