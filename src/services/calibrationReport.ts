import { describeModel } from '../domain/models.js';
import { markOutages } from '../evaluation/outage.js';
import { completePairs, countInfra, pairState } from '../evaluation/pairs.js';
import { restorePlan, type EvalPlan } from '../evaluation/plan.js';
import { contrast, disagreement, type Contrast } from '../gate/calibration.js';
import type { Repeats } from '../gate/repeats.js';
import type { Pair } from '../gate/types.js';
import type { CalibrationRow } from '../store/calibrations.js';
import type { EvalRunRow } from '../store/evalRuns.js';
import { listTrials, type TrialRow } from '../store/trials.js';
import { describeRepeats, repeatsOf } from './answersSeen.js';
import { spent, type Spent } from './budget.js';
import type { CalibrationOptions } from './calibration.js';
import type { Context } from './context.js';
import type { EvidenceFingerprint } from './evidence.js';
import type { Placebo } from './placebos.js';

/** How often runs of one scenario under the same text agreed. */
export interface Flakiness {
  readonly runs: number;
  readonly passes: number;
  /** Chance that two runs of it come out differently; null for fewer than two. */
  readonly disagreement: number | null;
}

export interface PlaceboResult extends Pick<Placebo, 'sentence' | 'before' | 'after' | 'by'> {
  /** Placebo minus incumbent; null without a complete pair. */
  readonly contrast: Contrast | null;
  readonly coverage: number;
}

/** What a calibration says about the set-up; nothing in it says anything about an edit. */
export interface CalibrationReport {
  readonly v: 1;
  readonly epochs: number;
  readonly scenarios: { readonly train: number; readonly holdout: number };
  /** Of the incumbent against itself: complete pairs over planned ones, in [0, 1]. */
  readonly coverage: number;
  /** Trials of the incumbent against itself that were lost to outside faults. */
  readonly infra: { readonly incumbent: number; readonly candidate: number; readonly started: number };
  /** The arm labelled candidate minus the other, both with the same text. */
  readonly arm: Contrast | null;
  /** The run that came second in its pair minus the one that came first. */
  readonly order: Contrast | null;
  /** Train scenarios by name; those of the holdout sorted by how much they disagree, without names. */
  readonly flakiness: {
    readonly train: readonly ({ readonly name: string } & Flakiness)[];
    readonly holdout: readonly Flakiness[];
  };
  readonly repeats: Repeats;
  /** The same in words; null when epochs are evidence. */
  readonly repeatsText: string | null;
  readonly placebos: readonly PlaceboResult[];
  readonly placeboFailures: readonly string[];
  readonly spent: Spent;
  readonly agent: string;
  /** What it was measured under. */
  readonly evidence: EvidenceFingerprint['detail'];
}

/** From the stored trials of the finished runs. */
export function calibrationReport(
  ctx: Context,
  of: {
    row: CalibrationRow;
    options: CalibrationOptions;
    itself: EvalRunRow;
    compared: readonly { placebo: Placebo; run: EvalRunRow }[];
    failures: readonly string[];
  },
): CalibrationReport {
  const { row, itself } = of;
  const { plan, trials, pairs } = read(ctx, itself);
  const { incumbent, candidate, started } = countInfra(trials);
  const repeats = repeatsOf(ctx, { scenarios: plan.scenarios, texts: [row.incumbentSha256] });
  const train = plan.scenarios.filter(({ split }) => split === 'train').length;
  const { provider, model, base_url } = plan.agentModel;
  return {
    v: 1,
    epochs: of.options.epochs,
    scenarios: { train, holdout: plan.scenarios.length - train },
    coverage: coverageOf(plan, pairs),
    infra: { incumbent, candidate, started },
    arm: contrast(pairs),
    order: contrast(byOrder(plan, { trials, pairs })),
    flakiness: flakinessOf(plan, pairs),
    repeats,
    repeatsText: describeRepeats(repeats),
    placebos: of.compared.map(({ placebo, run }) => placeboResult(ctx, { placebo, run })),
    placeboFailures: of.failures,
    spent: spent(ctx, null),
    agent: describeModel({ provider: provider ?? 'unknown', model: model ?? 'unknown', base_url }),
    evidence: JSON.parse(itself.fingerprintDetail ?? '{}') as EvidenceFingerprint['detail'],
  };
}

interface Read {
  readonly plan: EvalPlan;
  readonly trials: readonly (TrialRow & { readonly outage: boolean })[];
  readonly pairs: readonly Pair[];
}

function read(ctx: Context, run: EvalRunRow): Read {
  const plan = restorePlan(run);
  const trials = markOutages(listTrials(ctx.db, run.id), plan.arms);
  return { plan, trials, pairs: completePairs(plan, trials) };
}

function coverageOf(plan: EvalPlan, pairs: readonly Pair[]): number {
  return pairs.length / (plan.scenarios.length * plan.epochs);
}

/** The pairs by which run came first instead of by arm. */
function byOrder(plan: EvalPlan, { trials, pairs }: Omit<Read, 'plan'>): Pair[] {
  return pairs.map((pair) => {
    const { scenario: scenarioId, epoch } = pair;
    const { attempt } = pairState(trials, { scenarioId, epoch, arms: plan.arms });
    const first = trials.find(
      (t) => t.scenarioId === scenarioId && t.epoch === epoch && t.attempt === attempt && t.position === 1,
    );
    return first?.arm === 'candidate' ? { ...pair, incumbent: pair.candidate, candidate: pair.incumbent } : pair;
  });
}

function flakinessOf(plan: EvalPlan, pairs: readonly Pair[]): CalibrationReport['flakiness'] {
  const each = plan.scenarios.map((scenario) => {
    const own = pairs.filter((pair) => pair.scenario === scenario.id);
    const passes = own.reduce((sum, pair) => sum + pair.incumbent + pair.candidate, 0);
    const counts = { runs: 2 * own.length, passes };
    return { scenario, flakiness: { ...counts, disagreement: disagreement(counts) } };
  });
  const of = (split: 'train' | 'holdout') => each.filter(({ scenario }) => scenario.split === split);
  // Nothing but the figures, or the order would be that of the names.
  const sorted = of('holdout')
    .map(({ flakiness }) => flakiness)
    .sort((a, b) => (a.disagreement ?? -1) - (b.disagreement ?? -1) || a.passes - b.passes || a.runs - b.runs);
  return {
    train: of('train').map(({ scenario, flakiness }) => ({ name: scenario.name, ...flakiness })),
    holdout: sorted,
  };
}

function placeboResult(ctx: Context, { placebo, run }: { placebo: Placebo; run: EvalRunRow }): PlaceboResult {
  const { plan, pairs } = read(ctx, run);
  const { sentence, before, after, by } = placebo;
  return { sentence, before, after, by, contrast: contrast(pairs), coverage: coverageOf(plan, pairs) };
}
