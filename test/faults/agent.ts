import { randomUUID } from 'node:crypto';
import type { Arm } from '#src/domain/experiment.js';
import type { TrialResult, TrialSpec } from '#src/ports.js';
import type { Context } from '#src/services/context.js';
import { insertScenario } from '#src/store/scenarios.js';
import type { Bench } from '../support/experiments.js';

/** Enough groups for the gate to be able to decide. */
export const HOLDOUT = 14;
export const TRIAL_TOKENS = 1000;

/** An agent in memory. Whether it passes is decided by the arm alone, so that no verdict depends on what was interrupted. */
export function answerOf(spec: TrialSpec, better: Arm): TrialResult {
  return {
    kind: 'completed',
    // No two answers in the same words, as of a model that is asked each time.
    response: `${spec.arm === better ? 'yes' : 'no'} ${randomUUID()}`,
    toolCalls: [],
    questionsAsked: 0,
    files: new Map(),
    sessionId: `${spec.scenario.id}-${spec.arm}`,
    model: 'agent-model',
    apiCalls: 1,
    inputTokens: TRIAL_TOKENS - 100,
    outputTokens: 100,
    totalTokens: TRIAL_TOKENS,
    costUsd: null,
    costSource: null,
    limitReached: null,
    durationMs: 10,
  };
}

export function memoryRunner(better: Arm): Context['makeRunner'] {
  return () => ({
    name: 'memory',
    run: async (spec) => answerOf(spec, better),
    close: async () => undefined,
  });
}

/** Scenarios that ask the agent for a yes. */
export function insertScenarios(
  { ctx, profileId }: Bench,
  { split, count }: { readonly split: 'train' | 'holdout'; readonly count: number },
): void {
  for (let index = 0; index < count; index++) {
    const name = `${split}-${index}`;
    insertScenario(ctx.db, {
      ...{ profileId, name, group: name, split, realToolsConfirmedBy: null, at: ctx.clock.now() },
      spec: { input: `Question ${name}?`, checks: [{ must_contain: 'yes' }] },
    });
  }
}
