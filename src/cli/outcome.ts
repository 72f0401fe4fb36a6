import type { Context } from '../services/context.js';
import { ownExperiment } from '../services/ownExperiment.js';
import { budgetLimits } from '../services/budget.js';
import { standing } from '../services/status.js';
import { freshView, verdictEvidence } from '../services/verdictEvidence.js';
import { nextText } from '../text/next.js';
import { evidenceParts } from '../text/show.js';
import { experimentLines } from '../text/status.js';
import type { Answer } from './command.js';

/** What every deciding command answers: what was done, how the experiment stands now, what comes next. */
export async function outcome(ctx: Context, id: number, done: string, extra: object = {}): Promise<Answer> {
  const { view, next } = await standing(ctx, ownExperiment(ctx, id));
  return {
    data: { done, experiment: view, next, ...extra },
    text: (look) => `${look.colors.green('✓')} ${done}\n\n${nextText(look, next)}`,
  };
}

/** How an experiment stands, with its verdict and what it rests on; for commands that end in evidence. */
export async function standingAnswer(
  ctx: Context,
  id: number,
  { done, extra = {} }: { done: string; extra?: object },
): Promise<Answer> {
  const experiment = ownExperiment(ctx, id);
  const { view, next } = await standing(ctx, experiment);
  const evidence = verdictEvidence(ctx, experiment);
  const fresh = freshView(ctx, experiment);
  const options = { now: ctx.clock.now(), budget: budgetLimits(ctx) };
  return {
    data: { done, experiment: view, evidence, fresh, next, ...extra },
    text: (look) =>
      [
        `${done}\n\n${experimentLines(look, view, options).join('\n')}`,
        ...evidenceParts(look, { verdict: view.verdict, evidence, fresh }),
        nextText(look, next),
      ].join('\n\n'),
  };
}
