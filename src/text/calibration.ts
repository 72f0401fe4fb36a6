import type { Contrast } from '../gate/calibration.js';
import type { CalibrationPlan } from '../services/calibration.js';
import type { Flakiness } from '../services/calibrationReport.js';
import type { CalibrationBrief, CalibrationView } from '../services/calibrationView.js';
import { count, duration, percent, plural, points, probability, shorten, usd } from './figures.js';
import { field, wrap, type Look } from './look.js';
import { table } from './table.js';

/** What a calibration is expected to take, before anyone agrees to it. */
export function calibrationEstimateText(look: Look, plan: CalibrationPlan): string {
  const { options, scenarios, estimate } = plan;
  const placebos = options.placebos + options.written.length;
  const with_ = placebos === 0 ? 'no placebo' : `${plural(placebos, 'placebo')} on the train scenarios`;
  return [
    field(
      look,
      'calibrate',
      `${scenarios.train} train and ${scenarios.holdout} holdout scenarios, ${options.epochs} pairs each; ${with_}`,
    ),
    field(
      look,
      'expected',
      `${count(estimate.trials)} trials, ${count(estimate.calls)} calls, ${count(estimate.tokens)} tokens, ${usd(estimate.usd)}, about ${duration(estimate.seconds * 1000)}`,
    ),
    field(look, 'basis', estimate.basis),
    field(look, 'error budget', 'none is spent: no edit is compared on the holdout'),
    ...(plan.openJob === null ? [] : [field(look, 'goes on', `job ${plan.openJob}; what it has run is kept`)]),
  ].join('\n');
}

/** The whole report. */
export function calibrationText(look: Look, view: CalibrationView, now: number): string {
  const { bold } = look.colors;
  return [
    bold(`Calibration ${view.id}, ${duration(now - view.finishedAt)} ago`),
    field(
      look,
      'measured',
      `${view.scenarios.train} train and ${view.scenarios.holdout} holdout scenarios, ${view.epochs} pairs each, ${view.agent}`,
    ),
    field(
      look,
      'pairs',
      `${percent(view.coverage)} complete; lost to outside faults: ${view.infra.incumbent + view.infra.candidate} of ${2 * view.infra.started} trials`,
    ),
    '',
    field(look, 'arms', armText(view.arm)),
    field(look, 'order', orderText(view.order)),
    field(look, 'repeats', view.repeatsText ?? repeatsText(view)),
    '',
    ...placeboLines(look, view),
    ...flakinessLines(look, view),
    field(look, 'cost', `${count(view.spent.tokens)} tokens, ${usd(view.spent.usd)}`),
    '',
    wrap(
      'A p of 5 % or less is seen in one of twenty tests although nothing is wrong; calibrate again before you look for a cause.',
      { width: look.width },
    ),
  ].join('\n');
}

function figures(contrast: Contrast): string {
  const within =
    contrast.interval === null
      ? ''
      : `, 90 % interval ${points(contrast.interval[0])} to ${points(contrast.interval[1])}`;
  return `${points(contrast.effect)}${within}; ${probability(contrast.p)}`;
}

function armText(arm: Contrast | null): string {
  if (arm === null) return 'no complete pair, so nothing is known';
  const sound = 'The same text does equally well under both labels.';
  const broken =
    'The same text did not do equally well under both labels: something tells the arms apart. Trust no verdict before the cause is found.';
  return `${figures(arm)}. ${arm.p > 0.05 ? sound : broken}`;
}

function orderText(order: Contrast | null): string {
  if (order === null) return 'no complete pair, so nothing is known';
  const could =
    order.detectable === null
      ? 'With so few groups no order effect could have been seen.'
      : `An order effect of ${tenths(order.detectable)} points would have been seen with 80 % power.`;
  const found =
    order.p > 0.05
      ? ''
      : ' Whatever runs second in a pair does differently. A coin draws the order, so verdicts hold, but the effect blurs them: look for what the first run leaves behind.';
  return `second minus first ${figures(order)}. ${could}${found}`;
}

function tenths(value: number): string {
  return (Math.ceil(value * 1000) / 10).toFixed(1);
}

