import { defaultLooks, fewestGroups } from './plan.js';
import { randomFrom } from './random.js';
import { judgeDeletion, judgeEdit, type Outcome } from './simulatedEdit.js';
import { drawRate, shifted, type Suite } from './simulatedSuite.js';
import { fewestDeletionGroups } from './deletion.js';

/** At the default alpha a verdict on so few groups would hang on every single one of them, whatever the epochs. */
export const ALWAYS_TOO_FEW_GROUPS = 12;
/** A smallest effect is one that is found this often. */
export const GOOD_POWER = 0.8;

/** Work of a simulation, in trials: enough draws for a Monte Carlo error of about 2 points, in well under a second. */
const TRIALS_SIMULATED = 300_000;
const DRAWS = { fewest: 200, most: 500 };
/** Epochs that have looks on the way. */
const EPOCHS_WITH_LOOKS = [3, 6, 10, 20] as const;
const MOST_GROUPS_ADDED = 256;

/** A scenario and how often the incumbent was seen to pass and fail it. */
export interface ScenarioRecord {
  readonly group: string;
  readonly passes: number;
  readonly fails: number;
}

/** What a consultation is asked: the suite, and the plan it would get. */
export interface PowerQuestion {
  /** Those the screen may use. */
  readonly train: readonly ScenarioRecord[];
  readonly holdout: readonly ScenarioRecord[];
  readonly epochs: number;
  /** This consultation's share of the error budget. */
  readonly alpha: number;
  /** Of a deletion; null for an edit that has to help. */
  readonly margin: number | null;
  readonly seed: string;
}

export interface Simulated {
  /** Share of such edits that is kept. */
  readonly kept: number;
  /** Mean trials of all stages: screen, looks, veto. */
  readonly trials: number;
  readonly draws: number;
}

/**
 * Edits that move the mean pass rate by `points` (in [-1, 1]), judged by the production decisions on simulated trials.
 * The same question and seed give the same figures.
 */
export function simulateEdits(question: PowerQuestion, points: number): Simulated {
  if (question.holdout.length === 0) return { kept: 0, trials: 0, draws: 0 };
  const draws = drawsFor(question);
  const train = sorted(question.train);
  const holdout = sorted(question.holdout);
  let kept = 0;
  let trials = 0;
  for (let draw = 0; draw < draws; draw += 1) {
    const outcome = judge(question, { train, holdout, points, seed: `${question.seed}/${draw}` });
    if (outcome.kept) kept += 1;
    trials += outcome.trials;
  }
  return { kept: kept / draws, trials: trials / draws, draws };
}

/** The smallest gain, in whole points, that is kept with 80 % power; null when even the largest possible one is not. */
export function smallestEffect(question: PowerQuestion): number | null {
  const found = (points: number): boolean => simulateEdits(question, points / 100).kept >= GOOD_POWER;
  return found(100) ? lowest({ from: 1, to: 100, holds: found }) : null;
}

/** What would be enough: more groups with a scenario each, or more epochs; null where no number is. */
export interface Enough {
  readonly groups: number | null;
  readonly epochs: number | null;
}

/** @param wanted an effect in [0, 1] and the share of such edits that has to be kept */
export function enoughFor(question: PowerQuestion, wanted: { points: number; power: number }): Enough {
  const holds = (changed: Partial<PowerQuestion>): boolean =>
    simulateEdits({ ...question, ...changed }, wanted.points).kept >= wanted.power;
  const withMore = (added: number): boolean => holds({ holdout: [...question.holdout, ...unknown(added)] });
  const epochs = EPOCHS_WITH_LOOKS.find((more) => more > question.epochs && holds({ epochs: more })) ?? null;
  let enough = 1;
  while (enough <= MOST_GROUPS_ADDED && !withMore(enough)) enough *= 2;
  if (enough > MOST_GROUPS_ADDED) return { groups: null, epochs };
  return { groups: lowest({ from: Math.floor(enough / 2) + 1, to: enough, holds: withMore }), epochs };
}

/** Fewest groups with which a keep is possible at all, whatever the candidate does; Infinity when no number is. */
export function fewestUsefulGroups(
  of: Pick<PowerQuestion, 'alpha' | 'epochs' | 'margin'> & { groups: number },
): number {
  const { alpha, epochs, margin, groups } = of;
  if (margin !== null) return fewestDeletionGroups({ alpha, epochs, margin });
  return fewestGroups(alpha * Math.max(...defaultLooks(epochs, groups).map((look) => look.share)));
}

function drawsFor({ train, holdout, epochs }: PowerQuestion): number {
  const trials = 2 * (holdout.length * epochs + 3 * train.length);
  return Math.min(DRAWS.most, Math.max(DRAWS.fewest, Math.round(TRIALS_SIMULATED / Math.max(1, trials))));
}

interface Draw {
  readonly train: readonly ScenarioRecord[];
  readonly holdout: readonly ScenarioRecord[];
  readonly points: number;
  readonly seed: string;
}

function judge({ epochs, alpha, margin }: PowerQuestion, { train, holdout, points, seed }: Draw): Outcome {
  const random = randomFrom(seed);
  const suiteOf = (records: readonly ScenarioRecord[]): Suite => {
    const incumbent = records.map((record) => drawRate(record, random));
    return { incumbent, candidate: shifted(incumbent, points), groups: numbered(records) };
  };
  const edit = { train: suiteOf(train), holdout: suiteOf(holdout) };
  if (margin === null) return judgeEdit(edit, { epochs, alpha, random });
  return judgeDeletion(edit, { epochs, alpha, margin, random });
}

/** Scenarios of a group next to each other, as a simulated suite has them. */
function sorted(records: readonly ScenarioRecord[]): ScenarioRecord[] {
  return [...records].sort((a, b) => (a.group < b.group ? -1 : a.group > b.group ? 1 : 0));
}

function numbered(records: readonly ScenarioRecord[]): number[] {
  let group = -1;
  return records.map((record, i) => (record.group === records[i - 1]?.group ? group : (group += 1)));
}

function unknown(groups: number): ScenarioRecord[] {
  return Array.from({ length: groups }, (_, i) => ({ group: `\uffff${i}`, passes: 0, fails: 0 }));
}

/** The least whole number in [from, to] from which on it holds; it holds at `to`. */
function lowest({ from, to, holds }: { from: number; to: number; holds: (value: number) => boolean }): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
