/**
 * What the gate relies on, one safeguard at a time: with it the stated level holds, without it the same data break it.
 * All edits here do nothing on average (or, for deletions, cost exactly the margin), so every keep is a false one.
 */
import { describe, expect, it } from 'vitest';
import { decide } from '#src/gate/decide.js';
import { estimateEffect } from '#src/gate/effect.js';
import { studentTCdf } from '#src/gate/studentT.js';
import { nonInferiorityP } from '#src/gate/deletion.js';
import { defaultLooks, pairOrder } from '#src/gate/plan.js';
import { randomFrom, type Random } from '#src/gate/random.js';
import { signFlipP } from '#src/gate/signFlip.js';
import { groupDifferences } from '#src/gate/tally.js';
import type { GatePlan, Pair, Tally } from '#src/gate/types.js';
import { runScreen } from '#src/gate/simulatedEdit.js';
import { drawScenarios, normal, shifted } from '#src/gate/simulatedSuite.js';
import { GrowingTally } from '#src/gate/growingTally.js';

/** Share of draws in which `keeps` is true, and three Monte Carlo errors of a share of `level`. */
function share(name: string, draws: number, keeps: (random: Random, draw: number) => boolean): number {
  let kept = 0;
  for (let i = 0; i < draws; i += 1) if (keeps(randomFrom(`${name}/${i}`), i)) kept += 1;
  return kept / draws;
}

const slack = (level: number, draws: number): number => 3 * Math.sqrt((level * (1 - level)) / draws);

function passes(chance: number, random: Random): 0 | 1 {
  return random() < chance ? 1 : 0;
}

function planOf(scenarios: GatePlan['scenarios'], epochs: number, alpha: number): GatePlan {
  return { alpha, epochs, scenarios, looks: defaultLooks(epochs, new Set(scenarios.map((s) => s.group)).size) };
}

const NO_INFRA = { incumbent: 0, candidate: 0, started: 1000 };

/** Whether production keeps, going through its looks. */
function keeps(pairs: readonly Pair[], plan: GatePlan, infra = NO_INFRA): boolean {
  for (let look = 1; look <= plan.looks.length; look += 1) {
    const verdict = decide({ pairs, infra }, plan, look);
    if (verdict !== null) return verdict.verdict === 'keep';
  }
  return false;
}

function lone(n: number): GatePlan['scenarios'] {
  return Array.from({ length: n }, (_, scenario) => ({ scenario, group: `g${scenario}` }));
}

function pairsOf(
  plan: GatePlan,
  run: (scenario: number, epoch: number) => { incumbent: 0 | 1; candidate: 0 | 1 },
): Pair[] {
  return plan.scenarios.flatMap(({ scenario, group }) =>
    Array.from({ length: plan.epochs }, (_, e): Pair => ({ scenario, group, epoch: e + 1, ...run(scenario, e + 1) })),
  );
}

describe('order drift: whatever runs second passes 3 points more often', () => {
  const alpha = 0.05;
  const plan = planOf(lone(60), 6, alpha);
  const rate = (order: (draw: number, scenario: number, epoch: number) => 'incumbent' | 'candidate') =>
    share('drift', 600, (random, draw) => {
      const chances = drawScenarios(60, random).map((p) => Math.min(p, 0.95));
      const pairs = pairsOf(plan, (scenario, epoch) => {
        const p = chances[scenario] as number;
        const incumbentFirst = order(draw, scenario, epoch) === 'incumbent';
        return {
          incumbent: passes(incumbentFirst ? p : p + 0.03, random),
          candidate: passes(incumbentFirst ? p + 0.03 : p, random),
        };
      });
      return keeps(pairs, plan);
    });

  it('is harmless when a coin draws the order, and not when the incumbent always runs first', () => {
    expect(rate((draw, scenario, epoch) => pairOrder(String(draw), scenario, epoch))).toBeLessThanOrEqual(
      alpha + slack(alpha, 600),
    );
    expect(rate(() => 'incumbent')).toBeGreaterThan(2 * alpha);
  });
});

