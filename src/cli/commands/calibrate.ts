import * as z from 'zod';
import { KarpathyError } from '../../errors.js';
import {
  DEFAULT_EPOCHS,
  LEAST_EPOCHS,
  MOST_EPOCHS,
  MOST_PLACEBOS,
  planCalibration,
  startCalibration,
  type CalibrationOptions,
} from '../../services/calibration.js';
import { calibrationOf, latestCalibration } from '../../services/calibrationView.js';
import { calibrationEstimateText, calibrationText } from '../../text/calibration.js';
import { command } from '../command.js';
import { runInForeground } from '../foreground.js';
import { flag } from '../inputs.js';

function numberFrom(least: number, most: number): z.ZodType<number, string> {
  const error = `must be a number from ${least} to ${most}`;
  return z
    .string()
    .regex(/^\d{1,3}$/, { error })
    .transform(Number)
    .refine((value) => value >= least && value <= most, { error });
}

export const calibrateCommand = command({
  path: 'calibrate',
  group: 'Improve',
  summary: 'run the present text against itself, to see what the measuring itself does',
  details:
    'Nothing is compared that could win: both arms have the same text, so any difference comes from the set-up. A placebo is the same text in other words, on train scenarios. It spends money, but no error budget. Interrupted, it goes on where it stopped.',
  options: [
    {
      flags: '--epochs <n>',
      summary: `pairs of each scenario, ${LEAST_EPOCHS} to ${MOST_EPOCHS}; ${DEFAULT_EPOCHS} without it`,
    },
    { flags: '--train-only', summary: 'leave the holdout scenarios out' },
    { flags: '--placebos <n>', summary: `paraphrases that the proposer writes, 0 to ${MOST_PLACEBOS}; 1 without it` },
    { flags: '--placebo <n:text>', summary: 'your own paraphrase of sentence N, instead of a written one' },
    { flags: '--estimate', summary: 'show what it is expected to take, and run nothing' },
    { flags: '--show', summary: 'show the last one again, and run nothing' },
    { flags: '--yes', summary: 'do not ask whether to spend it' },
  ],
  examples: [
    'calibrate',
    'calibrate --estimate',
    'calibrate --epochs 4 --train-only --placebos 2',
    "calibrate --placebo '3:Keep every reply short.' --yes",
    'calibrate --show --json',
  ],
  withoutTerminal: 'Give --yes to agree to what --estimate shows.',
  input: z.object({
    epochs: numberFrom(LEAST_EPOCHS, MOST_EPOCHS).optional(),
    trainOnly: flag,
    placebos: numberFrom(0, MOST_PLACEBOS).optional(),
    placebo: z
      .string()
      .regex(/^\d{1,4}:[\s\S]*\S/u, {
        error: "must be a sentence's number, a colon and its new text, like '3:Be brief.'",
      })
      .optional(),
    estimate: flag,
    show: flag,
    yes: flag,
  }),
  async run(session, input) {
    const { ctx } = session;
    if (input.show) {
      const last = latestCalibration(ctx);
      if (last === null)
        throw new KarpathyError('wrong_state', 'This profile was never calibrated.', { hint: 'Run `calibrate`.' });
      return { data: last, text: (look) => calibrationText(look, last, ctx.clock.now()) };
    }
    const plan = await planCalibration(ctx, wishesOf(input));
    if (input.estimate) return { data: plan, text: (look) => calibrationEstimateText(look, plan) };
    session.show(calibrationEstimateText(session.look, plan));
    if (!input.yes && !(await session.ask.confirm('Run it?'))) {
      throw new KarpathyError('needs_person', 'Not agreed; nothing was run.');
    }
    const jobId = await startCalibration(ctx, plan);
    await runInForeground(session, jobId);
    const done = calibrationOf(ctx, jobId);
    return { data: done, text: (look) => calibrationText(look, done, ctx.clock.now()) };
  },
});

function wishesOf(input: {
  epochs?: number | undefined;
  trainOnly: boolean;
  placebos?: number | undefined;
  placebo?: string | undefined;
}): Partial<CalibrationOptions> {
  const [number = '', ...text] = input.placebo?.split(':') ?? [];
  return {
    ...(input.epochs === undefined ? {} : { epochs: input.epochs }),
    ...(input.trainOnly ? { holdout: false } : {}),
    ...(input.placebos === undefined ? {} : { placebos: input.placebos }),
    ...(input.placebo === undefined ? {} : { written: [{ sentence: Number(number), text: text.join(':').trim() }] }),
  };
}
