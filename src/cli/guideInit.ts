import { initDefaults, type InitDefaults } from '../services/init.js';
import type { InitInput } from '../services/initPlan.js';
import type { ModelChoice } from '../schemas.js';
import { count, duration, usd } from '../text/figures.js';
import { wrap } from '../text/look.js';
import type { Session } from './command.js';
import { keyEnvName, modelFrom } from './models.js';

/** Leads through what the options left open, in one sitting. Nothing is written here. */
export async function guideInit(session: Session, given: InitInput): Promise<InitInput> {
  const defaults = initDefaults(session.ctx);
  session.show(introduction(session, defaults));
  const target = given.target ?? (await askTarget(session, defaults));
  const proposer = given.proposer ?? (await askProposer(session, defaults));
  const judge = given.judge !== undefined ? given.judge : await askJudge(session);
  const budget = await askBudget(session, { given, defaults });
  return { target, proposer, judge, ...budget };
}

function introduction({ ctx, look }: Session, defaults: InitDefaults): string {
  const text = `Setting up profile ${ctx.profile.name} (${ctx.profile.home}). The agent's model is ${defaults.agent}. One sentence of one file is changed at a time, and only after you approved it. Nothing is written before the last question.`;
  return wrap(text, { width: look.width });
}

async function askTarget(session: Session, defaults: InitDefaults): Promise<string> {
  return session.ask.text('Which file of the profile is to be improved?', {
    initial: defaults.target,
    check: (value) => (value.trim() === '' ? 'Name a file inside the profile.' : undefined),
  });
}

async function askProposer(session: Session, defaults: InitDefaults): Promise<ModelChoice> {
  const own =
    session.ctx.host === null ? [] : [{ value: 'host', label: `The agent's own model`, hint: defaults.agent }];
  const choice = await session.ask.select('Which model writes the changes?', [
    ...own,
    { value: 'url', label: 'Another one', hint: 'any OpenAI-compatible server' },
  ]);
  return choice === 'host' ? { host: true } : askEndpoint(session, 'proposer');
}

async function askJudge(session: Session): Promise<ModelChoice | null> {
  const choice = await session.ask.select('Do scenarios need a model that judges answers by a rubric?', [
    { value: 'none', label: 'No', hint: 'exact checks only; can be changed later' },
    { value: 'url', label: 'Yes', hint: 'another model than the proposer' },
  ]);
  return choice === 'none' ? null : askEndpoint(session, 'judge');
}

async function askEndpoint(session: Session, role: string): Promise<ModelChoice> {
  const written = await session.ask.text(`Server and model of the ${role}, as URL#MODEL:`, {
    check: (value) => (modelFrom(value) === null ? 'For example http://127.0.0.1:8080/v1#my-model' : undefined),
  });
  const keyEnv = await session.ask.text('Environment variable that holds its key (empty if none is needed):', {
    check: (value) =>
      value === '' || keyEnvName.safeParse(value).success ? undefined : 'The name of a variable, not the key itself.',
  });
  const choice = modelFrom(written, keyEnv === '' ? undefined : keyEnv);
  // The question accepts nothing that does not parse.
  return choice ?? { host: true };
}

async function askBudget(
  session: Session,
  { given, defaults }: { given: InitInput; defaults: InitDefaults },
): Promise<Pick<InitInput, 'budgetTokens' | 'budgetUsd'>> {
  if (given.budgetTokens !== undefined || given.budgetUsd !== undefined) {
    return {
      ...(given.budgetTokens === undefined ? {} : { budgetTokens: given.budgetTokens }),
      ...(given.budgetUsd === undefined ? {} : { budgetUsd: given.budgetUsd }),
    };
  }
  const { estimate } = defaults;
  session.show(
    wrap(
      `One edit, from the first draft to the end of its live window, is expected to take ${count(estimate.trials)} trials, about ${count(estimate.tokens)} tokens (${usd(estimate.usd)}) and ${duration(estimate.seconds * 1000)} (${estimate.basis}).`,
      { width: session.look.width },
    ),
  );
  const tokens = await session.ask.text('Hard limit for one edit, in tokens:', {
    initial: String(defaults.budgetTokens),
    check: (value) => (/^[1-9]\d*$/.test(value.replaceAll(/[,_ ]/g, '')) ? undefined : 'A whole number above 0.'),
  });
  return { budgetTokens: Number(tokens.replaceAll(/[,_ ]/g, '')) };
}
