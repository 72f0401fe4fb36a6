import { describe, expect, it } from 'vitest';
import { createJudge, provokeJudge } from '#src/evaluation/judge.js';
import type { LanguageModel, TrialEvidence } from '#src/ports.js';
import { simulatedJudge, simulatedProposer, type Reply, type Responder } from '../../support/modelServer/index.js';

const identity = { provider: 'openai-compatible', base_url: null, model: 'sim-judge' };

function modelOf(responder: Responder): LanguageModel {
  return {
    configured: identity,
    complete: async ({ messages }) => {
      const reply: Reply = await responder({ model: 'sim-judge', messages });
      if (reply.kind !== 'message') throw new Error(reply.kind);
      const usage = { inputTokens: null, outputTokens: null, totalTokens: null };
      return { text: reply.text, identity, usage, costUsd: null };
    },
  };
}

function judge(responder: Responder) {
  return createJudge({
    model: modelOf(responder),
    proposer: { configured: null, returned: null },
    signal: new AbortController().signal,
    charge: (call) => call(),
  });
}

const evidence = (response: string) => ({ response, toolCalls: [] }) as unknown as TrialEvidence;

describe('the simulated judge', () => {
  it('fails the known-bad answers, and a gullible one is found out', async () => {
    await expect(provokeJudge(judge(simulatedJudge()))).resolves.toBeUndefined();
    await expect(provokeJudge(judge(simulatedJudge({ gullible: true })))).rejects.toThrow(/not reliable/);
  });

  it('grades by what the rubric asks for', async () => {
    const rubric = 'The answer ends with a one-line summary.';
    const grade = (response: string) =>
      judge(simulatedJudge()).grade({ rubric, turns: ['Why?'], evidence: evidence(response) });
    expect((await grade('Because.\nIn short: because.')).passed).toBe(true);
    expect((await grade('Because.')).passed).toBe(false);
  });
});

describe('the simulated proposer', () => {
  const propose = async (content: string, mode: 'helpful' | 'null-edit') => {
    const reply = await simulatedProposer({ mode })({ model: 'sim-proposer', messages: [{ role: 'user', content }] });
    return JSON.parse(reply.kind === 'message' ? reply.text : '') as Record<string, unknown>;
  };
  const prompt =
    '1. # Fern\n2. You are Fern, the helper.\n3. - Be kind.\n\nFailing: regex (?m)^In short: \\S did not match.';

  it('asks in one sentence for what the failing trials lack', async () => {
    const edit = await propose(prompt, 'helpful');
    expect(edit).toMatchObject({ operation: 'insert', sentence: 3 });
    expect(edit.text).toContain('summary');
  });

  it('asks for the next thing once a sentence asks for the first', async () => {
    const edit = await propose(prompt.replace('Be kind.', 'End with a line "In short:".') + ' 12 kg', 'helpful');
    expect(edit.text).toContain('unit');
  });

  it('exchanges a word for a synonym when it is to change nothing', async () => {
    expect(await propose(prompt, 'null-edit')).toMatchObject({
      operation: 'rewrite',
      sentence: 2,
      text: 'You are Fern, the assistant.',
    });
  });
});