function repeatsText({ repeats }: CalibrationView): string {
  if (repeats.kind === 'unknown') return 'nothing was asked twice';
  return `${repeats.identical} of ${repeats.asked} scenarios gave the same answer every time; epochs are evidence`;
}

function placeboLines(look: Look, view: CalibrationView): string[] {
  const lines = view.placebos.flatMap(({ sentence, before, after, contrast }) => [
    field(look, 'placebo', `sentence ${sentence}: "${shorten(before, 200)}" → "${shorten(after, 200)}"`),
    field(look, '', contrast === null ? 'no complete pair' : `${figures(contrast)}. ${spreadText(contrast)}`),
  ]);
  const failed = view.placeboFailures.map((why) => field(look, 'placebo', why));
  if (lines.length + failed.length === 0)
    return [field(look, 'placebo', 'none was run: what changing the words alone does is not known'), ''];
  return [...lines, ...failed, ''];
}

function spreadText({ spread, p }: Contrast): string {
  const moved = `Beyond chance, the wording moves a scenario by about ${Math.round(spread * 100)} points up or down.`;
  return p > 0.05
    ? moved
    : `${moved} On average the words alone made a difference: expect as much of an edit that means nothing.`;
}

function flakinessLines(look: Look, { flakiness }: CalibrationView): string[] {
  const { train, holdout } = flakiness;
  const flaky = train.filter(({ disagreement }) => (disagreement ?? 0) > 0);
  const rows = [...flaky]
    .sort((a, b) => (b.disagreement ?? 0) - (a.disagreement ?? 0) || a.name.localeCompare(b.name, 'en'))
    .map(({ name, passes, runs, disagreement }) => [name, `${passes}/${runs}`, percent(disagreement)]);
  return [
    field(look, 'train', summary(train)),
    ...(rows.length === 0 ? [] : [table(look, ['flaky train scenario', 'passes', 'disagreement'], rows)]),
    field(look, 'holdout', holdout.length === 0 ? 'not run' : summary(holdout)),
    ...(holdout.length === 0
      ? []
      : [
          field(
            look,
            '',
            `disagreement, sorted, without names: ${holdout.map(({ disagreement }) => percent(disagreement)).join(', ')}`,
          ),
        ]),
    '',
  ];
}

/** `12 always pass, 3 never, 5 flaky (two runs disagree in 34 % of them)`. */
function summary(scenarios: readonly Flakiness[]): string {
  if (scenarios.length === 0) return 'not run';
  const always = scenarios.filter(({ runs, passes }) => runs > 0 && passes === runs).length;
  const never = scenarios.filter(({ runs, passes }) => runs > 0 && passes === 0).length;
  const flaky = scenarios.filter(({ disagreement }) => (disagreement ?? 0) > 0);
  const mean = flaky.reduce((sum, { disagreement }) => sum + (disagreement ?? 0), 0) / Math.max(1, flaky.length);
  const often = flaky.length === 0 ? '' : ` (two runs of one disagree ${percent(mean)} of the time)`;
  return `${always} always pass, ${never} never, ${flaky.length} flaky${often}`;
}

const FINDINGS: Readonly<Record<CalibrationBrief['findings'][number], string>> = {
  arm: 'the arms differ with the same text',
  order: 'an order effect',
  cached: 'the provider answers from a cache',
  identical: 'all answers the same each time, so epochs are no evidence',
};

/** `3 days ago: no order effect above 4.4 points`. */
export function calibrationLine(look: Look, brief: CalibrationBrief | null, now: number): string {
  if (brief === null) return `never; \`${look.command} calibrate\` shows what the measuring itself does`;
  const { yellow } = look.colors;
  const sound =
    brief.orderDetectable === null
      ? 'too few groups to see an order effect'
      : `no order effect above ${tenths(brief.orderDetectable)} points`;
  const found =
    brief.findings.length === 0 ? sound : yellow(brief.findings.map((finding) => FINDINGS[finding]).join('; '));
  return `${duration(now - brief.at)} ago${brief.outdated ? ', with another model' : ''}: ${found}`;
}
