import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { randomFrom } from '#src/gate/random.js';
import type { TrialSpec } from '#src/ports.js';
import { planCalibration, startCalibration, type CalibrationOptions } from '#src/services/calibration.js';
import { calibrationBrief, calibrationOf, type CalibrationView } from '#src/services/calibrationView.js';
import { cancelJob, runJobNow, work } from '#src/services/work.js';
import { listConsultations } from '#src/store/holdoutConsultations.js';
import { getJob } from '#src/store/jobs.js';
import { failingTrainTrials } from '#src/store/trials.js';
import { sha256 } from '#src/ratchet/digest.js';
import { completed, count, evaluation, type Evaluation, type EvaluationOptions } from '../evaluation/fixture.js';

const A_A = { placebos: 0, written: [] } satisfies Partial<CalibrationOptions>;

async function start(test: Evaluation, wishes: Partial<CalibrationOptions> = A_A): Promise<number> {
  return startCalibration(test.ctx, await planCalibration(test.ctx, wishes));
}

async function calibrated(test: Evaluation, wishes: Partial<CalibrationOptions> = A_A): Promise<CalibrationView> {
  const job = await start(test, wishes);
  await runJobNow(test.ctx, job);
  return calibrationOf(test.ctx, job);
}

/** An agent that passes with a chance by scenario; draws depend on the trial alone, not on who runs beside it. */
function agent(chance: (spec: TrialSpec, position: 1 | 2) => number): EvaluationOptions['outcome'] {
  const started = new Set<string>();
  return (spec) => {
    const pair = `${spec.evalRunId}/${spec.scenario.id}/${spec.epoch}/${spec.attempt}`;
    const position = started.has(pair) ? 2 : 1;
    started.add(pair);
    return randomFrom(`${pair}/${spec.arm}`)() < chance(spec, position);
  };
}

const suite = { train: 8, holdout: 22 };

describe('the incumbent against itself', () => {
  it('finds nothing where nothing is, keeps its labels, and spends no error budget', async () => {
    const test = evaluation({ ...suite, outcome: agent(() => 0.7) });
    const report = await calibrated(test);
    expect(report).toMatchObject({ epochs: 3, scenarios: { train: 8, holdout: 22 }, coverage: 1, placebos: [] });
    expect(report.arm?.p).toBeGreaterThan(0.05);
    expect(report.order?.p).toBeGreaterThan(0.05);
    expect(report.order?.detectable).toBeGreaterThan(0.05);
    expect(report.repeats).toMatchObject({ kind: 'varied', asked: 30 });
    expect(test.ran).toHaveLength(180);
    expect(new Set(test.ran.map(({ targetContent }) => sha256(targetContent))).size).toBe(1);
    expect(test.ran.filter(({ arm }) => arm === 'candidate')).toHaveLength(90);
    expect(count(test, 'SELECT COUNT(*) FROM error_budget_ledger')).toBe(0);
    expect(listConsultations(test.db, test.profileId)).toMatchObject([
      { kind: 'evaluation', detail: expect.stringContaining('decides nothing') as string },
    ]);
    expect(report.spent.tokens).toBe(180_000);
  });

  it('shows that what runs second passes more often, whichever arm that is', async () => {
    const test = evaluation({ ...suite, outcome: agent((_, position) => (position === 1 ? 0.3 : 0.8)) });
    const report = await calibrated(test);
    expect(report.order?.p).toBeLessThan(0.001);
    expect(report.order?.effect).toBeGreaterThan(0.2);
    expect(report.order?.effect).toBeGreaterThan(report.order?.detectable ?? 1);
    expect(report.arm?.p).toBeGreaterThan(0.05);
    expect(await calibrationBrief(test.ctx)).toMatchObject({ findings: ['order'], outdated: false });
  });

  it('shows that something tells the arms apart', async () => {
    const test = evaluation({ ...suite, outcome: agent(({ arm }) => (arm === 'candidate' ? 0.8 : 0.3)) });
    const report = await calibrated(test);
    expect(report.arm?.p).toBeLessThan(0.001);
    expect(report.order?.p).toBeGreaterThan(0.05);
    expect(await calibrationBrief(test.ctx)).toMatchObject({ findings: ['arm'] });
  });

  it('names flaky train scenarios and no hidden one', async () => {
    const flaky = new Set(['train-2', 'holdout-3', 'holdout-9']);
    const test = evaluation({
      ...suite,
      outcome: agent(({ scenario, epoch }) => (flaky.has(scenario.name) && epoch === 2 ? 0 : 1)),
    });
    const report = await calibrated(test);
    const { train, holdout } = report.flakiness;
    expect(train.filter(({ disagreement }) => disagreement !== 0)).toMatchObject([
      { name: 'train-2', runs: 6, passes: 4 },
    ]);
    expect(holdout.map(({ disagreement }) => disagreement)).toEqual(
      holdout.map(({ disagreement }) => disagreement).toSorted((a, b) => Number(a) - Number(b)),
    );
    expect(holdout.filter(({ disagreement }) => disagreement !== 0)).toHaveLength(2);
    expect(JSON.stringify(report)).not.toContain('holdout-');
  });

  it('says that too few groups could have shown nothing, and what was lost', async () => {
    const test = evaluation({
      train: 2,
      holdout: 3,
      outcome: (spec) =>
        spec.scenario.name === 'holdout-1' && spec.arm === 'candidate'
          ? {
              kind: 'infra',
              reason: 'provider error 500',
              stopRun: false,
              totalTokens: 0,
              costUsd: null,
              durationMs: 5,
            }
          : true,
    });
    const report = await calibrated(test);
    expect(report.order?.detectable).toBeNull();
    expect(report.coverage).toBeCloseTo(12 / 15);
    expect(report.infra).toMatchObject({ incumbent: 0, candidate: 9 });
  });
});

