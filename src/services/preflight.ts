import { listEvalRuns } from '../store/evalRuns.js';
import { snapshotsForPlan } from '../store/scenarios.js';
import { screenSteps } from '../gate/screen.js';
import { VETO_PAIRS } from '../gate/veto.js';
import { KarpathyError } from '../errors.js';
import { budgetLimits, remaining, type Limits } from './budget.js';
import { calibrationBrief, type CalibrationBrief } from './calibrationView.js';
import type { Context } from './context.js';
import { costLevers, type CostLever } from './costLevers.js';
import { shareOf } from './errorBudget.js';
import { costOfScenarios, costOfTrials, type Cost } from './estimateEvaluation.js';
import { evidenceFingerprint } from './evidence.js';
import { freshEpochs } from './freshScenarios.js';
import { groupsOf, unseenTrain } from './groups.js';
import { ownExperiment } from './ownExperiment.js';
import { fullPower, powerView, type FullPower, type PowerOptions, type PowerView } from './power.js';
import { requireProfile } from './requireProfile.js';
import { openTrain } from './trainBaseline.js';
import { trialCost } from './trialCost.js';

/** What an evaluation would take, in the ways it can go. */
export interface PreflightCost {
  /** The incumbent on train scenarios that were not run with this text yet, for the proposer to learn from. */
  readonly trainBaseline: Cost;
  /** An edit that does nothing: most are dropped early. */
  readonly idle: Cost;
  /** An edit of the wanted effect. */
  readonly wanted: Cost;
  /** Every planned trial of screen and holdout. */
  readonly worst: Cost;
  /** On top, for each scenario that a kept edit seems to break: fresh trials that look again. */
  readonly perBrokenScenario: Cost;
  /** After the apply: the live window, with its one extension. */
  readonly liveWindow: Cost;
  /** In words, what the figures rest on. */
  readonly basis: string;
}

export interface Preflight {
  /** The edit it is about; null for the next one. */
  readonly experiment: number | null;
  readonly suite: Readonly<Record<'train' | 'holdout', { readonly scenarios: number; readonly groups: number }>>;
  readonly power: FullPower;
  readonly cost: PreflightCost;
  /** Of the edit it is about. */
  readonly budget: { readonly limits: Limits; readonly left: Limits; readonly covers: Coverage };
  readonly levers: readonly CostLever[];
  /** The last calibration; null without any. */
  readonly calibration: CalibrationBrief | null;
  /** What differs between a trial and the live agent, in words. */
  readonly differences: readonly string[];
}

/** What the budget is enough for: the worst case, an idle and a wanted edit, or not even those. */
export type Coverage = 'worst' | 'expected' | 'less';

export interface PreflightOptions {
  readonly experimentId?: number;
  readonly kind?: 'improvement' | 'deletion';
  readonly wantedPoints?: number;
}

/**
 * What an evaluation could find and what it would cost, for the suite as it is. Nothing is run, called or written.
 * @throws KarpathyError `not_initialised`, `bad_scenario` without a holdout, `unknown_experiment`, `underpowered` when
 *   the deletions of this suite are used up
 */
export async function preflight(ctx: Context, options: PreflightOptions = {}): Promise<Preflight> {
  const power = await powerOptions(ctx, options);
  const { id: profileId } = requireProfile(ctx);
  const suite = snapshotsForPlan(ctx.db, profileId);
  const of = (split: 'train' | 'holdout') => suite.filter((scenario) => scenario.split === split);
  const figures = fullPower(ctx, power);
  const cost = preflightCost(ctx, { power, figures });
  const evidence = await evidenceFingerprint(ctx);
  return {
    experiment: options.experimentId ?? null,
    suite: {
      train: { scenarios: of('train').length, groups: groupsOf(of('train')) },
      holdout: { scenarios: of('holdout').length, groups: groupsOf(of('holdout')) },
    },
    power: figures,
    cost,
    budget: budgetFor(ctx, { cost, experimentId: options.experimentId ?? null }),
    levers: costLevers(ctx, { cost }),
    calibration: await calibrationBrief(ctx),
    differences: evidence.detail.notes,
  };
}

/** The same in short, for what is shown before a run: quick enough to be in nobody's way. */
export interface ShortPreflight {
  readonly power: PowerView;
  readonly worst: Cost;
  readonly trainBaseline: Cost;
  readonly basis: string;
}

/** @returns null for an edit whose holdout run was started: its plan and its share of alpha are fixed */
export async function shortPreflight(ctx: Context, options: PreflightOptions = {}): Promise<ShortPreflight | null> {
  if (options.experimentId !== undefined && isStarted(ctx, options.experimentId)) return null;
  const power = await powerOptions(ctx, options);
  const { worst, trainBaseline, basis } = plannedCost(ctx, power);
  return { power: powerView(ctx, power), worst, trainBaseline, basis };
}

