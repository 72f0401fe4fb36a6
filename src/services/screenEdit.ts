import { DELETION_MARGIN } from '../gate/deletion.js';
import { estimateEffect } from '../gate/effect.js';
import { decideDeletionScreen, decideScreen, halfOfGroups, screenSteps, type ScreenStep } from '../gate/screen.js';
import { faultOfCoverage } from '../gate/soundness.js';
import { tallyPairs } from '../gate/tally.js';
import type { Verdict } from '../gate/types.js';
import { verdictOf } from '../gate/verdict.js';
import { endEvalRun, listEvalRuns } from '../store/evalRuns.js';
import type { ExperimentRow } from '../store/experiments.js';
import type { Context } from './context.js';
import { guarded, withEvalSession, type EvalSession } from './evalSession.js';
import { planRun, resumableRun, type RunRequest } from './planRun.js';
import { groupsOf, unseenTrain } from './groups.js';
import { proposerOf } from './proposerIdentity.js';

export interface Screened {
  readonly evalRunId: number;
  readonly verdict: Verdict;
}

/**
 * Tries an edit on fresh trials of the train groups that the proposer did not see, before the holdout is asked. It
 * costs no error budget. Too few such groups, or a screen that was passed before, and nothing is run.
 * @returns the verdict that ends the evaluation, or null: on to the holdout
 */
export async function screenEdit(
  ctx: Context,
  of: { experiment: ExperimentRow; contents: RunRequest['contents']; fence?: () => void },
): Promise<Screened | null> {
  const { experiment, contents, fence } = of;
  const scenarios = unseenTrain(ctx, experiment);
  const steps = stepsFor(experiment, groupsOf(scenarios));
  const last = steps.at(-1);
  if (last === undefined || passedBefore(ctx, experiment)) return null;
  const request = {
    purpose: 'screen',
    experimentId: experiment.id,
    arms: ['incumbent', 'candidate'],
    contents,
    scenarios,
    epochs: Math.ceil(last.epochs),
    looks: [],
    alpha: 0,
    targetRelpath: experiment.targetRelpath,
    proposer: experiment.proposerModel,
    fence,
  } satisfies RunRequest;
  const row = resumableRun(ctx, request) ?? (await planRun(ctx, request));
  const proposer = proposerOf(ctx, experiment.proposerModel);
  return withEvalSession(ctx, { evalRunId: row.id, contents, proposer, fence }, async (run) => {
    const verdict = await runSteps(run, experiment);
    if (verdict === null) {
      const at = ctx.clock.now();
      guarded(ctx, of, () => endEvalRun(ctx.db, row.id, { state: 'finished', at, decision: { screen: 'pass' } }));
      return null;
    }
    return { evalRunId: row.id, verdict };
  });
}

function stepsFor(experiment: ExperimentRow, groups: number): readonly ScreenStep[] {
  const steps = screenSteps(groups);
  return experiment.operation === 'delete' ? steps.slice(-1) : steps;
}

function passedBefore(ctx: Context, { id, profileId }: ExperimentRow): boolean {
  return listEvalRuns(ctx.db, { profileId, purpose: 'screen', experimentId: id, states: ['finished'] }).length > 0;
}

async function runSteps(run: EvalSession, experiment: ExperimentRow): Promise<Verdict | null> {
  const { scenarios, seed } = run.plan;
  const groups = [...new Set(scenarios.map(({ group }) => group))];
  for (const step of stepsFor(experiment, groups.length)) {
    const first = new Set(step.epochs < 1 ? halfOfGroups(groups, seed) : groups);
    const due = scenarios.filter(({ group }) => first.has(group)).map(({ id }) => id);
    const epochs = Math.ceil(step.epochs);
    await run.completeEpochs(epochs, due);
    const pairs = run.pairs();
    const tally = tallyPairs(pairs);
    const coverage = pairs.length / (due.length * epochs);
    const { mean: effect, interval } = estimateEffect(tally) ?? { mean: null, interval: null };
    const facts = { alpha: 0, look: 0, effect, interval, groups: tally.groups, epochs, coverage };
    const uncovered = faultOfCoverage(coverage);
    if (uncovered !== null) return verdictOf('undecided', facts, `on the train scenarios ${uncovered}`);
    const decision =
      experiment.operation === 'delete' ? decideDeletionScreen(tally, DELETION_MARGIN) : decideScreen(tally, step);
    if (decision === 'pass') return null;
    if (decision === 'drop') return verdictOf('discard', facts, dropped(experiment));
  }
  return null;
}

function dropped({ operation }: ExperimentRow): string {
  return operation === 'delete'
    ? 'the shorter text lost too much on the train scenarios; the holdout was not asked'
    : 'no sign of a gain on the train scenarios; the holdout was not asked';
}
