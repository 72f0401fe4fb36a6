import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { evaluateExperiment } from '#src/services/evaluate.js';
import { getExperiment, history } from '#src/store/experiments.js';
import { listConsultations } from '#src/store/holdoutConsultations.js';
import { listScenarioResults } from '#src/store/scenarioResults.js';
import { completed, count, evaluation, infra, isArm, type Evaluation } from './fixture.js';

const TRIALS = 'SELECT COUNT(*) FROM trials';

describe('evaluating an edit on the holdout', () => {
  it('keeps an edit that helps, and stores results of both arms with their provenance', async () => {
    const test = evaluation({ outcome: isArm('candidate') });
    const verdict = await evaluateExperiment(test.ctx, test.experimentId);
    expect(verdict).toMatchObject({ verdict: 'keep', effect: 1, groups: 14, coverage: 1, look: 1 });

    const experiment = getExperiment(test.db, test.experimentId);
    expect(experiment).toMatchObject({ state: 'proposed', verdict: 'keep', offlineScore: 1 });
    expect(experiment.tokens).toBe(1000 * test.ran.length);
    expect(experiment.evidenceFingerprint).toMatch(/^[0-9a-f]{64}$/);
    const results = listScenarioResults(test.db, test.experimentId);
    expect(results).toHaveLength(28);
    expect(results.every((row) => row.split === 'holdout' && row.scenarioSnapshot.spec.input !== undefined)).toBe(true);
    expect(results.filter((row) => row.passFail === 'pass').map((row) => row.arm)).toEqual(Array(14).fill('candidate'));
    expect(test.ran.every((spec) => spec.scenario.split === 'holdout')).toBe(true);
    expect(test.closed()).toBe(1);
  });

  it('rejects an edit that does nothing, by the gate, before the planned end', async () => {
    const test = evaluation({ outcome: () => true });
    const verdict = await evaluateExperiment(test.ctx, test.experimentId);
    expect(verdict).toMatchObject({ verdict: 'discard', look: 2 });
    expect(getExperiment(test.db, test.experimentId)).toMatchObject({ state: 'rejected', rejectedBy: 'gate' });
    expect(history(test.db, test.experimentId).at(-1)).toMatchObject({ toState: 'rejected', actor: 'gate' });
    // Four of six epochs were not paid for.
    expect(test.ran).toHaveLength(56);
  });

  it('starts no trial after the look that decides', async () => {
    // Kept at the first look; the plan has four.
    const test = evaluation({ holdout: 24, outcome: isArm('candidate') });
    expect(await evaluateExperiment(test.ctx, test.experimentId)).toMatchObject({
      verdict: 'keep',
      look: 1,
      epochs: 1,
    });
    expect(new Set(test.ran.map((spec) => spec.epoch))).toEqual(new Set([1]));
    expect(test.ran).toHaveLength(48);
  });

  it('fixes the plan before the first trial, and goes on with it when suite and settings are others', async () => {
    let broken = true;
    const plans: unknown[] = [];
    const read = (test: Evaluation) => test.db.prepare('SELECT id, plan, plan_sha256 FROM eval_runs').all();
    const test = evaluation({
      holdout: 24,
      config: { budget: { tokens: 1e9 }, runner: { concurrency: 1 } },
      outcome: (spec, call) => {
        if (call === 1) plans.push(read(test));
        if (broken && call > 30) throw new Error('power cut');
        return spec.arm === 'candidate';
      },
    });
    await expect(evaluateExperiment(test.ctx, test.experimentId)).rejects.toThrow('power cut');
    broken = false;
    test.db.prepare("UPDATE scenarios SET deleted_at = 1 WHERE name = 'holdout-24'").run();
    const { config } = test.ctx.config;
    const changed = { ...config, gate: { ...config.gate, alpha: 0.5, epochs: 3 } };
    const ctx = { ...test.ctx, config: { ...test.ctx.config, config: changed } };
    expect(await evaluateExperiment(ctx, test.experimentId)).toMatchObject({ verdict: 'keep', groups: 24 });
    expect(plans).toEqual([read(test)]);
    // No pair was paid for twice: 24 scenarios under two texts, and the trial that broke off.
    expect(test.ran).toHaveLength(49);
  });

  it('writes consultation and error budget before the first trial, and spends them although the run breaks off', async () => {
    const test = evaluation({
      outcome: () => {
        throw new Error('power cut');
      },
    });
    await expect(evaluateExperiment(test.ctx, test.experimentId)).rejects.toThrow('power cut');
    expect(listConsultations(test.db, test.profileId)).toMatchObject([{ kind: 'evaluation', actor: 'gate' }]);
    expect(count(test, 'SELECT COUNT(*) FROM error_budget_ledger')).toBe(1);
    expect(count(test, "SELECT COUNT(*) FROM eval_runs WHERE state = 'interrupted'")).toBe(1);
    // What a trial that broke off has used, nobody counted: it is booked as reserved.
    expect(getExperiment(test.db, test.experimentId).tokens).toBeGreaterThan(0);
  });

  it('gives both arms their own bytes, in the same slot', async () => {
    const test = evaluation({
      outcome: isArm('candidate'),
      config: { budget: { tokens: 1e9 }, runner: { concurrency: 3 } },
    });
    await evaluateExperiment(test.ctx, test.experimentId);
    const { baseContent, candidateContent } = getExperiment(test.db, test.experimentId);
    for (const spec of test.ran) {
      const expected = spec.arm === 'incumbent' ? baseContent : candidateContent;
      expect(Buffer.from(spec.targetContent).equals(expected!)).toBe(true);
    }
    const slots = new Map<string, Set<number>>();
    for (const { scenario, epoch, slot } of test.ran) {
      const key = `${scenario.id}/${epoch}`;
      slots.set(key, (slots.get(key) ?? new Set()).add(slot));
    }
    expect([...slots.values()].every((used) => used.size === 1)).toBe(true);
  });
});

