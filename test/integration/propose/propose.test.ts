import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { KarpathyError } from '#src/errors.js';
import { draftProposal, promptPreview, startProposal } from '#src/services/propose.js';
import { runJobNow } from '#src/services/work.js';
import { getExperiment, history, listExperiments } from '#src/store/experiments.js';
import { listConsultations } from '#src/store/holdoutConsultations.js';
import { findJob } from '#src/store/jobs.js';
import type { TrialEvidence, TrialRunner } from '#src/ports.js';
import type { TestContext, TestContextOptions } from '../../support/context.js';
import {
  addHoldout,
  addScenario,
  echoingRunner,
  fakeProposer,
  insertAnswer,
  proposingContext,
} from '../../support/proposals.js';

const rewrite = (sentence: number, text: string) => ({ operation: 'rewrite' as const, sentence, text, rationale: '' });
const person = (text: string, sentence = 2) => ({ by: 'person' as const, edit: rewrite(sentence, text) });
const ALONE = { evaluate: false };

async function failure(run: Promise<unknown>): Promise<KarpathyError> {
  const error = await run.then(
    () => new Error('did not fail'),
    (thrown: unknown) => thrown,
  );
  if (error instanceof KarpathyError) return error;
  throw error;
}

const rows = (fixture: TestContext) => listExperiments(fixture.db);

async function draftOf(fixture: TestContext): Promise<number> {
  const { experimentId } = await startProposal(fixture.ctx, { by: 'model' }, ALONE);
  await draftProposal(fixture.ctx, experimentId);
  return experimentId;
}

describe("a person's own sentence", () => {
  it('is recorded at once with its bytes, its metadata and the proposer human', async () => {
    const fixture = proposingContext();
    const { experimentId, jobId, warnings } = await startProposal(fixture.ctx, person('Answer in one line.'), ALONE);
    const row = getExperiment(fixture.db, experimentId);
    expect({ jobId, warnings }).toEqual({ jobId: null, warnings: [] });
    expect(row).toMatchObject({
      state: 'proposed',
      proposerModel: 'human',
      operation: 'rewrite',
      sentenceNumber: 2,
      sentenceBefore: 'Answer briefly.',
      sentenceAfter: 'Answer in one line.',
      changedHunks: 1,
      sentenceDeltaCount: 0,
    });
    expect(row.baseContent?.toString()).toBe(readFileSync(fixture.target, 'utf8'));
    expect(row.candidateContent?.toString()).toContain('Answer in one line. Ask before');
    expect(row.diff).toContain('+Answer in one line.');
    expect(history(fixture.db, experimentId)).toMatchObject([{ toState: 'proposed', actor: 'person@cli' }]);
  });

  it('can come as a whole file, whose layout is kept', async () => {
    const fixture = proposingContext();
    const candidateText = `${readFileSync(fixture.target, 'utf8')}\n- Use metric units.\n`;
    const { experimentId } = await startProposal(fixture.ctx, { by: 'person', candidateText }, ALONE);
    expect(getExperiment(fixture.db, experimentId).candidateContent?.toString()).toBe(candidateText);
  });

  it('keeps CRLF and the byte order mark of the target', async () => {
    const fixture = proposingContext({ soul: '\ufeffBe kind.\r\nAnswer briefly.\r\n' });
    const { experimentId } = await startProposal(fixture.ctx, person('Answer in one line.'), ALONE);
    expect(getExperiment(fixture.db, experimentId).candidateContent).toEqual(
      Buffer.from('\ufeffBe kind.\r\nAnswer in one line.\r\n'),
    );
  });

  it.each([
    ['two sentences', person('Be kind. Be fair.'), /2 sentences/],
    ['no change', person('Answer briefly.'), /changes nothing/],
    ['a sentence that is not there', person('Be fair.', 9), /1 to 3/],
    [
      'a file that differs in two sentences',
      { by: 'person' as const, candidateText: 'You are.\n\nAnswer. Ask before you delete anything.\n' },
      /2 sentences/,
    ],
  ])('leaves nothing behind when refused: %s', async (_, source, message) => {
    const fixture = proposingContext();
    const error = await failure(startProposal(fixture.ctx, source, ALONE));
    expect(error).toMatchObject({ code: 'bad_edit', exitCode: 2 });
    expect(error.message).toMatch(message);
    expect(rows(fixture)).toEqual([]);
  });

  it('is refused when Hermes would block or cut the file, before anything is written', async () => {
    const blocked = { blocked: true, truncated: false, limitChars: 20_000, findings: ['looks like an injection'] };
    const fixture = proposingContext({ context: { checkPrompt: async () => blocked } });
    const error = await failure(startProposal(fixture.ctx, person('Answer in one line.'), ALONE));
    expect(error).toMatchObject({ code: 'blocked_by_host' });
    expect(error.message).toContain('looks like an injection');

    const cut = { blocked: false, truncated: true, limitChars: 50, findings: [] };
    const other = proposingContext({ context: { checkPrompt: async () => cut } });
    expect((await failure(startProposal(other.ctx, person('Answer in one line.'), ALONE))).message).toContain(
      '50 characters',
    );
    expect([...rows(fixture), ...rows(other)]).toEqual([]);
  });

  it('is only warned of closeness to a scenario; for a hidden one without a name, as a disclosure', async () => {
    const fixture = proposingContext();
    const said = 'please weigh the six parcels that lie on the table';
    addScenario(fixture, { name: 'open-one', input: said });
    addScenario(fixture, { name: 'secret-one', split: 'holdout', input: said });
    const source = person('Always weigh the six parcels that lie on the table.');
    const { warnings } = await startProposal(fixture.ctx, source, ALONE);
    expect(warnings).toHaveLength(2);
    expect(warnings[0]).toContain('open-one');
    expect(warnings[1]).toBe('The edit is too close to a hidden scenario.');
    expect(listConsultations(fixture.db, fixture.profileId)).toMatchObject([
      { kind: 'disclosure', actor: 'person@cli' },
    ]);
  });

  it('is refused as a second experiment in flight', async () => {
    const fixture = proposingContext();
    await startProposal(fixture.ctx, person('Answer in one line.'), ALONE);
    expect(await failure(startProposal(fixture.ctx, person('Answer at length.'), ALONE))).toMatchObject({
      code: 'in_flight',
      exitCode: 3,
    });
  });
});

