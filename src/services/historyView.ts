import type { ExperimentState, VerdictKind } from '../domain/experiment.js';
import { experimentSummaries, type ExperimentSummary } from '../store/experimentLists.js';
import { history } from '../store/experiments.js';
import type { Context } from './context.js';
import { ownExperiment } from './ownExperiment.js';
import { requireProfile } from './requireProfile.js';

/** One experiment in the list. */
export interface HistoryItem {
  readonly id: number;
  readonly state: ExperimentState;
  readonly verdict: VerdictKind | null;
  readonly overridden: boolean;
  readonly operation: ExperimentSummary['operation'];
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

/** Part of the list, and where it goes on. */
export interface HistoryPage {
  readonly experiments: readonly HistoryItem[];
  /** Older ones are there: give it as `before`. Null = this was all. */
  readonly before: number | null;
}

/** How many a list shows when nobody says how many. */
export const HISTORY_SHOWN = 50;

/** The profile's experiments, newest first: `limit` of them (null = all), and only those numbered below `before`. */
export function historyList(
  ctx: Context,
  options: { readonly limit?: number | null; readonly before?: number } = {},
): HistoryPage {
  const profileId = requireProfile(ctx).id;
  const limit = options.limit === undefined ? HISTORY_SHOWN : options.limit;
  const of = { profileId, before: options.before ?? null };
  // One more than is shown, to know whether there are any.
  const rows = experimentSummaries(ctx.db, { ...of, limit: limit === null ? -1 : limit + 1 });
  const shown = limit === null ? rows : rows.slice(0, limit);
  const more = rows.length > shown.length;
  return { experiments: shown.map(itemOf), before: more ? (shown.at(-1)?.id ?? of.before) : null };
}

function itemOf(row: ExperimentSummary): HistoryItem {
  const { overrideReason, sentenceBefore: before, sentenceAfter: after, proposerModel: proposer, ...same } = row;
  return { ...same, overridden: overrideReason !== null, before, after, proposer };
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
