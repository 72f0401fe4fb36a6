import { KarpathyError } from '../errors.js';
import { planCalibration, startCalibration } from '../services/calibration.js';
import { latestCalibration } from '../services/calibrationView.js';
import { launchWork } from '../services/launchWork.js';
import { calibrationEstimateText, calibrationText } from '../text/calibration.js';
import type { SlashRun } from './answer.js';

/** Says what a calibration would take; `--yes` agrees to it and starts its executor in the background. */
export async function calibrateFromChat({ ctx, call, look }: SlashRun): Promise<string> {
  if (call.options.show === true) {
    const last = latestCalibration(ctx);
    if (last !== null) return calibrationText(look, last, ctx.clock.now());
    throw new KarpathyError('wrong_state', 'This profile was never calibrated.', {
      hint: '/karpathy calibrate shows what it takes.',
    });
  }
  const plan = await planCalibration(ctx, {});
  const estimate = calibrationEstimateText(look, plan);
  if (call.options.yes !== true) return `${estimate}\n\nTo run it in the background, send: /karpathy calibrate --yes`;
  const jobId = await startCalibration(ctx, plan);
  await launchWork(ctx);
  return `${estimate}\n\nJob ${jobId} runs in the background. /karpathy status shows how far it is, /karpathy calibrate --show what it found.`;
}