describe('what is refused before anything is spent', () => {
  it('an evaluation without holdout scenarios, or with too few', async () => {
    const proposer = fakeProposer([insertAnswer('State the units.')]);
    const fixture = proposingContext({ proposer });
    const evaluate = { evaluate: true };
    expect(await failure(startProposal(fixture.ctx, { by: 'model' }, evaluate))).toMatchObject({
      code: 'bad_scenario',
    });
    addHoldout(fixture, 2);
    expect(await failure(startProposal(fixture.ctx, { by: 'model' }, evaluate))).toMatchObject({
      code: 'underpowered',
    });
    expect(rows(fixture)).toEqual([]);
    expect(proposer.asked).toEqual([]);
  });

  it('an unknown price with a USD limit', async () => {
    const fixture = proposingContext({ config: { budget: { usd: 1 } } });
    const error = await failure(startProposal(fixture.ctx, { by: 'model' }, ALONE));
    expect(error).toMatchObject({ code: 'price_unknown', exitCode: 3 });
    expect(error.hint).toContain('prices');
    expect(rows(fixture)).toEqual([]);
  });

  it('a judge that is the proposer', async () => {
    const model = { base_url: 'http://127.0.0.1:9/v1', model: 'proposer' };
    const fixture = proposingContext({
      config: { models: { proposer: model, judge: { ...model, base_url: 'http://localhost:9/v1/' } } },
    });
    addScenario(fixture, { name: 'judged', checks: [{ judge: 'is polite' }] });
    expect(await failure(startProposal(fixture.ctx, { by: 'model' }, ALONE))).toMatchObject({ code: 'same_model' });
  });

  it('a target that is missing or empty', async () => {
    const fixture = proposingContext({ soul: null });
    expect(await failure(startProposal(fixture.ctx, { by: 'model' }, ALONE))).toMatchObject({ code: 'bad_target' });
    writeFileSync(fixture.target, ' \n');
    expect(await failure(startProposal(fixture.ctx, { by: 'model' }, ALONE))).toMatchObject({ code: 'bad_target' });
    expect(rows(fixture)).toEqual([]);
  });
});

