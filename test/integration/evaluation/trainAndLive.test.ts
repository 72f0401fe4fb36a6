import { describe, expect, it } from 'vitest';
import { estimateEvaluation, evaluateExperiment, runLiveComparison, runTrainBaseline } from '#src/services/evaluate.js';
import { evidenceFingerprint } from '#src/services/evidence.js';
import { freshView } from '#src/services/verdictEvidence.js';
import { sha256 } from '#src/ratchet/digest.js';
import { getExperiment, transition } from '#src/store/experiments.js';
import { insertScenario } from '#src/store/scenarios.js';
import { failingTrainTrials } from '#src/store/trials.js';
import { DEFAULT_SOUL } from '../../support/context.js';
import { count, evaluation, isArm, type Evaluation } from './fixture.js';

describe('the train baseline', () => {
  it('runs the incumbent once on each train scenario, and only what is new the next time', async () => {
    const test = evaluation({ outcome: (spec) => spec.scenario.name === 'train-1' });
    await runTrainBaseline(test.ctx, test.experimentId);
    await runTrainBaseline(test.ctx, test.experimentId);
    expect(test.ran.map((spec) => [spec.scenario.name, spec.arm])).toEqual([
      ['train-1', 'incumbent'],
      ['train-2', 'incumbent'],
    ]);
    const failing = failingTrainTrials(test.db, test.profileId, sha256(Buffer.from(DEFAULT_SOUL)), 10);
    expect(failing).toMatchObject([
      { scenarioName: 'train-2', response: expect.stringMatching(/^no/) as string, checks: [{ passed: false }] },
    ]);

    const spec = { input: 'New?', checks: [{ must_contain: 'yes' }] };
    const row = { profileId: test.profileId, name: 'train-3', split: 'train' as const, group: 'g', spec };
    insertScenario(test.db, { ...row, realToolsConfirmedBy: null, at: 1 });
    await runTrainBaseline(test.ctx, test.experimentId);
    expect(test.ran.slice(2).map((trial) => trial.scenario.name)).toEqual(['train-3']);
  });
});

