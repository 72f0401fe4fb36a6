import { COMMON_RULES } from './commonRules.js';
import { GOALS, type Goal } from './goals.js';
import { reaches, type Figure, type Results } from './results.js';

export interface Report {
  /** Markdown. */
  readonly text: string;
  /** Labels of the goals that were missed. */
  readonly missed: readonly string[];
}

/** The tables of a run. @param tolerance see `reaches` */
export function reportOf(results: Results, run: { draws: number; tolerance: number }): Report {
  const missed = GOALS.filter((goal) => !reaches(results.figure(goal.cell, goal.measure), goal, run.tolerance));
  const text = [
    '# Numbers of the gate',
    '',
    'Written by `npm run bench:gate`; the method is in [gate.md](gate.md).',
    '',
    `Synthetic suites, as many train groups as holdout groups, one scenario each. Pass probabilities are drawn from Beta(0.9, 0.6) and clipped to [0.02, 0.98]; an effect shifts all logits equally until the mean of the suite has moved by the stated points. ${run.draws} draws or sequences a cell, ± is the Monte Carlo standard error. “n × k” is n holdout groups and k epochs, “≤ k” as many as the looks needed; costs are trials of all stages, both arms. The decisions are the production functions in \`src/gate\`.`,
    '',
    '## Rules in common use, on the same trials',
    '',
    '20 holdout groups × 3 epochs. The incumbent is measured again for every candidate. “At 20” is after 19 null edits.',
    '',
    ...table(
      ['rule', 'null edit kept', 'any false keep in 20 null edits', '+20 kept at 1', '+20 kept at 20'],
      rules(results),
    ),
    '',
    'Twenty groups are few: with more epochs (20 × ≤ 10 below) this gate keeps a +20 edit nine times in ten.',
    '',
    '## Goals',
    '',
    ...table(
      ['', 'goal', 'seen', ''],
      GOALS.map((goal) => [
        goal.label,
        wanted(goal),
        shown(results.figure(goal.cell, goal.measure), goal.unit),
        missed.includes(goal) ? 'missed' : 'met',
      ]),
    ),
    '',
    '## What a run of edits costs, and how often it asks the holdout',
    '',
    ...table(
      ['100 edits', 'trials of an edit', 'of them tested on the holdout'],
      ['run 60x6', 'run 60x3', 'overfit 60x6', 'overfit 60x3'].map((cell) => [
        cell.replace('run ', 'null edits, ').replace('overfit ', 'overfit the train set, ').replace('x', ' × '),
        shown(results.figure(cell, 'trials of an edit'), 'trials'),
        shown(results.figure(cell, 'share consulting the holdout'), 'percent'),
      ]),
    ),
    '',
    '## How much too high the effect reads at the keep',
    '',
    'Points above the true effect, 60 × ≤ 6 at candidate 1: at selection, and on record after a live window of 60 × 2.',
    '',
    ...table(
      ['true effect', 'at selection', 'on record'],
      ['+10', '+15', '+20'].map((effect) => [
        effect,
        shown(results.figure(`record ${effect}`, 'bias at selection'), 'points'),
        shown(results.figure(`record ${effect}`, 'bias on record'), 'points'),
      ]),
    ),
    '',
  ].join('\n');
  return { text, missed: missed.map(({ label }) => label) };
}

function rules(results: Results): string[][] {
  const measures = ['null', 'any', '+20 at 1', '+20 at 20'];
  return [...Object.keys(COMMON_RULES), 'this gate'].map((rule) => [
    rule === 'this gate' ? '**this gate** (20 × ≤ 3)' : rule,
    ...measures.map((measure) => shown(results.figure('rules', `${rule}: ${measure}`), 'percent')),
  ]);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)];
}

function shown({ mean, error }: Figure, unit: Goal['unit']): string {
  if (unit === 'trials') return `${mean.toFixed(0)} ± ${error.toFixed(1)}`;
  const points = `${(100 * mean).toFixed(1)} ± ${(100 * error).toFixed(2)}`;
  return unit === 'percent' ? `${points} %` : `${mean > 0 ? '+' : ''}${points}`;
}

function wanted({ is, value, unit }: Goal): string {
  const sign = { 'at least': '≥', 'at most': '≤', within: '±' }[is];
  if (unit === 'trials') return `${sign} ${value}`;
  const points = Number((100 * value).toFixed(1));
  return `${sign} ${points}${unit === 'percent' ? ' %' : ''}`;
}
