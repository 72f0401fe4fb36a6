import type { Completion, CompletionRequest, LanguageModel, TrialRunner, TrialSpec } from '../../src/ports.js';
import type { Check } from '../../src/schemas.js';
import { testContext, type TestContext, type TestContextOptions } from './context.js';
import { addScenarios } from './suites.js';

/** A proposer that plays its answers in order (the last one repeats), with all it was asked. */
export interface FakeProposer extends LanguageModel {
  readonly asked: CompletionRequest[];
}

export type Answer = string | Error | ((request: CompletionRequest) => Promise<string> | string);

export function fakeProposer(
  answers: readonly Answer[],
  options: { tokens?: number; costUsd?: number } = {},
): FakeProposer {
  const asked: CompletionRequest[] = [];
  const identity = { provider: 'openai-compatible', base_url: 'http://127.0.0.1:9/v1', model: 'proposer' };
  return {
    asked,
    configured: identity,
    async complete(request): Promise<Completion> {
      const answer = answers[Math.min(asked.length, answers.length - 1)] ?? '';
      asked.push(request);
      if (answer instanceof Error) throw answer;
      const text = typeof answer === 'string' ? answer : await answer(request);
      const totalTokens = options.tokens ?? 100;
      return {
        text,
        identity,
        usage: { inputTokens: totalTokens - 10, outputTokens: 10, totalTokens },
        costUsd: options.costUsd ?? null,
      };
    },
  };
}

export const insertAnswer = (text: string, sentence = 1): string =>
  JSON.stringify({ operation: 'insert', sentence, text, rationale: 'because' });

/** A runner whose agent answers with what its instructions say: no process, no model. */
export function echoingRunner(
  options: { onRun?: (spec: TrialSpec) => void | Promise<void>; tokens?: number } = {},
): TrialRunner {
  return {
    name: 'echo',
    async run(spec) {
      await options.onRun?.(spec);
      return {
        kind: 'completed',
        response: Buffer.from(spec.targetContent).toString('utf8'),
        toolCalls: [],
        questionsAsked: 0,
        files: new Map(),
        sessionId: `session-${spec.scenario.id}-${spec.arm}-${spec.epoch}`,
        model: 'agent',
        apiCalls: 1,
        inputTokens: 90,
        outputTokens: 10,
        totalTokens: options.tokens ?? 100,
        costUsd: null,
        costSource: null,
        limitReached: null,
        durationMs: 5,
      };
    },
    close: async () => undefined,
  };
}

/** A context with a proposer, a runner and a Hermes that is never started. */
export function proposingContext(
  options: TestContextOptions & { proposer?: LanguageModel; runner?: TrialRunner } = {},
): TestContext {
  const { proposer = fakeProposer([]), runner = echoingRunner(), context, ...rest } = options;
  return testContext({
    ...rest,
    context: {
      hermes: { command: [process.execPath], python: process.execPath },
      makeModel: () => proposer,
      makeRunner: () => runner,
      ...context,
    },
  });
}

export function addScenario(
  fixture: TestContext,
  scenario: { name: string; split?: 'train' | 'holdout'; input?: string; checks?: Check[] },
): number {
  const { name, split = 'train', input, checks } = scenario;
  const spec = { ...(input === undefined ? {} : { input }), ...(checks === undefined ? {} : { checks }) };
  return addScenarios(fixture, { names: [name], split, spec })[0] ?? 0;
}

/** Enough holdout scenarios for the gate to be able to say keep, each asking for the word `units`. */
export function addHoldout(fixture: TestContext, count = 12): void {
  for (let i = 1; i <= count; i += 1) addScenario(fixture, { name: `hidden-${i}`, split: 'holdout' });
}
