import { EVALUATOR_VERSION } from '../evaluation/plan.js';
import { KarpathyError } from '../errors.js';
import { DELETION_MARGIN } from '../gate/deletion.js';
import {
  ALWAYS_TOO_FEW_GROUPS,
  enoughFor,
  fewestUsefulGroups,
  simulateEdits,
  smallestEffect,
  type Enough,
  type PowerQuestion,
  type ScenarioRecord,
  type Simulated,
} from '../gate/power.js';
import { showP } from '../gate/verdict.js';
import { DEFAULT_CONFIG } from '../config.js';
import { sha256 } from '../ratchet/digest.js';
import { readTarget } from '../ratchet/target.js';
import type { ScenarioSnapshot } from '../schemas.js';
import type { ExperimentRow } from '../store/experiments.js';
import { snapshotsForPlan } from '../store/scenarios.js';
import { passRecords } from '../store/trialCosts.js';
import type { Context } from './context.js';
import type { ErrorShare } from './errorBudget.js';
import { groupsOf, unseenTrain } from './groups.js';
import { plannedAgent } from './plannedAgent.js';
import { referenceText } from './referenceText.js';
import { requireProfile } from './requireProfile.js';

/** The same figures every time they are asked for. */
const SEED = 'preflight';

export interface PowerOptions {
  readonly share: ErrorShare;
  /** An edit that is there already; null for the next one. */
  readonly experiment: ExperimentRow | null;
  /** The gain to be found, in points; default `gate.wanted_effect`. */
  readonly wantedPoints?: number;
}

/** Why nothing is spent, and what would change that. */
export interface Refusal {
  readonly message: string;
  readonly hint: string;
}

/** What the suite can answer in its next consultation. */
export interface PowerView {
  readonly kind: ErrorShare['kind'];
  readonly holdoutGroups: number;
  /** Train groups that can screen the edit. */
  readonly screenGroups: number;
  readonly epochs: number;
  readonly consultation: number;
  /** What this consultation may spend of the error budget. */
  readonly alpha: number;
  /** 0 for a deletion, which only has to cost nothing. */
  readonly wantedPoints: number;
  /** Chance in [0, 1] that an edit of the wanted effect is kept, and the Monte Carlo error of that figure. */
  readonly power: number;
  readonly powerError: number;
  readonly minPower: number;
  /** Scenarios of both splits whose pass rate rests on trials of this text; the others are drawn blindly. */
  readonly measuredScenarios: number;
  readonly refusal: Refusal | null;
}

/** The power of the suite as it is. Simulated: under a second, and the same for the same suite and history. */
export function powerView(ctx: Context, options: PowerOptions): PowerView {
  return viewOf(ctx, { options, question: powerQuestion(ctx, options) });
}

/** @throws KarpathyError `underpowered`, naming what would be enough */
export function requirePower(ctx: Context, options: PowerOptions): void {
  const { refusal } = powerView(ctx, options);
  if (refusal !== null) throw new KarpathyError('underpowered', refusal.message, { hint: refusal.hint });
}

/** What is asked of the gate, with the pass rates that are on record for the incumbent. */
export function powerQuestion(ctx: Context, { share, experiment }: PowerOptions): PowerQuestion {
  const { id: profileId } = requireProfile(ctx);
  const records = recordsOf(ctx, experiment);
  const recorded = (scenarios: readonly ScenarioSnapshot[]): ScenarioRecord[] =>
    scenarios.map(({ id, group }) => ({ group, passes: 0, fails: 0, ...records.get(id) }));
  return {
    train: recorded(unseenTrain(ctx, experiment ?? { profileId, shownGroups: null })),
    holdout: recorded(snapshotsForPlan(ctx.db, profileId).filter(({ split }) => split === 'holdout')),
    epochs: ctx.config.config.gate.epochs,
    alpha: share.alpha,
    margin: share.kind === 'deletion' ? DELETION_MARGIN : null,
    seed: SEED,
  };
}

/** Of finished runs only: what is going on at present is nobody's to see. */
function recordsOf(
  ctx: Context,
  experiment: ExperimentRow | null,
): ReadonlyMap<number, { passes: number; fails: number }> {
  const { id: profileId, targetRelpath } = requireProfile(ctx);
  const reference = experiment === null ? null : referenceText(ctx, experiment);
  const textSha256 = reference === null ? readTarget(ctx.profile.rootPath, targetRelpath).sha256 : sha256(reference);
  const rows = passRecords(ctx.db, { profileId, agent: plannedAgent(ctx), textSha256, evaluator: EVALUATOR_VERSION });
  return new Map(rows.map(({ scenarioId, passes, fails }) => [scenarioId, { passes, fails }]));
}