describe("the model's proposal", () => {
  it('takes the place in flight at once, and its edit comes by the draft', async () => {
    const proposer = fakeProposer([
      `Sure:\n\`\`\`json\n${insertAnswer('State the units.', 2)}\n\`\`\`\nHope {this} helps!`,
    ]);
    const fixture = proposingContext({ proposer });
    const { experimentId, jobId } = await startProposal(fixture.ctx, { by: 'model' }, ALONE);
    expect(getExperiment(fixture.db, experimentId)).toMatchObject({ state: 'proposed', diff: '', operation: null });
    expect(findJob(fixture.db, jobId ?? 0)).toMatchObject({ kind: 'propose', state: 'queued', experimentId });

    await runJobNow(fixture.ctx, jobId ?? 0);
    expect(getExperiment(fixture.db, experimentId)).toMatchObject({
      state: 'proposed',
      operation: 'insert',
      sentenceAfter: 'State the units.',
      rationale: 'because',
      proposerModel: 'proposer (http://127.0.0.1:9/v1)',
      tokens: 100,
      costUsd: null,
    });
    expect(findJob(fixture.db, jobId ?? 0)).toMatchObject({ state: 'finished' });
    expect(readFileSync(fixture.target, 'utf8')).not.toContain('units');
  });

  it.each([
    ['no JSON', 'I would add units.', /no JSON object/],
    ['an unknown key', '{"operation":"delete","sentence":1,"why":"x"}', /why is not a known key/],
    ['a number as text', '{"operation":"delete","sentence":"1"}', /sentence/],
    ['two sentences', insertAnswer('State units. Be kind.'), /2 sentences/],
    ['an unknown sentence', insertAnswer('State units.', 40), /no sentence 40/],
  ])('gets one more try with the reason: %s', async (_, answer, reason) => {
    const proposer = fakeProposer([answer, insertAnswer('State the units.')]);
    const fixture = proposingContext({ proposer });
    const id = await draftOf(fixture);
    expect(getExperiment(fixture.db, id).sentenceAfter).toBe('State the units.');
    expect(proposer.asked).toHaveLength(2);
    expect(proposer.asked[1]?.messages.at(-1)?.content).toMatch(reason);
    expect(getExperiment(fixture.db, id).tokens).toBe(200);
  });

  it('ends rejected by the system after the second unusable answer', async () => {
    const fixture = proposingContext({ proposer: fakeProposer(['no', 'still no']) });
    const { experimentId, jobId } = await startProposal(fixture.ctx, { by: 'model' }, ALONE);
    expect(await failure(runJobNow(fixture.ctx, jobId ?? 0))).toMatchObject({ code: 'bad_edit' });
    expect(getExperiment(fixture.db, experimentId)).toMatchObject({
      state: 'rejected',
      rejectedBy: 'system',
      rejectionReason: 'The answer holds no JSON object.',
    });
    expect(findJob(fixture.db, jobId ?? 0)).toMatchObject({ state: 'failed', error: { code: 'bad_edit' } });
  });

  it.each([
    ['model_failed', 'answered 500'],
    ['model_limit', 'refuses more calls'],
  ] as const)('ends rejected by the system when the model fails: %s', async (code, message) => {
    const fixture = proposingContext({ proposer: fakeProposer([new KarpathyError(code, message)]) });
    const { experimentId, jobId } = await startProposal(fixture.ctx, { by: 'model' }, ALONE);
    expect(await failure(runJobNow(fixture.ctx, jobId ?? 0))).toMatchObject({ code });
    expect(getExperiment(fixture.db, experimentId)).toMatchObject({
      state: 'rejected',
      rejectedBy: 'system',
      rejectionReason: message,
    });
    expect(findJob(fixture.db, jobId ?? 0)).toMatchObject({ state: 'failed' });
  });

  it('is refused for what a person is only warned of, and shows what was refused', async () => {
    const said = 'please weigh the six parcels that lie on the table';
    const proposer = fakeProposer([insertAnswer('Always weigh the six parcels that lie on the table.')]);
    const fixture = proposingContext({ proposer });
    addScenario(fixture, { name: 'secret-one', split: 'holdout', input: said });
    const { experimentId, jobId } = await startProposal(fixture.ctx, { by: 'model' }, ALONE);
    await failure(runJobNow(fixture.ctx, jobId ?? 0));
    const row = getExperiment(fixture.db, experimentId);
    expect(row).toMatchObject({ state: 'rejected', rejectionReason: 'The edit is too close to a hidden scenario.' });
    expect(row.sentenceAfter).toContain('six parcels');
    expect(listConsultations(fixture.db, fixture.profileId)).toMatchObject([
      { kind: 'disclosure', experimentId },
      { kind: 'disclosure', experimentId },
    ]);
  });

  it('is not drafted twice when its job runs again', async () => {
    const proposer = fakeProposer([insertAnswer('State the units.')]);
    const fixture = proposingContext({ proposer });
    const id = await draftOf(fixture);
    await draftProposal(fixture.ctx, id);
    expect(proposer.asked).toHaveLength(1);
  });

  it('stays as it is when the draft is interrupted', async () => {
    const stop = new AbortController();
    const proposer = fakeProposer([
      () => {
        stop.abort();
        throw new KarpathyError('interrupted', 'Interrupted.');
      },
    ]);
    const fixture = proposingContext({ proposer, context: { signal: stop.signal } });
    const { experimentId } = await startProposal(fixture.ctx, { by: 'model' }, ALONE);
    expect(await failure(draftProposal(fixture.ctx, experimentId))).toMatchObject({ code: 'interrupted' });
    expect(getExperiment(fixture.db, experimentId)).toMatchObject({ state: 'proposed', candidateContent: null });
  });

  it('may not repeat an edit that had a verdict', async () => {
    const proposer = fakeProposer([insertAnswer('Be polite.')]);
    const fixture = proposingContext({ proposer });
    addHoldout(fixture);
    const first = await startProposal(fixture.ctx, { by: 'model' }, { evaluate: true });
    await runJobNow(fixture.ctx, first.jobId ?? 0);
    expect(getExperiment(fixture.db, first.experimentId).verdict).not.toBe('keep');
    if (getExperiment(fixture.db, first.experimentId).state === 'proposed') {
      fixture.db
        .prepare("UPDATE experiments SET state = 'rejected', rejected_at = 1 WHERE id = ?")
        .run(first.experimentId);
    }
    const source = {
      by: 'person' as const,
      edit: { operation: 'insert' as const, sentence: 2, text: '**Be polite**!', rationale: '' },
    };
    const error = await failure(startProposal(fixture.ctx, source, ALONE));
    expect(error.message).toContain(`tried before, as experiment ${first.experimentId}`);
  });
});

