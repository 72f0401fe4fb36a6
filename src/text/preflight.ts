import type { CostLever } from '../services/costLevers.js';
import type { Cost } from '../services/estimateEvaluation.js';
import type { PowerView } from '../services/power.js';
import type { Preflight, ShortPreflight } from '../services/preflight.js';
import { calibrationLine } from './calibration.js';
import { count, duration, percent, plural, usd } from './figures.js';
import { field, wrap, type Look } from './look.js';
import { table } from './table.js';

/** Everything about an evaluation that is known before it: what it could find, what it would take, what differs. */
export function preflightText(look: Look, view: Preflight, now: number): string {
  const { bold } = look.colors;
  return [
    [
      suiteLine(look, view),
      ...powerLines(look, view.power),
      field(look, 'calibrated', calibrationLine(look, view.calibration, now)),
    ].join('\n'),
    `${bold('What it would take')}\n${costTable(look, view)}`,
    [field(look, 'rests on', view.cost.basis), field(look, 'budget', budgetLine(view))].join('\n'),
    `${bold('What makes it cheaper')}\n${view.levers.map((lever) => leverLine(look, lever)).join('\n')}`,
    `${bold('What differs from the live agent')}\n${listed(look, view.differences)}`,
    answer(look, view),
  ].join('\n\n');
}

/** Two lines to show before a run. */
export function shortPreflightText(look: Look, { power, worst, trainBaseline, basis }: ShortPreflight): string {
  const first = trainBaseline.trials === 0 ? '' : `${plural(trainBaseline.trials, 'train trial')} first, then `;
  return [
    field(look, 'power', powerLine(power)),
    field(look, 'cost', `${first}at most ${costWords(worst)} (${basis}); \`karpathy preflight\` says more`),
  ].join('\n');
}

function suiteLine(look: Look, { suite, power }: Preflight): string {
  const { train, holdout } = suite;
  const said = (split: typeof train): string =>
    `${plural(split.scenarios, 'scenario')} in ${plural(split.groups, 'group')}`;
  const screen = power.screenGroups === 0 ? '' : `, ${plural(power.screenGroups, 'group')} to screen an edit first`;
  return field(
    look,
    'suite',
    `train: ${said(train)}${screen}; holdout: ${said(holdout)}, up to ${power.epochs} times each`,
  );
}

function powerLines(look: Look, power: Preflight['power']): string[] {
  const smallest =
    power.kind === 'deletion'
      ? []
      : [
          field(
            look,
            'finds',
            power.smallestPoints === null
              ? 'with 80 % power no gain at all: even an edit that makes everything pass would often not be kept'
              : `a gain of ${power.smallestPoints} points or more with 80 % power`,
          ),
        ];
  return [field(look, 'power', powerLine(power)), ...smallest, field(look, 'alpha', alphaLine(power))];
}

function powerLine(power: PowerView): string {
  const edit =
    power.kind === 'deletion' ? 'a deletion that costs nothing' : `an edit that gains ${power.wantedPoints} points`;
  const rests =
    power.measuredScenarios === 0
      ? 'no scenario measured yet'
      : `${plural(power.measuredScenarios, 'scenario')} measured`;
  return `${edit} is kept with a chance of ${percent(power.power)} (± ${Math.max(1, Math.round(196 * power.powerError))} %; ${rests})`;
}

function alphaLine({ alpha, consultation, kind }: PowerView): string {
  const which = kind === 'deletion' ? 'the next test of a deletion' : 'the next consultation of the holdout';
  return `${which}, number ${consultation}, may err ${Number((100 * alpha).toPrecision(3))} %`;
}

function costTable(look: Look, { cost, power }: Preflight): string {
  const wanted =
    power.kind === 'deletion' ? 'a deletion that costs nothing' : `an edit that gains ${power.wantedPoints} points`;
  const rows: [string, Cost][] = [
    ...(cost.trainBaseline.trials === 0 ? [] : [['train trials, once', cost.trainBaseline] as [string, Cost]]),
    ...(power.kind === 'deletion' ? [] : [['an edit that does nothing', cost.idle] as [string, Cost]]),
    [wanted, cost.wanted],
    ['at most', cost.worst],
    ...(cost.perBrokenScenario.trials === 0
      ? []
      : [['and per scenario it seems to break', cost.perBrokenScenario] as [string, Cost]]),
    ['live window, at most', cost.liveWindow],
  ];
  if (look.form === 'plain') return rows.map(([label, each]) => `${label}: ${costWords(each)}`).join('\n');
  return table(
    look,
    ['', 'trials', 'calls', 'tokens', 'price', 'time'],
    rows.map(([label, each]) => [
      label,
      count(each.trials),
      count(each.calls),
      count(each.tokens),
      usd(each.usd),
      duration(each.seconds * 1000),
    ]),
  );
}

function costWords(cost: Cost): string {
  return `${plural(cost.trials, 'trial')}, about ${count(cost.tokens)} tokens, ${usd(cost.usd)}, ${duration(cost.seconds * 1000)}`;
}

function budgetLine({ budget }: Preflight): string {
  const { limits, left } = budget;
  const limit = [
    ...(limits.tokens === null ? [] : [`${count(left.tokens)} of ${count(limits.tokens)} tokens left`]),
    ...(limits.usd === null ? [] : [`${usd(left.usd)} of ${usd(limits.usd)} left`]),
  ].join(', ');
  const enough = {
    worst: 'enough for the worst case',
    expected: 'enough for what is expected, not for the worst case',
    less: 'not enough for what is expected',
  }[budget.covers];
  return limit === '' ? 'none is set: nothing is spent without one' : `${limit}: ${enough}`;
}

function leverLine(look: Look, { name, state, saves, basis, say }: CostLever): string {
  const could = state === 'off' ? 'would save' : 'saves';
  const figures =
    saves === null
      ? []
      : [
          ...(saves.tokens > 0 ? [`${count(saves.tokens)} tokens`] : []),
          ...(saves.usd !== null && saves.usd > 0 ? [usd(saves.usd)] : []),
          ...(saves.seconds !== null && saves.seconds > 0 ? [duration(saves.seconds * 1000)] : []),
        ];
  const upTo = basis === 'estimated' ? ' up to' : '';
  const saving =
    state === 'none'
      ? 'saves nothing here'
      : figures.length === 0
        ? 'saving not known'
        : `${could}${upTo} ${figures.join(', ')} (${basis})`;
  return wrap(`- ${look.colors.bold(name)}: ${saving}. ${say}`, { width: look.width, indent: 2 });
}

function listed(look: Look, items: readonly string[]): string {
  const lines = [
    ...items,
    'tools that act outside the working directory are answered without running, unless a scenario says otherwise',
  ];
  return lines.map((item) => wrap(`- ${item}`, { width: look.width, indent: 2 })).join('\n');
}

function answer(look: Look, { power }: Preflight): string {
  const { green, red } = look.colors;
  if (power.refusal === null) return `${green('✓')} This suite can be asked.`;
  const { message, hint } = power.refusal;
  return `${red('✗')} ${wrap(message, { width: look.width, indent: 2 })}\n${wrap(`→ ${hint}`, { width: look.width, indent: 2 })}`;
}
