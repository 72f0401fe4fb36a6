import { isDeepStrictEqual } from 'node:util';
import type { Arm, EvalPurpose } from '../domain/experiment.js';
import { KarpathyError } from '../errors.js';
import { slotsFor } from '../evaluation/concurrency.js';
import { EVALUATOR_VERSION, restorePlan, serialisePlan, type EvalPlan } from '../evaluation/plan.js';
import type { Look } from '../gate/types.js';
import { sha256 } from '../ratchet/digest.js';
import type { ScenarioSnapshot } from '../schemas.js';
import { endEvalRun, getEvalRun, insertEvalRun, listEvalRuns, type EvalRunRow } from '../store/evalRuns.js';
import { markUsed } from '../store/scenarios.js';
import type { Context } from './context.js';
import { guarded } from './evalSession.js';
import { estimateRun } from './estimateEvaluation.js';
import { evidenceFingerprint } from './evidence.js';
import { plannedAgent } from './plannedAgent.js';
import { requireProfile } from './requireProfile.js';
import { requireRoomForTrials } from './room.js';
import { requireRunnable } from './runnable.js';
import { inCacheOrder, withToolsets } from './suiteToolsets.js';

/** A trial that goes through this many tokens a turn has lost its way. */
const TOKENS_PER_TURN = 100_000;

export interface RunRequest {
  readonly purpose: EvalPurpose;
  readonly experimentId: number | null;
  readonly arms: readonly Arm[];
  readonly contents: Readonly<Record<Arm, Uint8Array | null>>;
  readonly scenarios: readonly ScenarioSnapshot[];
  readonly epochs: number;
  readonly firstEpoch?: number;
  readonly round?: number;
  readonly looks: readonly Look[];
  /** This consultation's share of the error budget; 0 where none is spent. */
  readonly alpha: number;
  /** Nothing may be kept: the suite was too small, and a person had it run all the same. */
  readonly underpowered?: boolean;
  /** Of a deletion. */
  readonly margin?: number;
  readonly targetRelpath: string;
  /** As `experiments.proposer_model` has it; null when no edit is involved. */
  readonly proposer: string | null;
  readonly fence?: () => void;
  /** Written in the transaction that starts the run. */
  readonly onStart?: (run: { evalRunId: number; fingerprint: string }) => void;
}

/**
 * A run that was interrupted, and the plan it goes on with; null when there is none for the same texts, agent, judge
 * and evaluator: trials of different ones must not be counted together.
 */
export function resumableRun(
  ctx: Context,
  request: Pick<RunRequest, 'purpose' | 'experimentId' | 'contents' | 'firstEpoch' | 'round'>,
): EvalRunRow | null {
  const incumbent = digestOf(request.contents.incumbent);
  const candidate = digestOf(request.contents.candidate);
  const open = listEvalRuns(ctx.db, {
    profileId: requireProfile(ctx).id,
    purpose: request.purpose,
    ...(request.experimentId === null ? {} : { experimentId: request.experimentId }),
    states: ['planned', 'running', 'interrupted'],
  });
  const same = (row: EvalRunRow): boolean => {
    if (row.incumbentSha256 !== incumbent || row.candidateSha256 !== candidate) return false;
    const plan = restorePlan(row);
    if (plan.firstEpoch !== (request.firstEpoch ?? 1) || plan.round !== (request.round ?? 0)) return false;
    return (
      isDeepStrictEqual(plan.agentModel, plannedAgent(ctx)) &&
      isDeepStrictEqual(plan.judge, judgeOf(ctx, plan)) &&
      plan.evaluator === EVALUATOR_VERSION
    );
  };
  const found = open.find(same) ?? null;
  for (const row of open) {
    if (row === found) continue;
    endEvalRun(ctx.db, row.id, { state: 'cancelled', at: ctx.clock.now(), failure: 'another run took its place' });
  }
  return found;
}

/**
 * Fixes everything about a run and stores it, before any trial.
 * @throws KarpathyError `host_failed` without a Hermes, `io` without room for the slots, and what `requireRunnable` throws
 */
export async function planRun(ctx: Context, request: RunRequest): Promise<EvalRunRow> {
  const profile = requireProfile(ctx);
  if (ctx.hermes === null) throw noHermes();
  const { runner } = ctx.config.config;
  requireRoomForTrials(ctx);
  const realConfirmed = await requireRunnable(ctx, request.scenarios);
  const incumbentSha256 = digestOf(request.contents.incumbent);
  if (incumbentSha256 === null) throw new TypeError('a run needs the incumbent text');
  const plan: EvalPlan = {
    v: 1,
    purpose: request.purpose,
    evaluator: EVALUATOR_VERSION,
    seed: ctx.ids.next(),
    firstEpoch: request.firstEpoch ?? 1,
    epochs: request.epochs,
    round: request.round ?? 0,
    looks: request.looks.map((look) => ({ ...look })),
    alpha: request.alpha,
    underpowered: request.underpowered ?? false,
    margin: request.margin ?? null,
    arms: [...request.arms],
    targetRelpath: request.targetRelpath,
    incumbentSha256,
    candidateSha256: digestOf(request.contents.candidate),
    scenarios: inCacheOrder(withToolsets(ctx, request.scenarios)),
    realConfirmed,
    slots: Math.max(1, Math.min(slotsFor(runner.concurrency), request.scenarios.length)),
    policy: 'simulated',
    maxTurns: runner.max_turns,
    timeoutMs: runner.timeout_seconds * 1000,
    tokenCap: runner.max_turns * TOKENS_PER_TURN,
    agentModel: plannedAgent(ctx),
    proposer: request.proposer,
    judge: judgeOf(ctx, request),
  };
  const stored = serialisePlan(plan);
  const fingerprint = await evidenceFingerprint(ctx);
  const at = ctx.clock.now();
  return guarded(ctx, request, () => {
    const id = insertEvalRun(ctx.db, {
      profileId: profile.id,
      experimentId: request.experimentId,
      purpose: request.purpose,
      plan: stored.text,
      planSha256: stored.sha256,
      incumbentSha256,
      candidateSha256: plan.candidateSha256,
      proposerModel: request.proposer,
      judgeModel: null,
      evidenceFingerprint: fingerprint.sha256,
      fingerprintDetail: JSON.stringify(fingerprint.detail),
      estimate: JSON.stringify(estimateRun(ctx, plan)),
      at,
    });
    markUsed(
      ctx.db,
      request.scenarios.map((scenario) => scenario.id),
      at,
    );
    request.onStart?.({ evalRunId: id, fingerprint: fingerprint.sha256 });
    return getEvalRun(ctx.db, id);
  });
}

/** Who grades, as configured; null where nothing is to be graded. */
function judgeOf(ctx: Context, of: { readonly scenarios: readonly ScenarioSnapshot[] }): EvalPlan['judge'] {
  const { judge } = ctx.config.config.models;
  const asked = of.scenarios.some((s) => s.spec.checks.some((check) => check.judge !== undefined));
  return asked && judge !== null ? ctx.makeModel(judge).configured : null;
}

function noHermes(): KarpathyError {
  return new KarpathyError('host_failed', 'No Hermes executable was found, so nothing can be evaluated.', {
    hint: 'Set runner.hermes in the root config.yaml (plugins.karpathy_self_improve).',
  });
}

function digestOf(content: Uint8Array | null): string | null {
  return content === null ? null : sha256(content);
}