describe('effects shared by groups of three near-copies, as often up as down', () => {
  const alpha = 0.01;
  const epochs = 6;
  const near = Array.from({ length: 60 }, (_, scenario) => ({ scenario, group: `g${Math.floor(scenario / 3)}` }));
  const rate = (scenarios: GatePlan['scenarios']) =>
    share('groups', 1500, (random) => {
      const base = drawScenarios(20, random);
      const moved = base.map((p) => shiftOne(p, 2 * normal(random), random));
      const plan = planOf(scenarios, epochs, alpha);
      const pairs = pairsOf(plan, (scenario) => {
        const [x, y] = moved[Math.floor(scenario / 3)] as [number, number];
        return { incumbent: passes(x, random), candidate: passes(y, random) };
      });
      return keeps(pairs, plan);
    });

  it('count once a group, and break the level when every scenario counts', () => {
    expect(rate(near)).toBeLessThanOrEqual(alpha + slack(alpha, 1500));
    expect(rate(lone(60))).toBeGreaterThan(3 * alpha);
  });
});

/** The pass probability of a scenario under two texts that differ by so many logits; which is which is a coin. */
function shiftOne(p: number, logits: number, random: Random): [number, number] {
  const other = 1 / (1 + Math.exp(-(Math.log(p / (1 - p)) + logits)));
  return random() < 0.5 ? [p, other] : [other, p];
}

describe('a candidate that turns 30 % of its failures into time-outs', () => {
  const alpha = 0.001;
  const plan = planOf(lone(60), 6, alpha);
  const asFailures = (random: Random, p: number) => ({
    incumbent: passes(p, random),
    candidate: passes(p, random),
    lost: 0,
  });
  /** A time-out called infra: the pair is run again, at most twice more. */
  const asInfra = (random: Random, p: number) => {
    let lost = 0;
    for (;;) {
      const pair = { incumbent: passes(p, random), candidate: passes(p, random) };
      const timedOut = pair.candidate === 0 && random() < 0.3;
      if (!timedOut || lost === 2) return { ...pair, lost };
      lost += 1;
    }
  };
  const rate = (run: typeof asInfra, counted: boolean) =>
    share('time-outs', 600, (random) => {
      const chances = drawScenarios(60, random);
      let lost = 0;
      const pairs = pairsOf(plan, (scenario) => {
        const pair = run(random, chances[scenario] as number);
        lost += pair.lost;
        return pair;
      });
      const infra = { incumbent: 0, candidate: counted ? lost : 0, started: pairs.length + lost };
      return keeps(pairs, plan, infra);
    });

  it('gains nothing while time-outs are failures, and nothing while lopsided infra is noticed', () => {
    expect(rate(asFailures, true)).toBeLessThanOrEqual(alpha + slack(alpha, 600));
    expect(rate(asInfra, true)).toBeLessThanOrEqual(alpha + slack(alpha, 600));
    expect(rate(asInfra, false)).toBeGreaterThan(20 * alpha);
  });
});

describe('signed allocation: more epochs where the candidate is behind', () => {
  const alpha = 0.001;
  const draws = 1500;
  const rate = (again: (difference: number) => boolean) =>
    share('allocation', draws, (random) => {
      const chances = drawScenarios(60, random);
      const differences = chances.map((p) => {
        let difference = 0;
        let epochs = 0;
        const run = (n: number): void => {
          for (let i = 0; i < n; i += 1) difference += passes(p, random) - passes(p, random);
          epochs += n;
        };
        run(2);
        if (again(difference)) run(6);
        // Rates over unlike numbers of epochs, brought to the common denominator of 2 and 8.
        return (difference * 8) / epochs;
      });
      return signFlipP(differences) <= alpha;
    });

  it('breaks the level, which the same number of epochs everywhere keeps', () => {
    expect(rate(() => true)).toBeLessThanOrEqual(alpha + slack(alpha, draws));
    expect(rate((difference) => difference < 0)).toBeGreaterThan(10 * alpha);
  });
});

