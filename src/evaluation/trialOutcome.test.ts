import { describe, expect, it } from 'vitest';
import type { GuardRecord } from './guardRecord.js';
import type { StoredTrial } from './stateDb.js';
import { asHostReads, isUsageLimit, judgeEnd, BUDGET_SPENT, GUARD_FAILED, type ProcessEnd } from './trialOutcome.js';

const TEXT = 'You are terse.';
const record: GuardRecord = {
  ready: true,
  starts: 1,
  handled: [],
  questions: 0,
  modelCallsStarted: 1,
  modelCallsEnded: 1,
  unanswered: null,
  responseIds: [],
  modelMs: 900,
  model: 'm',
  totalTokens: 10,
  providerCostUsd: null,
  errors: [],
  ended: null,
};
const stored: StoredTrial = {
  sessionId: 's',
  systemPrompt: `${TEXT}\n\nYou run on Hermes Agent`,
  model: 'm',
  apiCalls: 1,
  inputTokens: 5,
  outputTokens: 5,
  cachedInputTokens: null,
  costUsd: null,
  response: 'hi',
  answered: true,
  toolCalls: [],
};
const end: ProcessEnd = { exitCode: 0, timedOut: false, stderrTail: '', agentLog: '' };

function judged(part: {
  end?: Partial<ProcessEnd>;
  record?: Partial<GuardRecord>;
  stored?: Partial<StoredTrial> | null;
  turnsDone?: boolean;
  providerGone?: boolean;
}) {
  return judgeEnd({
    end: { ...end, ...part.end },
    record: { ...record, ...part.record },
    stored: part.stored === null ? null : { ...stored, ...part.stored },
    armText: TEXT,
    turnsDone: part.turnsDone ?? true,
    providerGone: part.providerGone ?? false,
  });
}

const error = (message: string, status: number | null = 500) => ({ message, status });

describe('how a trial ended', () => {
  it.each([
    ['an answer', {}, null],
    ['the token limit', { end: { exitCode: BUDGET_SPENT }, stored: { answered: false } }, 'tokens'],
    ['the deadline while the agent worked', { end: { exitCode: null, timedOut: true } }, 'time'],
    [
      'the deadline, although the guard was torn down with the process',
      { end: { exitCode: GUARD_FAILED, timedOut: true } },
      'time',
    ],
    [
      'the deadline during a call that takes long, whatever failed before it',
      { end: { timedOut: true }, record: { errors: [error('HTTP 500')], unanswered: { endpoint: '', failed: false } } },
      'time',
    ],
    ['the turn limit', { end: { agentLog: 'Turn ended: reason=max_iterations_reached(2/2) model=m' } }, 'turns'],
  ] as const)('%s counts for the agent', (_name, part, limitReached) => {
    expect(judged(part)).toEqual({ kind: 'completed', limitReached });
  });

  it.each([
    [
      'a provider error',
      { end: { exitCode: 1 }, record: { errors: [error('HTTP 500')] }, stored: { answered: false } },
    ],
    ['a crash', { end: { exitCode: 139 } }],
    ['a guard that failed', { end: { exitCode: GUARD_FAILED } }],
    ['a blocked prompt', { stored: { systemPrompt: '[BLOCKED: SOUL.md contained something]' } }],
    ['a prompt cut short', { stored: { systemPrompt: 'You\n\n[...truncated SOUL.md: kept 1+1 of 9 chars' } }],
    ['another text than the one under test', { stored: { systemPrompt: 'You are verbose.' } }],
    ['a host that never started', { end: { exitCode: null, timedOut: true }, record: { ready: false }, stored: null }],
    ['a model that never answered', { end: { timedOut: true }, record: { modelCallsEnded: 0 } }],
    [
      'a provider that refused every attempt until the deadline',
      { end: { timedOut: true }, record: { errors: [error('HTTP 500')], unanswered: { endpoint: '', failed: true } } },
    ],
    ['a provider that went away while the agent waited', { end: { timedOut: true }, providerGone: true }],
    ['no answer although it ended well', { stored: { answered: false } }],
    ['a turn that is missing', { turnsDone: false }],
  ] as const)('%s is a fault outside the agent', (_name, part) => {
    expect(judged(part)).toMatchObject({ kind: 'infra', stopRun: false });
  });

  it('a usage limit stops the run', () => {
    const part = {
      end: { exitCode: 1 },
      record: { errors: [error('usage_limit_reached', 429)] },
      stored: { answered: false },
    };
    expect(judged(part)).toMatchObject({ kind: 'infra', stopRun: true });
  });

  it('an answer without the guard stops the run: its tools were not held', () => {
    expect(judged({ record: { ready: false } })).toMatchObject({ kind: 'infra', stopRun: true });
  });
});

it('tells a usage limit from a rate limit that passes', () => {
  expect(isUsageLimit(error('You have hit your usage limit for this plan', 429))).toBe(true);
  expect(isUsageLimit(error('Payment required', 402))).toBe(true);
  expect(isUsageLimit(error('Rate limit exceeded, retry in 2s', 429))).toBe(false);
  expect(isUsageLimit(error('the billing service answered 500', 500))).toBe(false);
});

it('reads a text as the host does: without BOM, outer white space and carriage returns', () => {
  expect(asHostReads(Buffer.from('\uFEFF  One.\r\nTwo.\n\n'))).toBe('One.\nTwo.');
});
