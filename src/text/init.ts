import type { InitResult } from '../services/init.js';
import type { InitPlan } from '../services/initPlan.js';
import { count, duration, usd } from './figures.js';
import { field, wrap, type Look } from './look.js';

/** The whole plan of a set-up, as it stands in front of the person who agrees. */
export function planText(look: Look, plan: InitPlan): string {
  const { bold, yellow } = look.colors;
  const { budget, estimate } = plan;
  const limits = [
    ...(budget.tokens === null ? [] : [`${count(budget.tokens)} tokens`]),
    ...(budget.usd === null ? [] : [usd(budget.usd)]),
  ];
  return [
    field(look, 'target', `${plan.target.path} (${count(plan.target.chars)} characters)`),
    field(look, 'agent', plan.models.agent),
    field(look, 'proposer', plan.models.proposer),
    field(look, 'judge', plan.models.judge ?? 'none'),
    field(look, 'budget', `${limits.join(' and ')} for one edit, from draft to the end of its live window`),
    field(
      look,
      'estimate',
      `${count(estimate.trials)} trials, about ${count(estimate.tokens)} tokens, ${usd(estimate.usd)}, ${duration(estimate.seconds * 1000)}; ${estimate.basis}`,
    ),
    '',
    bold('Who sees which text'),
    ...plan.disclosure.map((line) => `• ${wrap(line, { width: look.width, indent: 2 })}`),
    ...plan.warnings.map((warning) => `${yellow('!')} ${wrap(warning, { width: look.width, indent: 2 })}`),
  ].join('\n');
}

/** `withPlan`: false where the person has just read it. */
export function initText(look: Look, result: InitResult, { withPlan }: { withPlan: boolean }): string {
  const done = result.created ? 'The profile is set up.' : 'The set-up of the profile is updated.';
  const next = result.next.map((line) => line.replace(/^hermes (?:-p \S+ )?karpathy/u, look.command));
  return [
    ...(withPlan ? [planText(look, result), ''] : []),
    `${look.colors.green('✓')} ${done}`,
    ...next.map((line) => `  ${look.colors.cyan(line)}`),
  ].join('\n');
}