describe('answers that repeat', () => {
  it('are deterministic or cached when nothing more is known', async () => {
    const test = evaluation({ ...suite, outcome: ({ scenario }) => completed(`yes, ${scenario.name}`) });
    const report = await calibrated(test);
    expect(report.repeats).toEqual({ kind: 'identical', asked: 30, identical: 30, sign: null });
    expect(report.repeatsText).toContain('deterministic or cached');
    expect(report.order?.detectable).toBeGreaterThan(0.02);
    expect(await calibrationBrief(test.ctx)).toMatchObject({ findings: ['identical'] });
  });

  it.each([
    ['the same response id', (name: string) => ({ responseIds: [`gen-${name}`] }), 'ids'],
    ['repeats that come at once', (_: string, time: number) => ({ modelMs: time === 1 ? 2_000 : 10 }), 'latency'],
  ])('are cached when %s shows it', async (_what, part, sign) => {
    const times = new Map<string, number>();
    const test = evaluation({
      train: 5,
      holdout: 5,
      outcome: ({ scenario: { name } }) => {
        const time = (times.get(name) ?? 0) + 1;
        times.set(name, time);
        return completed(`yes, ${name}`, part(name, time));
      },
    });
    const report = await calibrated(test);
    expect(report.repeats).toMatchObject({ kind: 'cached', sign });
    expect(await calibrationBrief(test.ctx)).toMatchObject({ findings: ['cached'] });
  });
});

describe('placebos', () => {
  const worded = (text: string) => ({
    judge: () => JSON.stringify({ text }),
  });

  it('are written by the proposer from one sentence, and run on train scenarios only', async () => {
    const test = evaluation({ ...suite, ...worded('Keep your answers short.'), outcome: agent(() => 0.6) });
    const report = await calibrated(test, { placebos: 1 });
    const [placebo] = report.placebos;
    expect(placebo).toMatchObject({
      after: 'Keep your answers short.',
      by: expect.stringContaining('j') as string,
      coverage: 1,
    });
    expect(placebo?.contrast?.groups).toBe(8);
    const reworded = test.ran.filter(({ targetContent }) =>
      Buffer.from(targetContent).includes('Keep your answers short.'),
    );
    expect(reworded).toHaveLength(24);
    expect(new Set(reworded.map(({ scenario }) => scenario.split))).toEqual(new Set(['train']));
    // What the proposer learns from must stay what it was.
    expect(failingTrainTrials(test.db, test.profileId, sha256(readFileSync(test.target)), 50)).toEqual([]);
  });

  it('can be the person’s own; one that can’t be applied is refused before anything runs', async () => {
    const test = evaluation({ ...suite, outcome: agent(({ arm }) => (arm === 'candidate' ? 1 : 0.2)) });
    await expect(planCalibration(test.ctx, { written: [{ sentence: 99, text: 'Be brief.' }] })).rejects.toMatchObject({
      code: 'bad_edit',
    });
    await expect(
      planCalibration(test.ctx, { written: [{ sentence: 2, text: 'Answer briefly.' }] }),
    ).rejects.toMatchObject({ code: 'bad_edit' });
    const report = await calibrated(test, { written: [{ sentence: 2, text: 'Give brief answers.' }] });
    expect(report.placebos).toMatchObject([
      { sentence: 2, before: 'Answer briefly.', after: 'Give brief answers.', by: 'human' },
    ]);
    expect(report.placebos[0]?.contrast?.p).toBeLessThan(0.05);
  });

  it('that the proposer can’t write are left out, and it is said', async () => {
    const test = evaluation({ ...suite, ...worded('Two sentences. Not one.'), outcome: agent(() => 0.6) });
    const report = await calibrated(test, { placebos: 1 });
    expect(report.placebos).toEqual([]);
    expect(report.placeboFailures).toMatchObject([expect.stringMatching(/could not be reworded: .*2 sentences/)]);
  });

  it('need train scenarios', async () => {
    const test = evaluation({ train: 0, holdout: 3, outcome: () => true });
    await expect(planCalibration(test.ctx, { placebos: 1 })).rejects.toMatchObject({ code: 'bad_scenario' });
    expect((await planCalibration(test.ctx, {})).options).toMatchObject({ placebos: 0 });
  });
});

