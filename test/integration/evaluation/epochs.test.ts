import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { approve } from '#src/services/approve.js';
import { applyExperiment } from '#src/services/apply.js';
import { errorBudgetView } from '#src/services/errorBudget.js';
import { evaluateExperiment } from '#src/services/evaluate.js';
import { evidenceNotice, renewErrorBudget } from '#src/services/evidenceEpochs.js';
import { prepare } from '#src/services/prepare.js';
import { standing } from '#src/services/status.js';
import { statusText } from '#src/text/status.js';
import { status } from '#src/services/status.js';
import { makeLook } from '#src/text/look.js';
import { getExperiment, recordVerdict } from '#src/store/experiments.js';
import { findScenario, replaceScenario } from '#src/store/scenarios.js';
import { evaluation, isArm, type Evaluation } from './fixture.js';

const first = 0.05 / 21;
const second = (0.05 * 20) / (21 * 22);

/** Undecided, so that the same edit can be tested again and again. */
const undecided = (): Evaluation =>
  evaluation({
    outcome: (spec) => spec.arm === 'candidate' && spec.scenario.id % 3 === 0,
    config: { budget: { tokens: 1e9 }, gate: { epochs: 1 } },
  });

function useModel(test: Evaluation, model: string): void {
  writeFileSync(join(test.home, 'config.yaml'), `model:\n  provider: custom\n  default: ${model}\n`);
}

/** Asks something else in these holdout scenarios. */
function rewrite(test: Evaluation, indexes: readonly number[], input: (i: number) => string): void {
  for (const i of indexes) {
    const old = findScenario(test.db, test.profileId, `holdout-${i}`);
    if (old === null) throw new Error(`no holdout-${i}`);
    const spec = { input: input(i), checks: [{ must_contain: 'yes' }] };
    replaceScenario(test.db, old, { ...old, group: `group ${input(i)}`, spec, at: test.clock.now() });
  }
}

const ledger = (test: Evaluation) =>
  test.db
    .prepare(
      'SELECT e.number AS epoch, consultation FROM error_budget_ledger l JOIN evidence_epochs e ON e.id = l.epoch_id ORDER BY l.id',
    )
    .all();

describe('an error budget', () => {
  it('opens by itself for the first test of a profile, and only with it', async () => {
    const test = undecided();
    expect(await errorBudgetView(test.ctx)).toMatchObject({ epoch: 1, epochs: [], left: 0.05, nextConsultation: 1 });
    await expect(renewErrorBudget(test.ctx, { reason: 'why not' })).rejects.toMatchObject({ code: 'wrong_state' });
    await evaluateExperiment(test.ctx, test.experimentId);
    const view = await errorBudgetView(test.ctx);
    expect(view).toMatchObject({ epoch: 1, alpha: 0.05, consultations: 1, nextConsultation: 2, summedAlpha: 0.05 });
    expect(view.left).toBeCloseTo(0.05 - first, 12);
    expect(view.epochs).toMatchObject([{ number: 1, openedBy: 'gate', consultations: 1, deletions: 0 }]);
  });

  it('goes on under another model, which is said before the test, until a person opens a new one', async () => {
    const test = undecided();
    useModel(test, 'one');
    await evaluateExperiment(test.ctx, test.experimentId);
    expect(await evidenceNotice(test.ctx)).toBeNull();
    useModel(test, 'two');
    expect(await evidenceNotice(test.ctx)).toMatch(
      /the agent model is two \(custom\) and was one \(custom\)\. Error budget 1 pays.*error-budget renew --reason/,
    );
    await evaluateExperiment(test.ctx, test.experimentId);
    expect(await errorBudgetView(test.ctx)).toMatchObject({ epoch: 1, nextConsultation: 3, renewable: true });
    expect(await evidenceNotice(test.ctx)).toBeNull();

    await renewErrorBudget(test.ctx, { reason: 'moved to two' });
    const renewed = await errorBudgetView(test.ctx);
    expect(renewed).toMatchObject({ epoch: 2, nextConsultation: 1, renewable: false, summedAlpha: 0.1, changes: [] });
    expect(renewed.epochs[1]).toMatchObject({ reason: 'moved to two', openedBy: 'person@cli', consultations: 0 });
    await expect(renewErrorBudget(test.ctx, { reason: 'again' })).rejects.toMatchObject({
      code: 'wrong_state',
      message: expect.stringContaining('Epoch 2 goes on') as string,
    });
    await evaluateExperiment(test.ctx, test.experimentId);

    useModel(test, 'one');
    expect(await errorBudgetView(test.ctx)).toMatchObject({ epoch: 1, nextConsultation: 3 });
    await evaluateExperiment(test.ctx, test.experimentId);
    expect(ledger(test)).toEqual([
      { epoch: 1, consultation: 1 },
      { epoch: 1, consultation: 2 },
      { epoch: 2, consultation: 1 },
      { epoch: 1, consultation: 3 },
    ]);
    const text = statusText(
      makeLook({ width: 200, color: false, form: 'terminal', command: 'hermes karpathy' }),
      await status(test.ctx),
      test.clock.now(),
    );
    expect(text.replaceAll(/\s+/g, ' ')).toContain(
      'holdout 3 tests so far; the next is number 4 and may err 0.181 %; 4.35 % of 5 % left; budget 1 of 2, which sum to 10 %',
    );
  });

  it('takes a new one only when half of the holdout groups ask something new', async () => {
    const test = undecided();
    await evaluateExperiment(test.ctx, test.experimentId);
    rewrite(test, [1, 2, 3, 4, 5, 6], (i) => `Something new ${i}?`);
    await expect(renewErrorBudget(test.ctx, { reason: 'new suite' })).rejects.toMatchObject({
      hint: expect.stringContaining('(1 more of 14)') as string,
    });
    expect((await errorBudgetView(test.ctx)).nextAlpha).toBeCloseTo(second, 12);
    // The same question with other marks is not new, whatever its group is called.
    rewrite(test, [7], () => 'question: HOLDOUT 7');
    await expect(renewErrorBudget(test.ctx, { reason: 'new suite' })).rejects.toMatchObject({ code: 'wrong_state' });
    rewrite(test, [7], () => 'Something new 7?');
    await renewErrorBudget(test.ctx, { reason: 'new suite' });
    expect(await errorBudgetView(test.ctx)).toMatchObject({ epoch: 2, nextConsultation: 1 });
  });

  it('does not move to a new one by many small edits of the suite', async () => {
    const test = undecided();
    await evaluateExperiment(test.ctx, test.experimentId);
    for (const part of [
      [1, 2, 3, 4, 5],
      [6, 7, 8, 9, 10],
    ]) {
      rewrite(test, part, (i) => `Something new ${i}?`);
      await evaluateExperiment(test.ctx, test.experimentId);
    }
    expect(await errorBudgetView(test.ctx)).toMatchObject({ epoch: 1, nextConsultation: 4, renewable: true });
  });

  it('keeps the alpha it was opened with, unless a stricter one is set', async () => {
    const test = undecided();
    await evaluateExperiment(test.ctx, test.experimentId);
    const { gate } = test.ctx.config.config;
    const withAlpha = (alpha: number) => ({
      ...test.ctx,
      config: { ...test.ctx.config, config: { ...test.ctx.config.config, gate: { ...gate, alpha } } },
    });
    expect((await errorBudgetView(withAlpha(0.5))).nextAlpha).toBeCloseTo(second, 12);
    expect((await errorBudgetView(withAlpha(0.01))).nextAlpha).toBeCloseTo(second / 5, 12);
  });

  it('is a person’s to renew', async () => {
    const test = undecided();
    await evaluateExperiment(test.ctx, test.experimentId);
    useModel(test, 'two');
    const ctx = { ...test.ctx, surface: { ...test.ctx.surface, interactive: false } };
    await expect(renewErrorBudget(ctx, { reason: 'x' })).rejects.toMatchObject({ code: 'needs_person' });
  });
});

