import type { Arm } from '../domain/experiment.js';
import { KarpathyError, isKarpathyError } from '../errors.js';
import { runChecks } from '../evaluation/checks.js';
import { judgeFor, type Judge } from '../evaluation/judge.js';
import type { EvalPlan } from '../evaluation/plan.js';
import type { FinishedTrial } from '../evaluation/pairs.js';
import type { DueTrial } from '../evaluation/schedule.js';
import type { CheckResult, TrialEvidence, TrialInfra, TrialResult, TrialRunner } from '../ports.js';
import { userTurns, type ScenarioSnapshot } from '../schemas.js';
import { immediate } from '../store/database.js';
import type { EvalRunRow } from '../store/evalRuns.js';
import { insertTrial, type NewTrial } from '../store/trials.js';
import { release, settle } from './budget.js';
import type { Context } from './context.js';
import { allowTrial, budgetSpent, type TrialAllowance } from './trialBudget.js';

export interface TrialWork {
  readonly row: EvalRunRow;
  readonly plan: EvalPlan;
  readonly due: DueTrial;
  readonly judge: Judge | null;
  readonly runner: TrialRunner;
  readonly contents: Readonly<Record<Arm, Uint8Array | null>>;
  readonly signal: AbortSignal;
  readonly fence?: () => void;
}

/** What was graded, and the error that stops the run after the trial is stored. */
interface Graded {
  readonly outcome: NewTrial['outcome'];
  readonly infraReason: string | null;
  readonly checks: readonly CheckResult[];
  readonly stop: KarpathyError | null;
}

/**
 * Runs one trial within the budget, grades it and stores it at once.
 * @throws KarpathyError `budget`, `price_unknown`, `model_limit`, `host_failed`, `same_model`: the run stops
 */
export async function runTrial(ctx: Context, work: TrialWork): Promise<FinishedTrial> {
  const { plan, due, row } = work;
  const scenario = plan.scenarios.find((candidate) => candidate.id === due.scenarioId);
  if (scenario === undefined) throw new RangeError(`scenario ${due.scenarioId} is not part of the plan`);
  const allowance = allowTrial(ctx, { experimentId: row.experimentId, evalRunId: row.id, plan, spec: scenario.spec });
  const startedAt = ctx.clock.now();
  const result = await runWithin(ctx, { ...work, scenario, allowance });
  settle(ctx, allowance.reservation, {
    tokens: result.totalTokens,
    usd: result.costUsd,
    model: (result.kind === 'completed' ? result.model : null) ?? plan.agentModel.model,
  });
  const graded = await grade(result, { ...work, scenario, allowance });
  const trial = asRow(result, { ...work, graded, startedAt, finishedAt: ctx.clock.now() });
  immediate(ctx.db, () => {
    work.fence?.();
    insertTrial(ctx.db, trial);
  });
  if (graded.stop !== null) throw graded.stop;
  return { ...due, outcome: graded.outcome };
}

type Running = TrialWork & { readonly scenario: ScenarioSnapshot; readonly allowance: TrialAllowance };

async function runWithin(ctx: Context, work: Running): Promise<TrialResult> {
  const { plan, due, scenario, allowance, row } = work;
  const content = work.contents[due.arm];
  if (content === null) throw new TypeError(`the run has no text for the ${due.arm}`);
  const policy = scenario.spec.tools ?? plan.policy;
  try {
    return await work.runner.run(
      {
        evalRunId: row.id,
        scenario,
        arm: due.arm,
        epoch: due.epoch,
        attempt: due.attempt,
        targetContent: content,
        targetRelpath: plan.targetRelpath,
        slot: due.slot,
        policy,
        ...(policy === 'real' ? { realToolsets: scenario.spec.toolsets ?? [] } : {}),
        maxTurns: scenario.spec.max_turns ?? plan.maxTurns,
        timeoutMs: plan.timeoutMs,
        tokenLimit: allowance.tokenLimit,
      },
      work.signal,
    );
  } catch (error) {
    // A trial that broke off halfway has spent something nobody counted: it is booked as reserved. What could not
    // be prepared was never started.
    if (isKarpathyError(error) && !work.signal.aborted) release(ctx, allowance.reservation);
    else settle(ctx, allowance.reservation, { tokens: null, usd: allowance.reservation.usd });
    throw error;
  }
}

async function grade(result: TrialResult, work: Running): Promise<Graded> {
  if (result.kind === 'infra') return infra(result.reason, result.stopRun ? stopOf(result) : null);
  if (result.limitReached === 'tokens' && work.allowance.byBudget) {
    return infra('the budget was spent during the trial', budgetSpent(result.totalTokens));
  }
  const { spec } = work.scenario;
  try {
    const judge = work.judge === null ? null : judgeFor(work.judge, userTurns(spec));
    const checks = await runChecks(spec.checks, result, judge);
    const passed = result.limitReached === null && checks.every((check) => check.passed);
    return { outcome: passed ? 'pass' : 'fail', infraReason: null, checks, stop: null };
  } catch (error) {
    if (!isKarpathyError(error)) throw error;
    const reason = `the judge gave no answer: ${error.message}`;
    if (error.code === 'model_failed') return infra(reason, null);
    if (error.code === 'model_limit' || error.code === 'budget' || error.code === 'price_unknown') {
      return infra(reason, error);
    }
    throw error;
  }
}

function infra(reason: string, stop: KarpathyError | null): Graded {
  return { outcome: 'infra', infraReason: reason, checks: [], stop };
}

function stopOf(result: TrialInfra): KarpathyError {
  if (result.reason.startsWith('usage limit')) {
    return new KarpathyError('model_limit', `The model's provider refuses further calls: ${result.reason}.`, {
      hint: 'Run the command again when the limit has passed; finished pairs are kept.',
    });
  }
  return new KarpathyError('host_failed', `The evaluation stopped: ${result.reason}.`, {
    hint: '`karpathy doctor` checks the installation.',
  });
}

function asRow(
  result: TrialResult,
  work: TrialWork & { graded: Graded; startedAt: number; finishedAt: number },
): NewTrial {
  const { due, graded, startedAt, finishedAt } = work;
  const done: TrialEvidence | null = result.kind === 'completed' ? result : null;
  return {
    evalRunId: work.row.id,
    scenarioId: due.scenarioId,
    arm: due.arm,
    epoch: due.epoch,
    attempt: due.attempt,
    slot: due.slot,
    position: due.position,
    outcome: graded.outcome,
    infraReason: graded.infraReason,
    checks: graded.checks,
    toolCalls: done?.toolCalls ?? [],
    response: done?.response ?? null,
    judgeRationale: graded.checks.find((check) => check.kind === 'judge')?.detail ?? null,
    sessionId: done?.sessionId ?? null,
    model: done?.model ?? null,
    apiCalls: done?.apiCalls ?? null,
    inputTokens: done?.inputTokens ?? null,
    outputTokens: done?.outputTokens ?? null,
    cachedInputTokens: done?.cachedInputTokens ?? null,
    totalTokens: result.totalTokens,
    costUsd: result.costUsd,
    costSource: done?.costSource ?? null,
    durationMs: Math.round(result.durationMs),
    responseIds: done?.responseIds ?? null,
    modelMs: done?.modelMs ?? null,
    startedAt,
    finishedAt,
  };
}