function viewOf(ctx: Context, of: { options: PowerOptions; question: PowerQuestion }): PowerView {
  const { options, question } = of;
  const { gate } = ctx.config.config;
  const { kind, consultation, alpha } = options.share;
  const wantedPoints = kind === 'deletion' ? 0 : (options.wantedPoints ?? gate.wanted_effect);
  const { kept, draws } = simulateEdits(question, wantedPoints / 100);
  const view = {
    kind,
    holdoutGroups: groupsOf(question.holdout),
    screenGroups: groupsOf(question.train),
    epochs: question.epochs,
    consultation,
    alpha,
    wantedPoints,
    power: kept,
    powerError: draws === 0 ? 0 : Math.sqrt((kept * (1 - kept)) / draws),
    minPower: gate.min_power,
    measuredScenarios: [...question.train, ...question.holdout].filter((s) => s.passes + s.fails > 0).length,
  };
  return { ...view, refusal: refusalOf(view, { question, familyAlpha: gate.alpha }) };
}

function refusalOf(
  view: Omit<PowerView, 'refusal'>,
  { question, familyAlpha }: { question: PowerQuestion; familyAlpha: number },
): Refusal | null {
  const { holdoutGroups: groups, epochs, alpha, kind } = view;
  const edit = kind === 'deletion' ? 'deletion' : 'edit';
  const has = `The suite has ${groups} holdout group${groups === 1 ? '' : 's'}`;
  const needed = fewestUsefulGroups({ ...question, groups });
  if (needed === Infinity) {
    return {
      message: `${has}; with ${epochs} epochs no deletion can be kept at all.`,
      hint: 'Set gate.epochs to 6 or more.',
    };
  }
  // A person who has set a looser alpha than the default has taken that risk knowingly.
  const strict = familyAlpha <= DEFAULT_CONFIG.gate.alpha && view.minPower > 0;
  const reason =
    groups < needed
      ? `${has}; below ${needed} no ${edit} can be kept at alpha ${showP(alpha)}, this consultation's share of the error budget.`
      : strict && groups <= ALWAYS_TOO_FEW_GROUPS
        ? `${has}; up to ${ALWAYS_TOO_FEW_GROUPS} are always too few to prove anything at alpha ${showP(familyAlpha)}.`
        : view.power < view.minPower
          ? `${has}, each run ${epochs} times: ${wanted(view)} would be kept with a chance of ${percent(view.power)} (at alpha ${showP(alpha)}, this consultation's share of the error budget). Under ${percent(view.minPower)} nothing is spent.`
          : null;
  if (reason === null) return null;
  return { message: reason, hint: wayOut(view, { question, fewest: strict ? ALWAYS_TOO_FEW_GROUPS + 1 : needed }) };
}

function wayOut(
  view: Omit<PowerView, 'refusal'>,
  { question, fewest }: { question: PowerQuestion; fewest: number },
): string {
  const wantedPower = { points: view.wantedPoints / 100, power: view.minPower };
  const enough = enoughFor(question, wantedPower);
  const more = enough.groups === null ? null : Math.max(enough.groups, fewest - view.holdoutGroups);
  const ways = [
    ...(more === null
      ? []
      : [`add at least ${more} holdout scenarios in groups of their own (\`karpathy scenario add\`)`]),
    ...epochsWay(enough, { groups: view.holdoutGroups, fewest }),
    ...(view.kind === 'deletion' ? [] : ['set gate.wanted_effect higher if only larger effects matter to you']),
  ];
  const said = ways.length === 0 ? '' : `${capitalised(ways.join(', or '))}. `;
  return `${said}With --underpowered it runs all the same, and the best result is "undecided".`;
}

function epochsWay({ epochs }: Enough, { groups, fewest }: { groups: number; fewest: number }): string[] {
  return epochs === null || groups < fewest ? [] : [`set gate.epochs to ${epochs}`];
}

function wanted({ kind, wantedPoints }: Pick<PowerView, 'kind' | 'wantedPoints'>): string {
  return kind === 'deletion' ? 'a deletion that costs nothing' : `an edit that gains ${wantedPoints} points`;
}

/** The costly figures: what can be found at all, and what idle and wanted edits take. */
export interface FullPower extends PowerView {
  /** Smallest gain in points that is kept with 80 % power; null when even the largest possible one is not. */
  readonly smallestPoints: number | null;
  /** Mean trials of an edit that does nothing, and of one of the wanted effect, all stages. */
  readonly trialsOfNull: number;
  readonly trialsOfWanted: number;
}

export function fullPower(ctx: Context, options: PowerOptions): FullPower {
  const question = powerQuestion(ctx, options);
  const view = viewOf(ctx, { options, question });
  const trials = (points: number): Simulated['trials'] => simulateEdits(question, points / 100).trials;
  return {
    ...view,
    smallestPoints: view.kind === 'deletion' ? null : smallestEffect(question),
    trialsOfNull: trials(0),
    trialsOfWanted: trials(view.wantedPoints),
  };
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function capitalised(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}
