import { consultationAlpha, DELETION_ALPHA } from '#src/gate/errorBudget.js';
import { DELETION_MARGIN } from '#src/gate/deletion.js';
import { randomFrom, type Random } from '#src/gate/random.js';
import { COMMON_RULES } from './commonRules.js';
import { judgeDeletion, judgeEdit, liveWindow, type Edit } from '#src/gate/simulatedEdit.js';
import { drawScenarios, mean, normal, shifted, type Suite } from '#src/gate/simulatedSuite.js';
import { GrowingTally } from '#src/gate/growingTally.js';

/** What one draw measured, by name; a measure that does not apply to the draw is left out. */
export type Measures = Record<string, number>;
export type Cell = (random: Random, seed: string) => Measures;

const ALPHA = 0.05;
const EDITS = 100;

/** Candidate and incumbent on n train and n holdout scenarios. */
interface Profile {
  readonly train: readonly number[];
  readonly holdout: readonly number[];
}

function drawProfile(n: number, random: Random): Profile {
  return { train: drawScenarios(n, random), holdout: drawScenarios(n, random) };
}

const moved = (scenarios: readonly number[], points: number, own?: readonly number[]): Suite => ({
  incumbent: scenarios,
  candidate: shifted(scenarios, points, own),
});

function edit(profile: Profile, points: { train: number; holdout: number }): Edit {
  return { train: moved(profile.train, points.train), holdout: moved(profile.holdout, points.holdout) };
}

const both = (points: number) => ({ train: points, holdout: points });

/** 100 edits without effect on the holdout, with a +20 tried in place of the 1st, 20th and 100th. */
function sequence(groups: number, epochs: number, { trainPoints }: { trainPoints: number }): Cell {
  return (random) => {
    const profile = drawProfile(groups, random);
    const idle = edit(profile, { train: trainPoints, holdout: 0 });
    const helping = edit(profile, both(0.2));
    const measures: Measures = {};
    let j = 1;
    let falseKeeps = 0;
    let trials = 0;
    for (let candidate = 1; candidate <= EDITS; candidate += 1) {
      const terms = { epochs, alpha: consultationAlpha(ALPHA, j), random };
      if (candidate === 1 || candidate === 20 || candidate === EDITS) {
        measures[`+20 at ${candidate}`] = Number(judgeEdit(helping, terms).kept);
      }
      const outcome = judgeEdit(idle, terms);
      trials += outcome.trials;
      if (outcome.kept) falseKeeps += 1;
      else if (outcome.consulted) j += 1;
    }
    return {
      ...measures,
      'any false keep': Number(falseKeeps > 0),
      'trials of an edit': trials / EDITS,
      'share consulting the holdout': (j - 1 + falseKeeps) / EDITS,
    };
  };
}

/** One edit of the same effect on train and holdout; `sd` of its differences between scenarios, in logits. */
function single(of: { groups: number; epochs: number; points: number; alpha: number; sd?: number }): Cell {
  return (random) => {
    const { train, holdout } = drawProfile(of.groups, random);
    const own = () => (of.sd === undefined ? [] : train.map(() => (of.sd ?? 0) * normal(random)));
    const tried = { train: moved(train, of.points, own()), holdout: moved(holdout, of.points, own()) };
    const outcome = judgeEdit(tried, { ...of, random });
    return { kept: Number(outcome.kept), trials: outcome.trials };
  };
}

function perfect(groups: number, epochs: number): Cell {
  return (random) => {
    const { train, holdout } = drawProfile(groups, random);
    const sure = (incumbent: readonly number[]): Suite => ({ incumbent, candidate: incumbent.map(() => 1) });
    const outcome = judgeEdit(
      { train: sure(train), holdout: sure(holdout) },
      { epochs, alpha: consultationAlpha(ALPHA, 1), random },
    );
    return { kept: Number(outcome.kept), trials: outcome.trials };
  };
}

function window(groups: number, epochs: number, points: number): Cell {
  return (random) => ({
    reverted: Number(liveWindow(moved(drawScenarios(groups, random), points), { epochs, random }).verdict === 'revert'),
  });
}

function deletion(points: number, alpha: number): Cell {
  return (random) => {
    const tried = edit(drawProfile(60, random), both(points));
    const outcome = judgeDeletion(tried, { epochs: 6, alpha, margin: DELETION_MARGIN, random });
    return { kept: Number(outcome.kept), trials: outcome.trials };
  };
}