describe('the prompt', () => {
  /** What the proposer was sent for a profile with one failing train scenario that used a tool, and one hidden one. */
  async function sentWith(config: TestContextOptions['config'] = {}) {
    const echo = echoingRunner();
    const toolCalls = [{ name: 'weigh', arguments: '{"what":"parcel"}', result: '7', handling: 'simulated' as const }];
    const runner: TrialRunner = {
      ...echo,
      run: async (spec, signal) => ({ ...((await echo.run(spec, signal)) as TrialEvidence), toolCalls }),
    };
    const proposer = fakeProposer([insertAnswer('Be polite.')]);
    const fixture = proposingContext({ proposer, runner, config, soul: '# Who\n\nBe kind.\n\n- Ask first\n' });
    addScenario(fixture, { name: 'open-one', input: 'Weigh the parcel.' });
    addScenario(fixture, {
      name: 'secret-one',
      split: 'holdout',
      input: 'Hidden question.',
      checks: [{ must_contain: 'hidden answer' }],
    });
    const { jobId } = await startProposal(fixture.ctx, { by: 'model' }, ALONE);
    await runJobNow(fixture.ctx, jobId ?? 0);
    return { fixture, proposer, sent: proposer.asked[0]?.messages.map((m) => m.content).join('\n') ?? '' };
  }

  it('shows numbered sentences and failing train trials with their tools, never a hidden scenario', async () => {
    const { sent } = await sentWith();
    expect(sent).toContain('1. # Who\n2. Be kind.\n3. - Ask first');
    expect(sent).toContain('Scenario open-one');
    expect(sent).toContain('<<<Weigh the parcel.>>>');
    expect(sent).toContain('- must_contain: "units"');
    expect(sent).toContain('- weigh({"what":"parcel"}) -> 7');
    expect(sent.toLowerCase()).not.toMatch(/secret-one|hidden question|hidden answer/);
  });

  it('leaves out tool calls when privacy says so', async () => {
    const { sent } = await sentWith({ privacy: { tool_traces: false } });
    expect(sent).toContain('Scenario open-one');
    expect(sent).not.toContain('weigh(');
  });

  it('can be looked at without sending it, and lists the edits tried', async () => {
    const { fixture, proposer, sent } = await sentWith();
    const preview = promptPreview(fixture.ctx)
      .map((m) => m.content)
      .join('\n');
    expect(preview).toContain('- insert "Be polite.": being tested');
    expect(preview.replace(/\n\nEdits already tried[^]*?\n\n/, '\n\n')).toBe(sent);
    expect(proposer.asked).toHaveLength(1);
  });
});
