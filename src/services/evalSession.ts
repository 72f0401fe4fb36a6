import type { Arm } from '../domain/experiment.js';
import { describeModel } from '../domain/models.js';
import { isKarpathyError } from '../errors.js';
import { createJudge, provokeJudge, refuseSameModel, type Judge, type ProposerIdentity } from '../evaluation/judge.js';
import { markOutages, refuseOutage } from '../evaluation/outage.js';
import { completePairs, countInfra } from '../evaluation/pairs.js';
import { restorePlan, type EvalPlan } from '../evaluation/plan.js';
import { runSchedule } from '../evaluation/schedule.js';
import { pairOrder } from '../gate/plan.js';
import type { InfraCount, Pair } from '../gate/types.js';
import { immediate } from '../store/database.js';
import { endEvalRun, getEvalRun, markRunning, recordJudge, recordRunner, type EvalRunRow } from '../store/evalRuns.js';
import { listTrials, type TrialRow } from '../store/trials.js';
import type { TrialRunner } from '../ports.js';
import type { Context } from './context.js';
import { evalProgress } from './evalProgress.js';
import { dropDeadFrozen } from './frozenRuns.js';
import { chargeJudge } from './trialBudget.js';
import { requireRoomForTrials } from './room.js';
import { chosenJudge, requireContainable } from './runnable.js';
import { runTrial } from './runTrial.js';
import { yieldToTurns } from './yieldToTurns.js';

/** An eval run at work: the same plan from its first trial to its last, however often it was interrupted. */
export interface EvalSession {
  readonly row: EvalRunRow;
  readonly plan: EvalPlan;
  /** Runs every open pair up to this many epochs of the plan, of these scenarios only when they are named. */
  completeEpochs(epochs: number, scenarioIds?: readonly number[]): Promise<void>;
  /** Complete pairs so far. Only for plans with both arms. */
  pairs(): Pair[];
  infra(): InfraCount;
  trials(): TrialRow[];
  /** Who graded; null when no scenario asks for a judge. */
  judgeModel(): string | null;
  judgeRunId(): string | null;
}

export interface SessionOptions {
  readonly evalRunId: number;
  readonly contents: Readonly<Record<Arm, Uint8Array | null>>;
  readonly proposer: ProposerIdentity;
  /** Throws when the job's lease was taken over; called before every write. */
  readonly fence?: () => void;
}

/**
 * Opens the run, lets `work` use it, and leaves it finished, or interrupted so that the next session goes on with it.
 * Slots are wiped either way.
 */
export async function withEvalSession<T>(
  ctx: Context,
  options: SessionOptions,
  work: (session: EvalSession) => Promise<T>,
): Promise<T> {
  const row = getEvalRun(ctx.db, options.evalRunId);
  const plan = restorePlan(row);
  requireRoomForTrials(ctx);
  // Of a run that goes on, too: the judge is asked, and paid, before the first trial.
  await requireContainable(ctx, plan.scenarios);
  dropDeadFrozen(ctx);
  const runner = await ctx.makeRunner({
    evalRunId: row.id,
    profileHome: ctx.profile.home,
    profileName: ctx.profile.name,
  });
  let outcome: 'finished' | 'interrupted' = 'interrupted';
  try {
    guarded(ctx, options, () => markRunning(ctx.db, row.id, ctx.clock.now()));
    const judge = await readyJudge(ctx, { row, plan, options });
    const result = await work(sessionOf(ctx, { row, plan, options, judge, runner }));
    outcome = 'finished';
    return result;
  } catch (error) {
    const failure = error instanceof Error ? error.message : String(error);
    ifOurs(ctx, options, () => endEvalRun(ctx.db, row.id, { state: 'interrupted', at: ctx.clock.now(), failure }));
    throw error;
  } finally {
    await runner.close(outcome);
    ifOurs(ctx, options, () => recordRunner(ctx.db, row.id, { name: runner.name, fellBack: runner.fellBack ?? null }));
  }
}

/** Leaves what is to be said about the run to the process that has taken its job over, if one has. */
function ifOurs(ctx: Context, options: SessionOptions, write: () => void): void {
  try {
    guarded(ctx, options, write);
  } catch (error) {
    if (!isKarpathyError(error) || error.code !== 'busy') throw error;
  }
}

/** Runs a write in one transaction, after asking whether the job is still ours. */
export function guarded<T>(ctx: Context, options: { readonly fence?: () => void }, write: () => T): T {
  return immediate(ctx.db, () => {
    options.fence?.();
    return write();
  });
}

interface Open {
  readonly row: EvalRunRow;
  readonly plan: EvalPlan;
  readonly options: SessionOptions;
}

function sessionOf(
  ctx: Context,
  { row, plan, options, judge, runner }: Open & { judge: Judge | null; runner: TrialRunner },
): EvalSession {
  const trials = (): TrialRow[] => markOutages(listTrials(ctx.db, row.id), plan.arms);
  const before = trials().length;
  const progress = evalProgress(ctx, { plan, trials });
  return {
    row,
    plan,
    trials,
    judgeModel: () => getEvalRun(ctx.db, row.id).judgeModel,
    judgeRunId: () => getEvalRun(ctx.db, row.id).judgeRunId,
    completeEpochs: (epochs, scenarioIds = plan.scenarios.map((scenario) => scenario.id)) =>
      runSchedule({
        scenarioIds,
        epochs: Array.from({ length: epochs }, (_, index) => plan.firstEpoch + index),
        arms: plan.arms,
        // Work that nobody started by hand leaves the machine to whoever uses it.
        slots: ctx.surface.kind === 'tick' ? 1 : plan.slots,
        firstArm: (scenario, epoch) => pairOrder(plan.seed, scenario, epoch),
        finished: trials(),
        signal: ctx.signal,
        run: async (due, signal) => {
          await yieldToTurns(ctx, signal);
          const trial = await runTrial(ctx, {
            row,
            plan,
            due,
            judge,
            runner,
            contents: options.contents,
            signal,
            fence: options.fence,
          });
          progress();
          refuseOutage(trials().slice(before), plan.arms);
          return trial;
        },
      }),
    pairs: () => completePairs(plan, trials()),
    infra: () => countInfra(trials()),
  };
}

/** A judge is trusted once per eval run, after it has failed answers that are plainly bad. */
async function readyJudge(ctx: Context, { row, plan, options }: Open): Promise<Judge | null> {
  const choice = chosenJudge(ctx, plan.scenarios);
  if (choice === null) return null;
  const model = ctx.makeModel(choice);
  refuseSameModel(model.configured, options.proposer);
  const judge = createJudge({
    model,
    proposer: options.proposer,
    signal: ctx.signal,
    charge: chargeJudge(ctx, { experimentId: row.experimentId, evalRunId: row.id, model: model.configured.model }),
  });
  if (row.judgeRunId !== null) return judge;
  await provokeJudge(judge);
  const judgeModel = describeModel(judge.identity() ?? model.configured);
  guarded(ctx, options, () => recordJudge(ctx.db, row.id, { judgeRunId: ctx.ids.next(), judgeModel }));
  return judge;
}