describe('evidence that has expired', () => {
  it('is marked in the database and said, and the mark goes when the old model is back', async () => {
    const test = evaluation({ outcome: isArm('candidate') });
    useModel(test, 'one');
    await evaluateExperiment(test.ctx, test.experimentId);
    const expired = async () => {
      await prepare(test.ctx);
      return getExperiment(test.db, test.experimentId).evidenceExpiredAt;
    };
    expect(await expired()).toBeNull();
    useModel(test, 'two');
    expect(await expired()).toBe(test.clock.now());
    test.clock.advance(1000);
    expect(await expired()).toBe(test.clock.now() - 1000);
    const { view } = await standing(test.ctx, getExperiment(test.db, test.experimentId));
    expect(view).toMatchObject({ phase: 'stale', evidenceExpired: true });
    useModel(test, 'one');
    expect(await expired()).toBeNull();
  });

  it('lets nobody approve or apply, and says what changed', async () => {
    const test = evaluation({ outcome: isArm('candidate') });
    const { experimentId: id } = test;
    useModel(test, 'one');
    await evaluateExperiment(test.ctx, id);
    useModel(test, 'two');
    await expect(approve(test.ctx, id)).rejects.toMatchObject({
      code: 'stale',
      exitCode: 3,
      message: expect.stringContaining('the agent model is two (custom) and was one (custom)') as string,
    });
    useModel(test, 'one');
    await approve(test.ctx, id);
    rewrite(test, [1], () => 'Edited after the approval?');
    await expect(applyExperiment(test.ctx, id)).rejects.toMatchObject({
      code: 'stale',
      message: expect.stringContaining('1 of 14 holdout groups are new') as string,
    });
    expect(getExperiment(test.db, id).state).toBe('approved');
  });

  it('without a record of what it rested on is refused all the same', async () => {
    const test = evaluation({ outcome: isArm('candidate') });
    recordVerdict(test.db, test.experimentId, {
      verdict: 'keep',
      reason: 'x',
      detail: {},
      offlineScore: 1,
      evidenceFingerprint: 'other',
      judgeModel: null,
      at: 1,
    });
    await expect(approve(test.ctx, test.experimentId)).rejects.toMatchObject({ code: 'stale' });
  });
});
