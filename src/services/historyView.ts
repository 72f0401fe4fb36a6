import type { ExperimentState, VerdictKind } from '../domain/experiment.js';
import { history, listExperiments, type ExperimentRow } from '../store/experiments.js';
import type { Context } from './context.js';
import { ownExperiment } from './ownExperiment.js';
import { requireProfile } from './requireProfile.js';

/** One experiment in the list. */
export interface HistoryItem {
  readonly id: number;
  readonly state: ExperimentState;
  readonly verdict: VerdictKind | null;
  readonly overridden: boolean;
  readonly operation: ExperimentRow['operation'];
  readonly before: string | null;
  readonly after: string | null;
  readonly proposer: string | null;
  readonly reason: string | null;
  readonly costUsd: number | null;
  readonly tokens: number | null;
  readonly createdAt: number;
}

/** One change of state, from the audit log. */
export interface TransitionItem {
  readonly from: ExperimentState | null;
  readonly to: ExperimentState;
  readonly actor: string;
  readonly reason: string;
  readonly at: number;
}

/** The profile's experiments, newest first. */
export function historyList(ctx: Context, options: { limit?: number } = {}): HistoryItem[] {
  const profile = requireProfile(ctx);
  return listExperiments(ctx.db, { profileId: profile.id, limit: options.limit ?? 50 }).map((row) => ({
    id: row.id,
    state: row.state,
    verdict: row.verdict,
    overridden: row.approvalOverrideReason !== null,
    operation: row.operation,
    before: row.sentenceBefore,
    after: row.sentenceAfter,
    proposer: row.proposerModel,
    reason: row.closingReason ?? row.rejectionReason ?? row.verdictReason,
    costUsd: row.costUsd,
    tokens: row.tokens,
    createdAt: row.createdAt,
  }));
}

/** What happened to one experiment, oldest first. @throws KarpathyError `unknown_experiment` */
export function historyOf(ctx: Context, id: number): TransitionItem[] {
  ownExperiment(ctx, id);
  return history(ctx.db, id).map(({ fromState, toState, actor, reason, at }) => ({
    from: fromState,
    to: toState,
    actor,
    reason,
    at,
  }));
}