/** The effect at the keep and the one on record, against the truth. */
function recorded(points: number, alpha: number): Cell {
  return (random) => {
    const tried = edit(drawProfile(60, random), both(points));
    const truth = mean(tried.holdout.candidate) - mean(tried.holdout.incumbent);
    const outcome = judgeEdit(tried, { epochs: 6, alpha, random });
    if (!outcome.kept) return {};
    const bias = { 'bias at selection': (outcome.effect ?? NaN) - truth };
    const fresh = liveWindow(tried.holdout, { epochs: 2, random });
    return fresh.verdict === 'verified' ? { ...bias, 'bias on record': (fresh.effect ?? NaN) - truth } : bias;
  };
}

/** 20 idle edits and a +20 on 20 x 3, judged by every rule on the same trials. */
const rules: Cell = (random, seed) => {
  const profile = drawProfile(20, random);
  const idle = edit(profile, both(0));
  const helping = edit(profile, both(0.2));
  const trialsOf = (name: string) => randomFrom(`${seed}/${name}`);
  const measures: Measures = {};
  for (const [rule, keeps] of Object.entries(COMMON_RULES)) {
    const judge = (tried: Edit, name: string, candidate: number) => {
      const tally = new GrowingTally(tried.holdout, trialsOf(name)).runEpochs(3);
      return keeps(tally, { candidate, random: trialsOf(`${name}/resamples`) });
    };
    const kept = Array.from({ length: 20 }, (_, i) => Number(judge(idle, `idle ${i}`, i + 1)));
    measures[`${rule}: null`] = mean(kept);
    measures[`${rule}: any`] = Number(kept.includes(1));
    measures[`${rule}: +20 at 1`] = Number(judge(helping, 'helping', 1));
    measures[`${rule}: +20 at 20`] = Number(judge(helping, 'helping', 20));
  }
  return { ...measures, ...gateOnTheSame({ idle, helping, trialsOf, epochs: 3 }) };
};

function gateOnTheSame(of: {
  idle: Edit;
  helping: Edit;
  trialsOf: (name: string) => Random;
  epochs: number;
}): Measures {
  let j = 1;
  const judge = (tried: Edit, name: string) =>
    judgeEdit(tried, {
      epochs: of.epochs,
      alpha: consultationAlpha(ALPHA, j),
      random: of.trialsOf(name),
      trainRandom: of.trialsOf(`${name}/train`),
    });
  const first = judge(of.helping, 'helping');
  const kept = Array.from({ length: 20 }, (_, i) => {
    const outcome = judge(of.idle, `idle ${i}`);
    if (outcome.consulted && !outcome.kept) j += 1;
    return Number(outcome.kept);
  });
  return {
    'this gate: null': mean(kept),
    'this gate: any': Number(kept.includes(1)),
    'this gate: +20 at 1': Number(first.kept),
    'this gate: +20 at 20': Number(judge(of.helping, 'helping').kept),
  };
}

const first = consultationAlpha(ALPHA, 1);

/** Every cell of the tables, by name. */
export const CELLS: Readonly<Record<string, Cell>> = {
  rules,
  'run 60x6': sequence(60, 6, { trainPoints: 0 }),
  'run 60x3': sequence(60, 3, { trainPoints: 0 }),
  'overfit 60x6': sequence(60, 6, { trainPoints: 0.2 }),
  'overfit 60x3': sequence(60, 3, { trainPoints: 0.2 }),
  '+10 60x6': single({ groups: 60, epochs: 6, points: 0.1, alpha: 0.001 }),
  'perfect 60x6': perfect(60, 6),
  '+20 20x10': single({ groups: 20, epochs: 10, points: 0.2, alpha: 0.0025 }),
  '+20 20x20': single({ groups: 20, epochs: 20, points: 0.2, alpha: first }),
  '+20 30x10': single({ groups: 30, epochs: 10, points: 0.2, alpha: first }),
  '+20 mixed 60x6': single({ groups: 60, epochs: 6, points: 0.2, alpha: 0.0016, sd: 1 }),
  'window +20': window(60, 1, 0.2),
  'window +10': window(60, 1, 0.1),
  'window -10': window(60, 1, -0.1),
  'deletion 0': deletion(0, DELETION_ALPHA),
  'deletion -10': deletion(-0.1, DELETION_ALPHA),
  'deletion -15': deletion(-0.15, DELETION_ALPHA),
  'record +10': recorded(0.1, first),
  'record +15': recorded(0.15, first),
  'record +20': recorded(0.2, first),
};
