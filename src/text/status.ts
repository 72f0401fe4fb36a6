import { HUMAN_PROPOSER } from '../domain/experiment.js';
import type { ErrorBudgetView } from '../services/errorBudget.js';
import type { ExperimentView, JobView, StatusView } from '../services/status.js';
import { calibrationLine } from './calibration.js';
import { beforeAfter, whatItDoes } from './diff.js';
import { count, duration, plural, shorten, timestamp, usd } from './figures.js';
import { guardrailLine } from './guardrails.js';
import { field, wrap, type Look } from './look.js';
import { nextText } from './next.js';
import { verdictLine } from './verdict.js';

/** Everything at a glance: state, sentence, evidence, sessions, cost, what to do next. */
export function statusText(look: Look, view: StatusView, now: number): string {
  if (!view.initialised) return nextText(look, view.next);
  const lost = view.lost.map((text) => `${look.colors.yellow('!')} ${wrap(text, { width: look.width, indent: 2 })}`);
  const lines = [
    field(look, 'target', `${view.target ?? ''} in ${view.home}`),
    ...(view.paused === null
      ? []
      : [field(look, 'paused', look.colors.yellow(`since ${timestamp(view.paused.at)}${reason(view.paused.reason)}`))]),
    field(look, 'scenarios', `${view.scenarios.train} train, ${view.scenarios.holdout} holdout`),
    ...(view.errorBudget === null ? [] : errorBudgetLines(look, view.errorBudget)),
    ...(view.calibration === null ? [] : [field(look, 'calibrated', calibrationLine(look, view.calibration, now))]),
  ];
  if (view.experiment === null) {
    lines.push(field(look, 'in flight', 'nothing'));
    if (view.last !== null) {
      const { id, state, reason: why, at } = view.last;
      lines.push(field(look, 'last', `experiment ${id} ${state} ${duration(now - at)} ago${reason(why)}`));
    }
  } else {
    lines.push('', ...experimentLines(look, view.experiment, { now, budget: view.budget }));
  }
  if (view.job !== null) lines.push(field(look, 'job', jobLine(view.job)));
  return [...lines, ...lost, '', nextText(look, view.next)].join('\n');
}

function errorBudgetLines(look: Look, budget: ErrorBudgetView): string[] {
  const { changes, renewable } = budget;
  const renewal = renewable ? ', until `error-budget renew` opens a new one' : '';
  return [
    field(look, 'holdout', errorBudgetLine(budget)),
    ...(changes.length === 0
      ? []
      : [
          field(
            look,
            'changed',
            look.colors.yellow(`${changes.join('; ')}. Tests go on spending the same budget${renewal}.`),
          ),
        ]),
  ];
}

/** `2 tests so far; the next is number 3 and may err 0.198 %; 4.55 % of 5 % left; ...`. */
export function errorBudgetLine(budget: ErrorBudgetView): string {
  const { deletions, epochs } = budget;
  const deleted =
    deletions.nextAlpha === null ? 'used up' : `next ${share(deletions.nextAlpha)}, ${share(deletions.left)} left`;
  return [
    `${plural(budget.consultations, 'test')} so far`,
    `the next is number ${budget.nextConsultation} and may err ${share(budget.nextAlpha)}`,
    `${share(budget.left)} of ${share(budget.alpha)} left`,
    ...(epochs.length > 1
      ? [`budget ${budget.epoch} of ${epochs.length}, which sum to ${share(budget.summedAlpha)}`]
      : []),
    ...(deletions.consultations === 0 ? [] : [`deletions: ${plural(deletions.consultations, 'test')}, ${deleted}`]),
  ].join('; ');
}

/** A small probability: `0.238 %`. */
export function share(alpha: number): string {
  return `${Number((100 * alpha).toPrecision(3))} %`;
}

function reason(text: string | null): string {
  return text === null || text === '' ? '' : `: ${text}`;
}

export interface ExperimentLook {
  readonly now: number;
  readonly budget: StatusView['budget'];
}