function isStarted(ctx: Context, experimentId: number): boolean {
  const states = ['planned', 'running', 'interrupted'] as const;
  const of = { profileId: requireProfile(ctx).id, purpose: 'selection', experimentId, states } as const;
  return listEvalRuns(ctx.db, of).length > 0;
}

async function powerOptions(ctx: Context, options: PreflightOptions): Promise<PowerOptions> {
  const { id: profileId } = requireProfile(ctx);
  if (!snapshotsForPlan(ctx.db, profileId).some(({ split }) => split === 'holdout')) {
    throw new KarpathyError(
      'bad_scenario',
      'There are no holdout scenarios, so nothing could tell whether an edit helps.',
      {
        hint: 'Add some with `karpathy scenario add … --split holdout` or `karpathy scenario import FILE`.',
      },
    );
  }
  const experiment = options.experimentId === undefined ? null : ownExperiment(ctx, options.experimentId);
  const kind = options.kind ?? (experiment?.operation === 'delete' ? 'deletion' : 'improvement');
  const share = shareOf(ctx, { kind, evidence: await evidenceFingerprint(ctx) });
  const { wantedPoints } = options;
  return { share, experiment, ...(wantedPoints === undefined ? {} : { wantedPoints }) };
}

type Planned = Pick<PreflightCost, 'trainBaseline' | 'worst' | 'perBrokenScenario' | 'liveWindow' | 'basis'>;

/** What is planned, whatever the trials will say. */
function plannedCost(ctx: Context, { experiment, share }: PowerOptions): Planned {
  const { id: profileId } = requireProfile(ctx);
  const { gate } = ctx.config.config;
  const per = trialCost(ctx);
  const holdout = snapshotsForPlan(ctx.db, profileId).filter(({ split }) => split === 'holdout');
  const train = unseenTrain(ctx, experiment ?? { profileId, shownGroups: null });
  const screen = Math.ceil(screenSteps(groupsOf(train)).at(-1)?.epochs ?? 0);
  const times = (split: 'train' | 'holdout'): number => 2 * (split === 'train' ? screen : gate.epochs);
  // A person's own edit, and one that is there already, need no failures to learn from.
  const baseline = experiment === null && share.kind === 'improvement' ? openTrain(ctx) : [];
  return {
    trainBaseline: costOfScenarios(per, baseline, () => 1),
    worst: costOfScenarios(per, [...train, ...holdout], ({ split }) => times(split)),
    perBrokenScenario: costOfTrials(per, share.kind === 'deletion' ? 0 : 2 * VETO_PAIRS),
    liveWindow: costOfScenarios(per, holdout, () => 2 * 2 * freshEpochs(ctx, groupsOf(holdout))),
    basis: per.said,
  };
}

function preflightCost(ctx: Context, of: { power: PowerOptions; figures: FullPower }): PreflightCost {
  const planned = plannedCost(ctx, of.power);
  const share = (trials: number): Cost => scaled(planned.worst, trials);
  return { ...planned, idle: share(of.figures.trialsOfNull), wanted: share(of.figures.trialsOfWanted) };
}

/** The cost of so many of the planned trials, at their mean. */
function scaled(worst: Cost, trials: number): Cost {
  const part = worst.trials === 0 ? 0 : trials / worst.trials;
  return {
    trials: Math.round(trials),
    calls: Math.round(worst.calls * part),
    tokens: Math.round(worst.tokens * part),
    usd: worst.usd === null ? null : worst.usd * part,
    seconds: Math.round(worst.seconds * part),
  };
}

function budgetFor(ctx: Context, of: { cost: PreflightCost; experimentId: number | null }): Preflight['budget'] {
  const limits = budgetLimits(ctx);
  // Another edit has a budget of its own, which nothing was taken from yet.
  const left = of.experimentId === null ? limits : remaining(ctx, of.experimentId);
  const { trainBaseline, idle, wanted, worst } = of.cost;
  const covers = (cost: Cost): boolean => fits(left, trainBaseline, cost);
  return { limits, left, covers: covers(worst) ? 'worst' : covers(idle) && covers(wanted) ? 'expected' : 'less' };
}

function fits(left: Limits, ...costs: readonly Cost[]): boolean {
  const tokens = costs.reduce((sum, cost) => sum + cost.tokens, 0);
  const usd = costs.reduce((sum, cost) => sum + (cost.usd ?? 0), 0);
  return (left.tokens === null || tokens <= left.tokens) && (left.usd === null || usd <= left.usd);
}
