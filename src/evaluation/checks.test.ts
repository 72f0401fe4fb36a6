import { describe, expect, it } from 'vitest';
import type { ToolCallRecord, TrialEvidence } from '../ports.js';
import type { Check } from '../schemas.js';
import { runChecks } from './checks.js';

function evidence(part: Partial<TrialEvidence> = {}): TrialEvidence {
  return {
    kind: 'completed',
    response: '',
    toolCalls: [],
    questionsAsked: 0,
    files: new Map(),
    sessionId: 's',
    model: 'm',
    apiCalls: 1,
    inputTokens: 10,
    outputTokens: 10,
    totalTokens: 20,
    costUsd: null,
    costSource: null,
    limitReached: null,
    durationMs: 1,
    ...part,
  };
}

function called(...names: string[]): ToolCallRecord[] {
  return names.map((name) => ({ name, arguments: '{}', result: null, handling: 'simulated' }));
}

const json = { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] };

describe('each kind of check holds for what it asks and for nothing else', () => {
  const cases: readonly [string, Check, Partial<TrialEvidence>, boolean][] = [
    ['must_contain', { must_contain: 'Paris' }, { response: 'It is Paris.' }, true],
    ['must_contain is exact', { must_contain: 'Paris' }, { response: 'paris' }, false],
    ['must_not_contain', { must_not_contain: 'sorry' }, { response: 'Done.' }, true],
    ['must_not_contain found', { must_not_contain: 'sorry' }, { response: 'I am sorry.' }, false],
    ['regex', { regex: '(?i)^done\\b' }, { response: 'Done at last' }, true],
    ['regex missing', { regex: '^done' }, { response: 'not done' }, false],
    ['json_schema', { json_schema: json }, { response: '{"n": 3}' }, true],
    ['json_schema in a fence', { json_schema: json }, { response: 'Here:\n```json\n{"n": 3}\n```\nBye.' }, true],
    ['json_schema broken', { json_schema: json }, { response: '{"n": "three"}' }, false],
    ['json_schema without JSON', { json_schema: json }, { response: 'three' }, false],
    ['json_schema with two fences', { json_schema: json }, { response: '```\n{"n":1}\n```\n```\n{}\n```' }, false],
    ['max_tokens', { max_tokens: 10 }, { outputTokens: 10 }, true],
    ['max_tokens passed', { max_tokens: 9 }, { outputTokens: 10 }, false],
    ['max_tokens unknown', { max_tokens: 9 }, { outputTokens: null }, false],
    ['tool_used', { tool_used: 'todo' }, { toolCalls: called('todo') }, true],
    ['tool_used not', { tool_used: 'todo' }, { toolCalls: called('memory') }, false],
    ['tool_not_used', { tool_not_used: 'terminal' }, { toolCalls: called('todo') }, true],
    ['tool_not_used but was', { tool_not_used: 'terminal' }, { toolCalls: called('terminal') }, false],
    ['max_tool_calls', { max_tool_calls: 1 }, { toolCalls: called('todo') }, true],
    ['max_tool_calls passed', { max_tool_calls: 1 }, { toolCalls: called('todo', 'todo') }, false],
    ['asked_user', { asked_user: true }, { questionsAsked: 1 }, true],
    ['asked_user not', { asked_user: true }, { questionsAsked: 0 }, false],
    ['asked_user unwanted', { asked_user: false }, { questionsAsked: 1 }, false],
    ['file_equals', { file_equals: { path: 'a', content: 'x' } }, { files: new Map([['a', 'x']]) }, true],
    ['file_equals other', { file_equals: { path: 'a', content: 'x' } }, { files: new Map([['a', 'y']]) }, false],
    ['file_equals absent', { file_equals: { path: 'a', content: '' } }, { files: new Map([['a', null]]) }, false],
    ['max_cost', { max_cost: 0.1 }, { costUsd: 0.05 }, true],
    ['max_cost passed', { max_cost: 0.1 }, { costUsd: 0.2 }, false],
    ['max_cost unknown', { max_cost: 0.1 }, { costUsd: null }, false],
  ];
  it.each(cases)('%s', async (_name, check, part, passed) => {
    const [result] = await runChecks([check], evidence(part), null);
    expect(result?.passed).toBe(passed);
  });
});

describe('the judge', () => {
  it('is asked when everything else passed, and its grade counts', async () => {
    const judge = async () => ({ passed: false, rationale: 'too curt' });
    const results = await runChecks(
      [{ must_contain: 'ok' }, { judge: 'is polite' }],
      evidence({ response: 'ok' }),
      judge,
    );
    expect(results.map((r) => [r.kind, r.passed, r.detail])).toEqual([
      ['must_contain', true, 'the answer contains "ok"'],
      ['judge', false, 'too curt'],
    ]);
  });

  it('is not paid for when the trial has failed already, by a check or by a limit', async () => {
    const judge = async () => {
      throw new Error('was asked');
    };
    const byCheck = await runChecks([{ judge: 'is polite' }, { must_contain: 'ok' }], evidence(), judge);
    const byLimit = await runChecks([{ judge: 'is polite' }], evidence({ limitReached: 'time' }), judge);
    expect([...byCheck, ...byLimit].every((r) => !r.passed)).toBe(true);
  });
});

it('a regex that is slow elsewhere is not slow here', async () => {
  const began = performance.now();
  await runChecks([{ regex: '(a+)+$' }], evidence({ response: `${'a'.repeat(5000)}b` }), null);
  expect(performance.now() - began).toBeLessThan(2000);
});