/** The lines about one experiment that `status` and `show` share. */
export function experimentLines(look: Look, view: ExperimentView, { now, budget }: ExperimentLook): string[] {
  const { bold, yellow } = look.colors;
  const attention = view.phase === 'conflict' || view.phase === 'stale' || view.phase === 'waiting for a person';
  const phase = attention ? yellow(view.phase) : view.phase;
  const state = view.phase === view.state ? bold(view.state) : `${bold(view.state)}, ${phase}`;
  return [
    `${bold(`Experiment ${view.id}`)} ${whatItDoes(view.edit)}${look.colors.dim(author(view.proposer))}`,
    field(look, 'state', state),
    ...beforeAfter(look, view.edit),
    ...(view.verdict === null && view.state === 'proposed' && view.edit.operation === null
      ? []
      : [field(look, 'evidence', `${verdictLine(look, view.verdict)}${expired(look, view)}`)]),
    ...(view.overrideReason === null ? [] : [field(look, 'override', yellow(view.overrideReason))]),
    ...windowLines(look, view, now),
    field(look, 'cost', costLine(view, budget)),
    ...(view.testing === null ? [] : [field(look, 'tests', testingLine(view.testing))]),
  ];
}

function expired({ colors }: Look, { evidenceExpired, state }: ExperimentView): string {
  const matters = state !== 'rejected' && state !== 'reverted';
  return evidenceExpired && matters
    ? `, ${colors.yellow('expired: model, judge, scenarios or evaluator changed')}`
    : '';
}

function author(proposer: string | null): string {
  if (proposer === null) return '';
  return proposer === HUMAN_PROPOSER ? ', written by a person' : `, written by ${proposer}`;
}

function windowLines(look: Look, { window, state }: ExperimentView, now: number): string[] {
  if (window === null || state !== 'live') return [];
  const left =
    window.deadlineAt === null
      ? ''
      : window.deadlineAt > now
        ? `, ${duration(window.deadlineAt - now)} left`
        : ', time is up';
  const extended = window.extensions > 0 ? `, extended ${plural(window.extensions, 'time')}` : '';
  return [
    field(look, 'sessions', `${window.seen} of ${window.target ?? '?'} seen${left}${extended}`),
    ...(window.note === null ? [] : [field(look, 'note', window.note)]),
    ...(window.guardrails === null ? [] : [field(look, 'guardrails', guardrailLine(look, window.guardrails))]),
  ];
}

/** `54 of at most 168 trials: 68,000 tokens (estimated 67,500), $0.10 ($0.11), 4 min (5 min)`. */
export function testingLine(testing: NonNullable<ExperimentView['testing']>): string {
  const figures = [
    `${count(testing.tokens)} tokens (estimated ${count(testing.estimatedTokens)})`,
    ...(testing.usd === null
      ? []
      : [`${usd(testing.usd)}${testing.estimatedUsd === null ? '' : ` (${usd(testing.estimatedUsd)})`}`]),
    `${duration(testing.seconds * 1000)} (${duration(testing.estimatedSeconds * 1000)})`,
  ];
  return `${count(testing.trials)} of at most ${plural(testing.plannedTrials, 'trial')}: ${figures.join(', ')}`;
}

/** `12,000 tokens, $0.04 of $2.00`. */
export function costLine(view: Pick<ExperimentView, 'spent'>, budget: StatusView['budget']): string {
  const { spent } = view;
  const tokens = `${count(spent.tokens)}${budget?.tokens == null ? '' : ` of ${count(budget.tokens)}`} tokens`;
  if (spent.usd === null || (spent.unknownPrice && spent.usd === 0)) return `${tokens}, price unknown`;
  const more = spent.unknownPrice ? ' and some of unknown price' : '';
  return `${tokens}, ${usd(spent.usd)}${budget?.usd == null ? '' : ` of ${usd(budget.usd)}`}${more}`;
}

export function jobLine(job: JobView): string {
  const done = typeof job.progress?.done === 'number' ? job.progress.done : null;
  const total = typeof job.progress?.total === 'number' ? job.progress.total : null;
  return [
    `${job.id} ${job.kind} ${job.state}`,
    ...(done === null || total === null || total === 0 ? [] : [`${done}/${total}`]),
    ...(job.error === null ? [] : [shorten(job.error.message, 120)]),
  ].join(', ');
}
