import { CALIBRATION_LEVEL } from '../gate/calibration.js';
import { calibrationOfJob, lastCalibration, type CalibrationRow } from '../store/calibrations.js';
import type { CalibrationReport } from './calibrationReport.js';
import type { Context } from './context.js';
import { evidenceFingerprint, sameModels } from './evidence.js';
import { requireProfile } from './requireProfile.js';

/** A calibration that has finished. */
export interface CalibrationView extends CalibrationReport {
  readonly id: number;
  readonly finishedAt: number;
}

/** What `status` says about the last one. */
export interface CalibrationBrief {
  readonly at: number;
  /** Agent, judge or evaluator were other ones. */
  readonly outdated: boolean;
  /** What it found wrong; empty when nothing. */
  readonly findings: readonly ('arm' | 'order' | 'cached' | 'identical')[];
  /** The order effect that it could have seen, in [0, 1]; null for none. */
  readonly orderDetectable: number | null;
}

/** Of a job that has finished. */
export function calibrationOf(ctx: Context, jobId: number): CalibrationView {
  const row = calibrationOfJob(ctx.db, jobId);
  if (row === null || row.report === null) throw new Error(`the calibration of job ${jobId} has not finished`);
  return viewOf(row);
}

/** The newest that has finished; null without any. */
export function latestCalibration(ctx: Context): CalibrationView | null {
  const row = lastCalibration(ctx.db, requireProfile(ctx).id);
  return row === null ? null : viewOf(row);
}

function viewOf(row: CalibrationRow): CalibrationView {
  // Written by runCalibration from the same type.
  const report = JSON.parse(row.report ?? 'null') as CalibrationReport;
  return { id: row.id, finishedAt: row.finishedAt ?? row.createdAt, ...report };
}

/** Null while the profile was never calibrated. */
export async function calibrationBrief(ctx: Context): Promise<CalibrationBrief | null> {
  const view = latestCalibration(ctx);
  if (view === null) return null;
  const { arm, order, repeats } = view;
  const shows = (p: number | undefined) => p !== undefined && p <= CALIBRATION_LEVEL;
  return {
    at: view.finishedAt,
    outdated: !sameModels(view.evidence, (await evidenceFingerprint(ctx)).detail),
    findings: [
      ...(shows(arm?.p) ? ['arm' as const] : []),
      ...(shows(order?.p) ? ['order' as const] : []),
      ...(repeats.kind === 'cached' || repeats.kind === 'identical' ? [repeats.kind] : []),
    ],
    orderDetectable: order?.detectable ?? null,
  };
}
