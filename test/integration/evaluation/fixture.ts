import type { WrittenConfig } from '#src/config.js';
import type { Arm } from '#src/domain/experiment.js';
import type { ModelIdentity } from '#src/schemas.js';
import type { ScenarioSpec } from '#src/schemas.js';
import type { CompletionRequest, LanguageModel, TrialEvidence, TrialResult, TrialSpec } from '#src/ports.js';
import { proposed } from '#test/support/experiments.js';
import { sha256 } from '#src/ratchet/digest.js';
import { addScenarios } from '#test/support/suites.js';
import { DEFAULT_SOUL, testConfig, testContext, type TestContext } from '../../support/context.js';

export const CANDIDATE = DEFAULT_SOUL.replace('Answer briefly.', 'Answer in one sentence.');

/** Whether a trial passes; a result of its own, or an error, instead. */
export type Outcome = (spec: TrialSpec, call: number) => boolean | TrialResult;

export interface Evaluation extends TestContext {
  readonly experimentId: number;
  /** Every trial that was started, in order. */
  readonly ran: TrialSpec[];
  /** How often slots were wiped. */
  readonly closed: () => number;
}

export function completed(response: string, part: Partial<TrialEvidence> = {}): TrialEvidence {
  return {
    kind: 'completed',
    response,
    toolCalls: [],
    questionsAsked: 0,
    files: new Map(),
    sessionId: 'session',
    model: 'agent-model',
    apiCalls: 1,
    inputTokens: 900,
    outputTokens: 100,
    totalTokens: 1000,
    costUsd: 0.001,
    costSource: 'config',
    limitReached: null,
    durationMs: 1000,
    ...part,
  };
}

export function infra(reason: string, stopRun = false): TrialResult {
  return { kind: 'infra', reason, stopRun, totalTokens: 0, costUsd: null, durationMs: 10 };
}

export interface EvaluationOptions {
  readonly outcome: Outcome;
  readonly train?: number;
  readonly holdout?: number;
  readonly spec?: Partial<ScenarioSpec>;
  readonly config?: WrittenConfig;
  readonly judge?: (request: CompletionRequest) => string;
  readonly judgeIdentity?: ModelIdentity;
  readonly signal?: AbortSignal;
  readonly proposer?: string;
}

/** A real controller DB with an edit to evaluate, and a runner in memory that answers `yes` or `no`. */
export function evaluation(options: EvaluationOptions): Evaluation {
  const ran: TrialSpec[] = [];
  let closed = 0;
  const config: WrittenConfig = {
    budget: { tokens: 1_000_000_000 },
    models: { proposer: { base_url: 'http://p/v1', model: 'p' }, judge: { base_url: 'http://j/v1', model: 'j' } },
    prices: { 'agent-model': { input: 1, output: 1 } },
    ...options.config,
  };
  const judgeIdentity = options.judgeIdentity ?? { provider: 'openai-compatible', base_url: 'http://j/v1', model: 'j' };
  const test = testContext({
    context: {
      config: testConfig(config),
      hermes: { command: ['hermes'], python: 'python3' },
      makeModel: (choice): LanguageModel => {
        if (!('base_url' in choice)) throw new Error('a host model in this test');
        const { base_url, model } = choice;
        return {
          configured: { provider: 'openai-compatible', base_url, model },
          complete: async (request) => ({
            text: options.judge?.(request) ?? '{"rationale":"no","pass":false}',
            identity: judgeIdentity,
            usage: { inputTokens: 10, outputTokens: 5, totalTokens: 15 },
            costUsd: 0,
          }),
        };
      },
      makeRunner: () => ({
        name: 'memory',
        run: async (spec, signal) => {
          const call = ran.push(spec);
          await Promise.resolve();
          signal.throwIfAborted();
          const result = options.outcome(spec, call);
          // No two answers in the same words, as of a model that is asked each time.
          return typeof result === 'boolean' ? completed(`${result ? 'yes' : 'no'} (${call})`) : result;
        },
        close: async () => void (closed += 1),
      }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    },
  });
  for (const [split, count] of [
    ['train', options.train ?? 2],
    ['holdout', options.holdout ?? 14],
  ] as const) {
    addScenarios(test, {
      names: Array.from({ length: count }, (_, index) => `${split}-${index + 1}`),
      split,
      spec: (name) => ({ input: `Question ${name}?`, checks: [{ must_contain: 'yes' }], ...options.spec }),
    });
  }
  const experimentId = proposed(test, editOf(options.proposer ?? 'p (http://p/v1)'));
  return { ...test, experimentId, ran, closed: () => closed };
}

export function editOf(proposerModel: string) {
  const [baseContent, candidateContent] = [Buffer.from(DEFAULT_SOUL), Buffer.from(CANDIDATE)];
  return {
    operation: 'rewrite' as const,
    sentenceNumber: 2,
    rationale: 'shorter',
    baseContent,
    baseSha256: sha256(baseContent),
    candidateContent,
    candidateSha256: sha256(candidateContent),
    proposerModel,
    metadata: {
      changedHunks: 1,
      addedLines: 1,
      removedLines: 1,
      sentenceDeltaCount: 0,
      targetSpan: { start: 30, end: 45 },
      sentenceBefore: 'Answer briefly.',
      sentenceAfter: 'Answer in one sentence.',
      diff: '-a\n+b',
      editKey: 'answer in one sentence',
    },
  };
}

export function count(test: TestContext, sql: string): number {
  return test.db.prepare(sql).pluck().get() as number;
}

export function isArm(arm: Arm): Outcome {
  return (spec) => spec.arm === arm;
}