describe('a calibration as a job', () => {
  it('goes on from its finished pairs, with the text and the suite it began with', async () => {
    let broken = true;
    const test = evaluation({
      train: 4,
      holdout: 6,
      outcome: (_spec, call) => {
        if (broken && call > 12) throw new Error('power cut');
        return call % 3 > 0;
      },
    });
    const job = await start(test);
    await expect(runJobNow(test.ctx, job)).rejects.toThrow('power cut');
    broken = false;
    const before = test.ran.length;
    writeFileSync(test.target, 'Another text. Be brief.\n');
    // It failed for a fault of the test's runner, so a new one is asked for; nothing of the old one is mixed in.
    const again = await start(test);
    expect(again).not.toBe(job);
    await runJobNow(test.ctx, again);
    expect(calibrationOf(test.ctx, again)).toMatchObject({ coverage: 1 });
    expect(test.ran.length - before).toBe(60);
  });

  it('that was interrupted keeps what it has run', async () => {
    const stop = new AbortController();
    const test = evaluation({
      train: 4,
      holdout: 6,
      outcome: (_spec, call) => {
        if (call === 21) stop.abort();
        return call % 3 > 0;
      },
    });
    const job = await start(test);
    const interrupted = { ...test.ctx, signal: stop.signal };
    await expect(runJobNow(interrupted, job)).rejects.toMatchObject({ code: 'interrupted' });
    expect(getJob(test.db, job).state).toBe('queued');
    const kept = count(test, 'SELECT COUNT(*) FROM trials');
    expect(kept).toBeGreaterThan(15);
    writeFileSync(test.target, 'Another text. Be brief.\n');
    expect((await planCalibration(test.ctx, {})).openJob).toBe(job);
    await expect(planCalibration(test.ctx, { epochs: 5 })).rejects.toMatchObject({ code: 'wrong_state' });
    expect(await work(test.ctx)).toMatchObject({ ran: [{ jobId: job, state: 'finished' }] });
    expect(calibrationOf(test.ctx, job)).toMatchObject({ coverage: 1 });
    expect(count(test, 'SELECT COUNT(*) FROM eval_runs')).toBe(1);
    // Pairs that were cut in half run again as a whole.
    expect(count(test, 'SELECT COUNT(*) FROM trials')).toBeLessThanOrEqual(60 + 2);
    expect(new Set(test.ran.map(({ targetContent }) => sha256(targetContent))).size).toBe(1);
  });

  it('stops when it is cancelled, and the next one starts afresh with a budget of its own', async () => {
    const test = evaluation({ train: 2, holdout: 3, config: { budget: { tokens: 400_000 } }, outcome: () => true });
    const job = await start(test);
    cancelJob(test.ctx, job);
    await expect(runJobNow(test.ctx, job)).rejects.toMatchObject({ code: 'wrong_state' });
    expect(test.ran).toHaveLength(0);
    expect(await calibrationBrief(test.ctx)).toBeNull();
    for (let time = 0; time < 3; time += 1) expect((await calibrated(test)).spent.tokens).toBe(30_000);
  });

  it('waits for a person when its budget is spent', async () => {
    const test = evaluation({ train: 2, holdout: 3, config: { budget: { tokens: 90_000 } }, outcome: () => true });
    const job = await start(test);
    await expect(runJobNow(test.ctx, job)).rejects.toMatchObject({ code: 'budget' });
    expect(getJob(test.db, job).state).toBe('waiting');
  });

  it('is refused without scenarios', async () => {
    const test = evaluation({ train: 0, holdout: 0, outcome: () => true });
    await expect(planCalibration(test.ctx, {})).rejects.toMatchObject({ code: 'bad_scenario' });
  });
});
