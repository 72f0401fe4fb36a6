import type { ResolvedConfig } from '../config.js';
import type { AgentModel } from '../hermes/profiles.js';
import type { ModelChoice } from '../schemas.js';
import { describeAgent, describeModel } from './modelNames.js';

export interface DisclosureInput {
  readonly target: string;
  readonly proposer: ModelChoice;
  readonly judge: ModelChoice | null;
  readonly agent: AgentModel;
  readonly privacy: ResolvedConfig['privacy'];
  readonly dbPath: string;
}

/** Who will see which text, said before anything is sent: one sentence a line. */
export function disclosureLines(input: DisclosureInput): string[] {
  const { target, proposer, judge, agent, privacy, dbPath } = input;
  const traces = privacy.tool_traces
    ? 'the answers and tool calls of failing train trials'
    : 'the answers of failing train trials';
  return [
    `The proposer, ${describeModel(proposer, agent)}, sees the whole of ${target}, the train scenarios that failed, ${traces}` +
      `${privacy.metrics ? ', recent counts of sessions, errors and tokens' : ''} and the edits already tried. It never sees a holdout scenario.`,
    judge === null
      ? 'There is no judge: nobody else is shown an answer.'
      : `The judge, ${describeModel(judge, agent)}, sees the input, the answer, the tool calls and the rubric of every scenario with a judge check, holdout included. It does not see ${target}.`,
    `In trials the agent's own model, ${describeAgent(agent)}, sees ${target} with and without the edit, the profile's skills and memories, and the scenarios, as it does in your chats.`,
    'Tools that reach outside of a trial are answered, not run, unless a scenario says `tools: contained` (in a container) or `tools: real` (on this machine, after you typed their names).',
    `Texts, answers and results are kept in ${dbPath} on this machine; nothing is sent anywhere else.`,
  ];
}

/** Whether text goes to someone who doesn't see the agent's chats anyway. */
export function reachesOthers(choices: readonly (ModelChoice | null)[]): boolean {
  return choices.some((choice) => choice !== null && ('base_url' in choice || choice.provider !== undefined));
}
