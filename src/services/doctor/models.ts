import { sameModel } from '../../domain/models.js';
import { toKarpathyError } from '../../errors.js';
import { agentModel, credentialUse, type AgentModel } from '../../hermes/profiles.js';
import type { ModelChoice, ModelIdentity } from '../../schemas.js';
import type { Context } from '../context.js';
import { describeAgent, describeModel, expectedIdentity } from '../modelNames.js';
import { findProfile } from '../../store/profiles.js';
import { findingsOf, type Finding } from './finding.js';

const { ok, warn, error } = findingsOf('models');
const ANSWER_WITHIN_MS = 30_000;

export async function modelFindings(ctx: Context, options: { readonly skipModels: boolean }): Promise<Finding[]> {
  const agent = agentModel(ctx.profile.home);
  const row = findProfile(ctx.db, ctx.profile.rootPath);
  const proposer = ctx.config.config.models.proposer ?? row?.proposer ?? null;
  const judge = ctx.config.config.models.judge ?? row?.judge ?? null;
  const findings = [...agentFindings(agent)];
  const identities: ModelIdentity[] = [];
  for (const [role, choice] of [
    ['proposer', proposer],
    ['judge', judge],
  ] as const) {
    if (choice === null) continue;
    findings.push(...keyFindings(ctx, { role, choice, agent }));
    const answered = options.skipModels ? null : await tryModel(ctx, { role, choice, agent });
    if (answered !== null) findings.push(answered.finding);
    identities.push(answered?.identity ?? expectedIdentity(choice, agent));
  }
  const [first, second] = identities;
  if (first !== undefined && second !== undefined && sameModel(first, second)) {
    findings.push(
      error(
        `Proposer and judge are the same model (${first.provider} ${first.model}).`,
        'Choose another judge with `init`, or none.',
      ),
    );
  }
  if (proposer === null)
    findings.push(warn('No proposer is chosen yet.', 'Run `init`; only sentences of your own can be tried without.'));
  return findings;
}

function agentFindings(agent: AgentModel): Finding[] {
  const use = credentialUse(agent.provider);
  const name = describeAgent(agent);
  switch (use.kind) {
    case 'works':
      return [ok(`The agent runs on ${name}: ${use.reason}, so trials can use it.`)];
    case 'linked':
      return [ok(`The agent runs on ${name}: ${use.reason}, which trials use by a link.`)];
    case 'unknown':
      return [
        warn(
          `The agent runs on ${name}, and it isn't known whether trials can use its login: ${use.reason}.`,
          'Evaluate one scenario before writing many.',
        ),
      ];
    case 'unusable':
      return [
        error(
          `The agent runs on ${name}, which trials can't use: ${use.reason}.`,
          'Give the profile a provider with an API key before writing scenarios.',
        ),
      ];
  }
}

interface Role {
  readonly role: 'proposer' | 'judge';
  readonly choice: ModelChoice;
  readonly agent: AgentModel;
}

function keyFindings(ctx: Context, { role, choice }: Role): Finding[] {
  if ('host' in choice) {
    return ctx.host === null
      ? [
          warn(
            `The ${role} is the host's model, which is only there when Hermes runs the command.`,
            'Use `hermes karpathy …`.',
          ),
        ]
      : [];
  }
  const name = choice.api_key_env;
  return name === undefined || ctx.env[name]
    ? []
    : [
        error(
          `The environment variable ${name}, which holds the key of the ${role}, is not set.`,
          `Set it in the environment or in the profile's .env.`,
        ),
      ];
}

/** One small call. The identity that counts is the one the call returns. */
async function tryModel(
  ctx: Context,
  { role, choice, agent }: Role,
): Promise<{ finding: Finding; identity?: ModelIdentity } | null> {
  if ('host' in choice && ctx.host === null) return null;
  const name = describeModel(choice, agent);
  try {
    const { identity } = await ctx.makeModel(choice).complete({
      messages: [{ role: 'user', content: 'Answer with the word: ready' }],
      maxTokens: 16,
      timeoutMs: ANSWER_WITHIN_MS,
      purpose: 'karpathy.doctor',
      signal: ctx.signal,
    });
    return { finding: ok(`The ${role}, ${name}, answers as ${identity.provider} ${identity.model}.`), identity };
  } catch (thrown) {
    const { message, hint } = toKarpathyError(thrown);
    return {
      finding: error(`The ${role}, ${name}, can't be used: ${message}`, hint ?? 'Check address, model name and key.'),
    };
  }
}