describe('a cached incumbent', () => {
  const alpha = 0.05;
  const n = 60;
  /** The model has become 4 points better since the incumbent's record was made. */
  const rate = (cached: boolean) =>
    share('cached', 600, (random) => {
      const before = drawScenarios(n, random);
      const now = shifted(before, 0.04);
      const plan = planOf(lone(n), 6, alpha);
      const pairs = pairsOf(plan, (scenario) => ({
        incumbent: passes((cached ? before : now)[scenario] as number, random),
        candidate: passes(now[scenario] as number, random),
      }));
      return keeps(pairs, plan);
    });

  it("credits the candidate with the model's own change; one that is measured again does not", () => {
    expect(rate(false)).toBeLessThanOrEqual(alpha + slack(alpha, 600));
    expect(rate(true)).toBeGreaterThan(2 * alpha);
  });
});

describe('null edits that overfit the train scenarios the proposer saw', () => {
  const draws = 1000;
  const passed = (screenedOnSeen: boolean) =>
    share('overfit', draws, (random) => {
      const chances = drawScenarios(60, random);
      const candidate = screenedOnSeen ? shifted(chances, 0.1) : chances;
      return runScreen({ incumbent: chances, candidate }, random).passed;
    });

  it('are screened out like any other on groups it did not see, and let through on those it did', () => {
    expect(passed(false)).toBeLessThan(0.2);
    expect(passed(true)).toBeGreaterThan(0.5);
  });
});

describe('deletions that cost exactly the margin', () => {
  const alpha = 0.02;
  const draws = 4000;
  const epochs = 6;
  type Shape = readonly [name: string, margin: number, groups: number, chances: (i: number) => [number, number]];
  const GRID: readonly Shape[] = [
    ['1 to .95', 0.05, 60, () => [1, 0.95]],
    ['1 to .9', 0.1, 60, () => [1, 0.9]],
    ['1 to .9, 20 groups', 0.1, 20, () => [1, 0.9]],
    ['.98 to .93', 0.05, 60, () => [0.98, 0.93]],
    ['.98 to .88, 20 groups', 0.1, 20, () => [0.98, 0.88]],
    ['6 of 60 broken', 0.1, 60, (i) => (i < 6 ? [1, 0] : [1, 1])],
    ['6 of 60 broken, the others flaky', 0.1, 60, (i) => (i < 6 ? [1, 0] : [0.9, 0.9])],
    ['3 of 60 broken', 0.05, 60, (i) => (i < 3 ? [1, 0] : [1, 1])],
    ['2 of 20 broken, the others flaky', 0.1, 20, (i) => (i < 2 ? [1, 0] : [0.9, 0.9])],
  ];
  const rate = ([name, , groups, chances]: Shape, kept: (tally: Tally) => boolean): number => {
    const each = Array.from({ length: groups }, (_, i) => chances(i));
    const suite = { incumbent: each.map(([x]) => x), candidate: each.map(([, y]) => y) };
    return share(name, draws, (random) => kept(new GrowingTally(suite, random).runEpochs(epochs)));
  };

  it.each(GRID)('%s: kept in at most 1.2 alpha', (...shape) => {
    const margin = shape[1];
    const kept = rate(shape, (tally) => (nonInferiorityP(tally, { margin, epochs }) ?? 1) <= alpha);
    expect(kept).toBeLessThanOrEqual(1.2 * alpha + slack(1.2 * alpha, draws));
  });

  it('one variance alone keeps more than twice as many, and sign flips of shifted differences three times', () => {
    const certain = GRID.filter(([name]) => name.startsWith('1 to .9'));
    const alone = (variance: 'between' | 'within') =>
      certain.map((shape) =>
        rate(shape, (tally) => {
          const estimate = estimateEffect(tally);
          if (estimate === null) return false;
          const t = (estimate.mean + shape[1]) / Math.sqrt(estimate[variance]);
          return studentTCdf(-t, tally.groups - 1) <= alpha;
        }),
      );
    expect(Math.max(...alone('between'))).toBeGreaterThan(2 * alpha);
    expect(Math.max(...alone('within'))).toBeGreaterThan(2 * alpha);
    // 6 epochs and a margin of a tenth: in units of a tenth of an epoch the shift is 6.
    const nominal = 0.001;
    const flips = certain.map((shape) =>
      rate(shape, (tally) => signFlipP(groupDifferences(tally).map((d) => 10 * d + 60 * shape[1])) <= nominal),
    );
    expect(Math.max(...flips)).toBeGreaterThan(3 * nominal);
  });
});