describe('faults outside the agent', () => {
  it('lose the pair, not the run: both arms are run again', async () => {
    let failed = false;
    const test = evaluation({
      holdout: 24,
      outcome: (spec) => {
        if (failed || spec.arm !== 'candidate') return spec.arm === 'candidate';
        failed = true;
        return infra('provider error: HTTP 500');
      },
    });
    expect(await evaluateExperiment(test.ctx, test.experimentId)).toMatchObject({ verdict: 'keep' });
    expect(count(test, `${TRIALS} WHERE outcome = 'infra' AND infra_reason LIKE '%HTTP 500%'`)).toBe(1);
    const results = listScenarioResults(test.db, test.experimentId);
    expect(results.reduce((sum, row) => sum + row.infra, 0)).toBe(1);
    expect(results.every((row) => row.epochs === results[0]?.epochs)).toBe(true);
  });

  it('in one arm only never lead to a keep', async () => {
    const test = evaluation({ outcome: (spec) => (spec.arm === 'candidate' ? infra('down') : false) });
    const verdict = await evaluateExperiment(test.ctx, test.experimentId);
    expect(verdict.verdict).toBe('undecided');
    expect(getExperiment(test.db, test.experimentId)).toMatchObject({ state: 'proposed', verdict: 'undecided' });
  });

  it('in every trial stop the run early and say why; mended, it goes on as if it had not happened', async () => {
    let down = true;
    const test = evaluation({
      holdout: 24,
      config: { budget: { tokens: 1e9 } },
      outcome: (spec) => (down ? infra('provider error: HTTP 401 wrong key') : spec.arm === 'candidate'),
    });
    await expect(evaluateExperiment(test.ctx, test.experimentId)).rejects.toMatchObject({
      code: 'outage',
      message: expect.stringContaining('wrong key') as string,
    });
    expect(test.ran.length).toBeLessThan(20);
    expect(getExperiment(test.db, test.experimentId)).toMatchObject({ state: 'proposed', verdict: null });

    down = false;
    expect(await evaluateExperiment(test.ctx, test.experimentId)).toMatchObject({ verdict: 'keep' });
    expect(count(test, 'SELECT COUNT(*) FROM eval_runs')).toBe(1);
    // The pairs that the outage hit are not given up.
    expect(listScenarioResults(test.db, test.experimentId).every((row) => row.epochs > 0)).toBe(true);
  });

  it('a usage limit stops the run, which goes on later from what is finished', async () => {
    let limited = true;
    const test = evaluation({
      holdout: 24,
      config: { budget: { tokens: 1e9 }, runner: { concurrency: 1 } },
      outcome: (spec, call) =>
        limited && call > 6 ? infra('usage limit: come back later', true) : spec.arm === 'candidate',
    });
    await expect(evaluateExperiment(test.ctx, test.experimentId)).rejects.toMatchObject({ code: 'model_limit' });
    expect(getExperiment(test.db, test.experimentId)).toMatchObject({ state: 'proposed', verdict: null });

    limited = false;
    expect(await evaluateExperiment(test.ctx, test.experimentId)).toMatchObject({ verdict: 'keep' });
    expect(count(test, 'SELECT COUNT(*) FROM eval_runs')).toBe(1);
    expect(count(test, 'SELECT COUNT(*) FROM error_budget_ledger')).toBe(1);
    // No pair that was complete before was run again.
    const pairs = `SELECT COUNT(*) FROM (SELECT 1 FROM trials WHERE outcome <> 'infra'
      GROUP BY scenario_id, epoch, arm HAVING COUNT(*) > 1)`;
    expect(count(test, pairs)).toBeLessThanOrEqual(1);
  });
});

