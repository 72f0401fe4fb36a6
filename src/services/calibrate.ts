import type { EvalPlan } from '../evaluation/plan.js';
import { restorePlan } from '../evaluation/plan.js';
import { calibrationOfJob, recordPlacebos, recordReport, type CalibrationRow } from '../store/calibrations.js';
import { endEvalRun, getEvalRun, listEvalRuns, type EvalRunRow } from '../store/evalRuns.js';
import type { ScenarioSnapshot } from '../schemas.js';
import { recordConsultation } from '../store/holdoutConsultations.js';
import { snapshotsForPlan } from '../store/scenarios.js';
import { calibrationReport } from './calibrationReport.js';
import { optionsOf, type CalibrationOptions } from './calibration.js';
import type { BaseText } from './checkedEdit.js';
import type { Context } from './context.js';
import { guarded, withEvalSession } from './evalSession.js';
import { evidenceFingerprint, sameModels, type Evidence } from './evidence.js';
import type { LeasedJob } from './jobLease.js';
import { placebosSchema, writePlacebos, type Placebo, type Placebos } from './placebos.js';
import { planRun, resumableRun, type RunRequest } from './planRun.js';
import { proposerOf } from './proposerIdentity.js';
import { requireProfile } from './requireProfile.js';
import { requireRunnable } from './runnable.js';

interface Work {
  readonly row: CalibrationRow;
  readonly options: CalibrationOptions;
  readonly base: BaseText;
  readonly fence: () => void;
}

/**
 * Runs the incumbent against itself with the labels kept, then against its placebos, through the runner that evaluates
 * edits, and stores what that says about the set-up. An interrupted one goes on from its finished pairs, with the text
 * it began with. It decides nothing about any edit and spends no error budget: on the holdout only the incumbent runs.
 *
 * @throws KarpathyError `budget`, `price_unknown`, `model_limit`, `host_failed`, `bad_scenario`, `interrupted`
 */
export async function runCalibration(ctx: Context, { job, fence }: Pick<LeasedJob, 'job' | 'fence'>): Promise<void> {
  const row = calibrationOfJob(ctx.db, job.id);
  if (row === null) throw new Error(`job ${job.id} has no calibration`);
  if (row.report !== null) return;
  const work: Work = { row, options: optionsOf(row), base: baseOf(ctx, row), fence };
  // Before the proposer is asked: what can't be run here is not begun.
  await requireRunnable(ctx, scenariosOf(ctx, work, null));
  const placebos = await placebosOf(ctx, work);
  const itself = await measure(ctx, work, null);
  const compared: { placebo: Placebo; run: EvalRunRow }[] = [];
  for (const placebo of placebos.placebos) compared.push({ placebo, run: await measure(ctx, work, placebo) });
  const { failures } = placebos;
  const report = calibrationReport(ctx, { row, options: work.options, itself, compared, failures });
  guarded(ctx, work, () => recordReport(ctx.db, row.id, { report, at: ctx.clock.now() }));
}

/** The text as it was when the calibration was asked for, whatever was edited since. */
function baseOf(ctx: Context, row: CalibrationRow): BaseText {
  const bytes = Buffer.from(row.incumbentContent);
  const text = bytes.toString('utf8');
  return { relpath: requireProfile(ctx).targetRelpath, text, bytes, sha256: row.incumbentSha256 };
}

async function placebosOf(ctx: Context, work: Work): Promise<Placebos> {
  const { row, base, options } = work;
  if (row.placebos !== null) return placebosSchema.parse(JSON.parse(row.placebos));
  const placebos = await writePlacebos(ctx, { base, options, seed: String(row.id) });
  guarded(ctx, work, () => recordPlacebos(ctx.db, row.id, placebos));
  return placebos;
}

/** Runs one comparison to its end; null is the incumbent against itself. What is finished is not run again. */
async function measure(ctx: Context, work: Work, placebo: Placebo | null): Promise<EvalRunRow> {
  const { row, options, base, fence } = work;
  const scenarios = scenariosOf(ctx, work, placebo);
  const candidate = placebo === null ? base.bytes : Buffer.from(placebo.content, 'base64');
  const done = await finishedRun(ctx, { row, candidateSha256: placebo?.sha256 ?? row.incumbentSha256 });
  if (done !== null) return done;
  const request = {
    purpose: 'calibration',
    experimentId: null,
    arms: ['incumbent', 'candidate'],
    contents: { incumbent: base.bytes, candidate },
    scenarios,
    epochs: options.epochs,
    round: row.id,
    looks: [],
    alpha: 0,
    targetRelpath: base.relpath,
    proposer: placebo?.by ?? null,
    fence,
    onStart: ({ evalRunId }) => recordHoldoutUse(ctx, { work, evalRunId, scenarios }),
  } satisfies RunRequest;
  const run = resumableRun(ctx, request) ?? (await planRun(ctx, request));
  const session = { evalRunId: run.id, contents: request.contents, proposer: proposerOf(ctx, request.proposer), fence };
  await withEvalSession(ctx, session, async (open) => {
    await open.completeEpochs(open.plan.epochs);
    guarded(ctx, work, () => endEvalRun(ctx.db, run.id, { state: 'finished', at: ctx.clock.now() }));
  });
  return getEvalRun(ctx.db, run.id);
}

/** No placebo ever meets the holdout. */
function scenariosOf(ctx: Context, { row, options }: Work, placebo: Placebo | null): ScenarioSnapshot[] {
  return snapshotsForPlan(ctx.db, row.profileId).filter(
    ({ split }) => split === 'train' || (placebo === null && options.holdout),
  );
}

/** Nobody learns about a scenario from it, but it is written down who ran them, and why. */
function recordHoldoutUse(ctx: Context, of: { work: Work; evalRunId: number; scenarios: EvalPlan['scenarios'] }): void {
  if (!of.scenarios.some(({ split }) => split === 'holdout')) return;
  recordConsultation(ctx.db, {
    profileId: of.work.row.profileId,
    experimentId: null,
    evalRunId: of.evalRunId,
    kind: 'evaluation',
    actor: ctx.actor,
    detail: `calibration ${of.work.row.id}: the incumbent against itself; decides nothing`,
    at: ctx.clock.now(),
  });
}

/** Of this calibration and these texts, under the models of today. */
async function finishedRun(
  ctx: Context,
  of: { row: CalibrationRow; candidateSha256: string },
): Promise<EvalRunRow | null> {
  const { profileId, incumbentSha256, id } = of.row;
  const now = (await evidenceFingerprint(ctx)).detail;
  const finished = listEvalRuns(ctx.db, { profileId, purpose: 'calibration', incumbentSha256, states: ['finished'] });
  const found = finished.find(
    (run) =>
      run.candidateSha256 === of.candidateSha256 &&
      restorePlan(run).round === id &&
      // Written by planRun from the same type.
      sameModels(JSON.parse(run.fingerprintDetail ?? '{}') as Evidence, now),
  );
  return found ?? null;
}