describe('the live comparison', () => {
  function live(test: Evaluation): void {
    const at = test.clock.now();
    transition(test.db, { id: test.experimentId, to: 'approved', actor: 'person@cli', reason: 'ok', at });
    transition(test.db, { id: test.experimentId, to: 'live', actor: 'person@cli', reason: 'ok', at });
  }

  it('verifies what still does better, on fresh trials, and does not run again once it is decided', async () => {
    const test = evaluation({ outcome: isArm('candidate') });
    live(test);
    const verdict = await runLiveComparison(test.ctx, test.experimentId);
    expect(verdict).toMatchObject({ verdict: 'verified', effect: 1 });
    const ran = test.ran.length;
    expect(await runLiveComparison(test.ctx, test.experimentId)).toEqual(verdict);
    expect(test.ran).toHaveLength(ran);
    expect(getExperiment(test.db, test.experimentId).liveScore).toBe(1);
    // It can only take an edit away: it costs no error budget.
    expect(count(test, 'SELECT COUNT(*) FROM error_budget_ledger')).toBe(0);
  });

  it('asks once more after no gain, pools both, and then takes the edit back', async () => {
    const test = evaluation({ outcome: () => true });
    live(test);
    expect(await runLiveComparison(test.ctx, test.experimentId)).toMatchObject({ verdict: 'extend' });
    const first = test.ran.length;
    expect(await runLiveComparison(test.ctx, test.experimentId)).toMatchObject({ verdict: 'revert', epochs: 4 });
    expect(test.ran).toHaveLength(2 * first);
    expect(new Set(test.ran.slice(first).map((spec) => spec.epoch))).toEqual(new Set([3, 4]));
  });

  it('reverts at once when fresh trials show harm', async () => {
    const test = evaluation({ outcome: isArm('incumbent') });
    live(test);
    expect(await runLiveComparison(test.ctx, test.experimentId)).toMatchObject({ verdict: 'revert', effect: -1 });
  });

  it('asks what was added since the keep first, and no more than 60 groups', async () => {
    const test = evaluation({
      outcome: isArm('candidate'),
      holdout: 58,
      config: { budget: { tokens: 1e9 }, gate: { epochs: 1 }, live: { epochs: 1 }, runner: { concurrency: 1 } },
    });
    await evaluateExperiment(test.ctx, test.experimentId);
    for (const name of ['new-1', 'new-2', 'new-3', 'new-4', 'new-5']) {
      const spec = { input: `Question ${name}?`, checks: [{ must_contain: 'yes' }] };
      const row = { profileId: test.profileId, name, split: 'holdout' as const, group: name, spec };
      insertScenario(test.db, { ...row, realToolsConfirmedBy: null, at: test.clock.now() });
    }
    live(test);
    const tested = test.ran.length;
    expect(await runLiveComparison(test.ctx, test.experimentId)).toMatchObject({ verdict: 'verified', groups: 60 });
    const asked = [...new Set(test.ran.slice(tested).map(({ scenario }) => scenario.name))];
    expect(asked).toHaveLength(60);
    expect(asked.slice(0, 6)).toEqual(['new-1', 'new-2', 'new-3', 'new-4', 'new-5', 'holdout-1']);
    expect(freshView(test.ctx, getExperiment(test.db, test.experimentId))).toMatchObject({
      newGroups: 5,
      effect: 1,
      extended: false,
      interval: [1, 1],
      cost: { trials: 120, tokens: 120_000 },
    });
  });

  it('asks the same again when it is extended, whatever became of the suite, and has no interval then', async () => {
    const test = evaluation({ outcome: () => true });
    live(test);
    await runLiveComparison(test.ctx, test.experimentId);
    test.db.prepare("UPDATE scenarios SET deleted_at = 1 WHERE name = 'holdout-1'").run();
    const first = test.ran.length;
    expect(await runLiveComparison(test.ctx, test.experimentId)).toMatchObject({ verdict: 'revert', interval: null });
    expect(test.ran).toHaveLength(2 * first);
  });

  it('is run afresh when the window was opened again', async () => {
    const test = evaluation({ outcome: isArm('candidate') });
    live(test);
    await runLiveComparison(test.ctx, test.experimentId);
    const ran = test.ran.length;
    test.db.prepare('UPDATE experiments SET live_extensions = 1').run();
    await runLiveComparison(test.ctx, test.experimentId);
    expect(test.ran).toHaveLength(2 * ran);
  });
});

it('estimates the whole life of an edit from the suite, then from measured trials', async () => {
  const test = evaluation({ outcome: isArm('candidate') });
  const assumed = estimateEvaluation(test.ctx);
  // 2 train once; 14 holdout, two arms, 6 epochs at selection and 2 in the live window.
  expect(assumed).toMatchObject({ trials: 2 + 14 * 2 * 8, calls: 2 * 226 });
  expect(assumed.basis).toMatch(/assumed/);
  await runTrainBaseline(test.ctx, test.experimentId);
  const measured = estimateEvaluation(test.ctx, { part: 'selection' });
  const screened = evaluation({ outcome: isArm('candidate'), train: 10 });
  // Ten train groups can be screened: two arms, three epochs.
  expect(estimateEvaluation(screened.ctx, { part: 'screen' }).trials).toBe(60);
  expect(estimateEvaluation(test.ctx, { part: 'screen' }).trials).toBe(0);
  expect(measured).toMatchObject({ trials: 168, tokens: 168_000, seconds: 84 });
  expect(measured.usd).toBeCloseTo(0.168);
});

it('the fingerprint follows the holdout suite and the agent, not the train scenarios', async () => {
  const test = evaluation({ outcome: isArm('candidate') });
  const before = await evidenceFingerprint(test.ctx);
  test.db.prepare("UPDATE scenarios SET deleted_at = 1 WHERE name = 'train-1'").run();
  expect((await evidenceFingerprint(test.ctx)).sha256).toBe(before.sha256);
  test.db.prepare("UPDATE scenarios SET deleted_at = 1 WHERE name = 'holdout-1'").run();
  expect((await evidenceFingerprint(test.ctx)).sha256).not.toBe(before.sha256);
});
