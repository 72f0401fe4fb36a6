/** What must never end in a keep, each with the name of its outcome; docs/gate.md has the same table. */
import { describe, expect, it } from 'vitest';
import { randomFrom } from '#src/gate/random.js';
import type { TrialSpec } from '#src/ports.js';
import { evaluateExperiment } from '#src/services/evaluate.js';
import { standing } from '#src/services/status.js';
import { getExperiment } from '#src/store/experiments.js';
import { count, evaluation, infra, isArm, type EvaluationOptions } from './fixture.js';

const perfect = isArm('candidate');
/** As people have it; the fixture asks for no power. */
const config = { budget: { tokens: 1_000_000_000 }, gate: { min_power: 0.5 } };
const chance = (spec: TrialSpec, what: string): number =>
  randomFrom(`${what}/${spec.scenario.name}/${spec.arm}/${spec.epoch}/${spec.attempt}`)();

async function verdictOf(options: EvaluationOptions, underpowered = false) {
  const test = evaluation(options);
  return { test, verdict: await evaluateExperiment(test.ctx, test.experimentId, { underpowered }) };
}

describe('a suite that cannot answer', () => {
  it.each([
    ['no holdout', 0],
    ['12 groups', 12],
  ])('%s: refused before any trial and any alpha', async (_name, holdout) => {
    const test = evaluation({ holdout, outcome: perfect, config });
    await expect(evaluateExperiment(test.ctx, test.experimentId)).rejects.toMatchObject({
      code: expect.stringMatching(/underpowered|bad_scenario/) as string,
    });
    expect(test.ran).toHaveLength(0);
    expect(count(test, 'SELECT COUNT(*) FROM error_budget_ledger')).toBe(0);
  });

  it('12 groups, forced: undecided, however good the edit', async () => {
    const { verdict } = await verdictOf({ holdout: 12, outcome: perfect, config }, true);
    expect(verdict.verdict).toBe('undecided');
  });

  it.each([
    ['passes', true],
    ['fails', false],
  ])('everything always %s: discarded at the second look', async (_name, outcome) => {
    const { verdict } = await verdictOf({ train: 0, outcome: () => outcome });
    expect(verdict).toMatchObject({ verdict: 'discard', look: 2, effect: 0 });
  });
});

describe('trials that are lost', () => {
  it('40 % of them, in both arms alike: undecided, for want of pairs', async () => {
    const outcome: EvaluationOptions['outcome'] = (spec) =>
      chance(spec, 'lost') < 0.4 ? infra('provider error 500') : spec.arm === 'candidate';
    const { verdict } = await verdictOf({ train: 0, holdout: 20, outcome });
    expect(verdict).toMatchObject({ verdict: 'undecided', reason: expect.stringContaining('planned pairs') as string });
    expect(verdict.coverage).toBeLessThan(0.9);
  });

  it('only the candidate’s: undecided, since a candidate could lose what it would fail', async () => {
    const outcome: EvaluationOptions['outcome'] = (spec) =>
      spec.arm === 'candidate' && chance(spec, 'lost') < 0.3 ? infra('provider error 500') : spec.arm === 'candidate';
    const { verdict } = await verdictOf({ train: 0, holdout: 20, outcome });
    expect(verdict.verdict).toBe('undecided');
    expect(verdict.reason).toMatch(/outside faults|planned pairs/);
  });

  it('all of one arm: undecided, or stopped by name, with no pair to count', async () => {
    const outcome: EvaluationOptions['outcome'] = (spec) =>
      spec.arm === 'candidate' ? infra('provider error 500') : true;
    const { verdict } = await verdictOf({ train: 0, outcome });
    expect(verdict).toMatchObject({ verdict: 'undecided', p: null, groups: 0 });
  });
});

describe('a world that changes meanwhile', () => {
  it('the suite is edited while it runs: the snapshot decides, and its evidence is called expired', async () => {
    const changed = { done: false };
    const test: ReturnType<typeof evaluation> = evaluation({
      train: 0,
      outcome: (spec) => {
        if (!changed.done) {
          changed.done = true;
          test.db.prepare("UPDATE scenarios SET deleted_at = 1 WHERE name IN ('holdout-1', 'holdout-2')").run();
        }
        return spec.arm === 'candidate';
      },
    });
    const verdict = await evaluateExperiment(test.ctx, test.experimentId);
    expect(verdict).toMatchObject({ groups: 14, coverage: 1 });
    const { next, view } = await standing(test.ctx, getExperiment(test.db, test.experimentId));
    expect(`${view.phase} ${next.say}`).toMatch(/stale|expired|changed|no longer/i);
  });

  it('the clock goes back: the verdict is the one of a clock that does not', async () => {
    const outcome: EvaluationOptions['outcome'] = (spec) => chance(spec, 'clock') < 0.6;
    const steady = await verdictOf({ train: 0, outcome });
    const test: ReturnType<typeof evaluation> = evaluation({
      train: 0,
      outcome: (spec, call) => {
        if (call % 5 === 0) test.clock.advance(-3_600_000);
        return outcome(spec, call);
      },
    });
    const verdict = await evaluateExperiment(test.ctx, test.experimentId);
    expect(verdict).toEqual(steady.verdict);
    expect(verdict.verdict).not.toBe('keep');
    expect(count(test, 'SELECT COUNT(*) FROM error_budget_ledger')).toBe(1);
  });
});

it('no result gives a scenario more trials than another: all get the same number of epochs', async () => {
  // Better in one of three scenarios: a sign of a gain, so that every look is taken.
  const outcome: EvaluationOptions['outcome'] = (spec) => spec.arm === 'candidate' && spec.scenario.id % 3 === 0;
  const { test, verdict } = await verdictOf({ train: 0, outcome });
  expect(verdict).toMatchObject({ verdict: 'undecided', look: 4 });
  const trials = new Map<string, number>();
  for (const { scenario, arm } of test.ran) {
    const key = `${scenario.name} ${arm}`;
    trials.set(key, (trials.get(key) ?? 0) + 1);
  }
  expect([...trials.values()]).toEqual(Array.from({ length: 28 }, () => 6));
});