it('an interrupted run is not gone on with under another agent model: its trials say nothing about that one', async () => {
  const test = evaluation({
    outcome: (spec, call) => {
      if (call === 5) throw new Error('power cut');
      return spec.arm === 'candidate';
    },
  });
  await expect(evaluateExperiment(test.ctx, test.experimentId)).rejects.toThrow('power cut');
  writeFileSync(join(test.home, 'config.yaml'), 'model: {default: another-model}\n');
  await evaluateExperiment(test.ctx, test.experimentId);
  expect(count(test, "SELECT COUNT(*) FROM eval_runs WHERE state = 'cancelled'")).toBe(1);
  const afresh = test.ran.filter((spec) => spec.evalRunId === 2).length;
  expect(count(test, `${TRIALS} JOIN eval_runs r ON r.id = eval_run_id WHERE r.state = 'finished'`)).toBe(afresh);
});

it('an interrupted run goes on with the plan as it was, whatever was edited meanwhile', async () => {
  const controller = new AbortController();
  const test = evaluation({
    outcome: (spec, call) => {
      if (call === 5) controller.abort();
      return spec.arm === 'candidate';
    },
    signal: controller.signal,
  });
  await expect(evaluateExperiment(test.ctx, test.experimentId)).rejects.toMatchObject({ name: 'AbortError' });
  const stored = count(test, TRIALS);
  expect(stored).toBeGreaterThan(0);
  test.db.prepare("UPDATE scenarios SET deleted_at = 1 WHERE name = 'holdout-1'").run();

  const resumed = { ...test.ctx, signal: new AbortController().signal };
  const verdict = await evaluateExperiment(resumed, test.experimentId);
  expect(verdict).toMatchObject({ verdict: 'keep', groups: 14 });
  expect(count(test, 'SELECT COUNT(*) FROM eval_runs')).toBe(1);
});

