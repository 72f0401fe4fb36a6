import {
  listSnapshots,
  sumSessionsByContent,
  windowsByExperiment,
  type MetricsSnapshot,
  type Sums,
} from '../store/metrics.js';
import type { Context } from './context.js';
import { ratesOf, type Rates } from './metricsRates.js';
import { requireProfile } from './requireProfile.js';
import { targetSha256 } from './targetStatus.js';

/** Which series, from when (milliseconds since the epoch; null = all), and at most how many entries. */
export interface SeriesQuery {
  readonly since: number | null;
  readonly limit: number;
}

type WithRates<T> = T & { readonly rates: Rates };

/** An experiment's three windows; null = not collected. */
export interface ExperimentMetrics {
  readonly experimentId: number;
  readonly before: WithRates<MetricsSnapshot> | null;
  readonly live: WithRates<MetricsSnapshot> | null;
  readonly after: WithRates<MetricsSnapshot> | null;
  /** Live minus before; null where one of them is not known. A difference, no proof: the sessions differ as well. */
  readonly change: Rates | null;
}

export interface ContentMetrics extends WithRates<Sums> {
  /** Of the target's bytes; null = sessions whose text is not known. */
  readonly contentSha256: string | null;
  /** It is what the file holds now. */
  readonly current: boolean;
  /** Start of the first and the last session that carried it. */
  readonly firstAt: number;
  readonly lastAt: number;
}

function withRates<T extends Sums>(figures: T): WithRates<T> {
  return { ...figures, rates: ratesOf(figures) };
}

/** The days (UTC) in which sessions started, newest first, as they were collected. */
export function metricsByDay(ctx: Context, { since, limit }: SeriesQuery): WithRates<MetricsSnapshot>[] {
  const profileId = requireProfile(ctx).id;
  const bound = since === null ? {} : { since };
  return listSnapshots(ctx.db, { profileId, windowKind: 'collect', limit, ...bound }).map(withRates);
}

/** The applied experiments, newest first, as they were collected. */
export function metricsByExperiment(ctx: Context, { since, limit }: SeriesQuery): ExperimentMetrics[] {
  const profileId = requireProfile(ctx).id;
  const windows = windowsByExperiment(ctx.db, { profileId, since: since ?? 0, limit });
  const ids = [...new Set(windows.map(({ experimentId }) => experimentId))];
  return ids.flatMap((experimentId) => {
    if (experimentId === null) return [];
    const of = (kind: MetricsSnapshot['windowKind']) => {
      const found = windows.find((one) => one.experimentId === experimentId && one.windowKind === kind);
      return found === undefined ? null : withRates(found);
    };
    const [before, live] = [of('before'), of('live')];
    return [{ experimentId, before, live, after: of('after'), change: changeOf(before, live) }];
  });
}

function changeOf(before: { rates: Rates } | null, live: { rates: Rates } | null): Rates | null {
  if (before === null || live === null) return null;
  const minus = (a: number | null, b: number | null) => (a === null || b === null ? null : a - b);
  const keys = Object.keys(live.rates) as (keyof Rates)[];
  return Object.fromEntries(keys.map((key) => [key, minus(live.rates[key], before.rates[key])])) as unknown as Rates;
}

/** The texts that sessions carried, newest first, summed now over all their sessions since then. */
export function metricsByContent(ctx: Context, { since, limit }: SeriesQuery): ContentMetrics[] {
  const profile = requireProfile(ctx);
  const now = targetSha256(profile);
  const span = { profileId: profile.id, from: since ?? 0, to: Number.MAX_SAFE_INTEGER };
  return sumSessionsByContent(ctx.db, span)
    .slice(0, limit)
    .map((sums) => ({ ...withRates(sums), current: now !== null && sums.contentSha256 === now }));
}