describe('before money is spent', () => {
  it('a suite that can not prove anything is refused, with what to add', async () => {
    const test = evaluation({ outcome: isArm('candidate'), holdout: 3 });
    await expect(evaluateExperiment(test.ctx, test.experimentId)).rejects.toMatchObject({
      code: 'underpowered',
      hint: expect.stringMatching(/at least 7 holdout/) as string,
    });
    expect(test.ran).toHaveLength(0);
    const verdict = await evaluateExperiment(test.ctx, test.experimentId, { underpowered: true });
    expect(verdict.verdict).toBe('undecided');
  });

  it('a file that a person changed is not evaluated', async () => {
    const test = evaluation({ outcome: isArm('candidate') });
    writeFileSync(test.target, 'My own text.\n');
    await expect(evaluateExperiment(test.ctx, test.experimentId)).rejects.toMatchObject({ code: 'stale' });
    expect(test.ran).toHaveLength(0);
  });

  it.each([
    ['contained tools without a container', { tools: 'contained' as const }, /can't run here: this test has none/],
    ['real tools nobody confirmed', { tools: 'real' as const, toolsets: ['terminal'] }, /nobody has confirmed/],
  ])('%s are refused', async (_name, spec, message) => {
    const test = evaluation({ outcome: isArm('candidate'), spec });
    await expect(evaluateExperiment(test.ctx, test.experimentId)).rejects.toMatchObject({
      code: 'bad_scenario',
      message: expect.stringMatching(message) as string,
    });
  });
});

describe('the budget', () => {
  it('stops the run before a trial that would pass it', async () => {
    const test = evaluation({
      outcome: isArm('candidate'),
      config: { budget: { tokens: 69_000 }, runner: { concurrency: 1 } },
    });
    await expect(evaluateExperiment(test.ctx, test.experimentId)).rejects.toMatchObject({ code: 'budget' });
    expect(getExperiment(test.db, test.experimentId).tokens).toBeLessThanOrEqual(69_000);
  });

  it('a trial that the budget ended is no failure of the agent', async () => {
    const test = evaluation({
      outcome: () => completed('', { limitReached: 'tokens', totalTokens: 90_000 }),
      config: { budget: { tokens: 300_000 }, runner: { concurrency: 1 } },
    });
    await expect(evaluateExperiment(test.ctx, test.experimentId)).rejects.toMatchObject({ code: 'budget' });
    expect(count(test, `${TRIALS} WHERE outcome = 'fail'`)).toBe(0);
  });

  it('a limit of the plan is a failure of the agent', async () => {
    const test = evaluation({
      outcome: (spec) => completed('yes', { limitReached: spec.arm === 'incumbent' ? 'time' : null }),
    });
    expect(await evaluateExperiment(test.ctx, test.experimentId)).toMatchObject({ verdict: 'keep', effect: 1 });
  });
});

describe('the judge of an evaluation', () => {
  const spec = { checks: [{ judge: 'says yes' }] };
  const strict = (answer: string) =>
    JSON.stringify({ rationale: 'as the rubric says', pass: /ANSWER =====\nyes/.test(answer) });

  it('grades blind, is proven once, and its rationale is kept', async () => {
    const asked: string[] = [];
    const test = evaluation({
      outcome: isArm('candidate'),
      spec,
      judge: (request) => {
        const content = request.messages.at(-1)?.content ?? '';
        asked.push(content);
        return strict(content);
      },
    });
    expect(await evaluateExperiment(test.ctx, test.experimentId)).toMatchObject({ verdict: 'keep' });
    expect(asked.length).toBe(test.ran.length + 3);
    const [row] = listScenarioResults(test.db, test.experimentId);
    expect(row).toMatchObject({ judgeModel: 'j (http://j/v1)', judgeRationale: 'as the rubric says' });
    expect(row?.judgeRunId).not.toBeNull();
  });

  it('that passes what is plainly wrong stops the run before the first trial', async () => {
    const test = evaluation({ outcome: isArm('candidate'), spec, judge: () => '{"rationale":"fine","pass":true}' });
    await expect(evaluateExperiment(test.ctx, test.experimentId)).rejects.toMatchObject({ code: 'model_failed' });
    expect(test.ran).toHaveLength(0);
  });

  it('must not be the proposer, as configured or as the call returned it', async () => {
    const p = { base_url: 'http://p/v1', model: 'p' };
    const configured = evaluation({
      outcome: isArm('candidate'),
      spec,
      config: { budget: { tokens: 1e9 }, models: { proposer: p, judge: p } },
    });
    await expect(evaluateExperiment(configured.ctx, configured.experimentId)).rejects.toMatchObject({
      code: 'same_model',
    });
    const returned = evaluation({
      outcome: isArm('candidate'),
      spec,
      judgeIdentity: { provider: 'openai-compatible', base_url: 'http://p/v1', model: 'p' },
    });
    await expect(evaluateExperiment(returned.ctx, returned.experimentId)).rejects.toMatchObject({ code: 'same_model' });
    expect([...configured.ran, ...returned.ran]).toHaveLength(0);
  });
});
