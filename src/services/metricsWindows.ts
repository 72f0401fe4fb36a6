import { appliedTimes, type AppliedTimes } from '../store/appliedTimes.js';
import type { WindowKind } from '../store/metrics.js';
import type { Context } from './context.js';

const DAY_MS = 24 * 60 * 60 * 1000;
/** Figures still change for a day after a session's last turn; one day more for what was spooled late. */
const SETTLE_MS = 2 * DAY_MS;
/** More experiments than this are never in their windows at once: they follow one another. */
const NEWEST = 20;

/** Sessions that started in [startedAt, endedAt), whenever their turns ran. Milliseconds since the epoch. */
export interface MetricsWindow {
  readonly kind: WindowKind;
  readonly experimentId: number | null;
  readonly startedAt: number;
  readonly endedAt: number;
}

/**
 * The windows before, under and after the applied experiments whose figures may have changed since the profile was
 * collected for the last time (0 = never). Before and after are as
 * long as a live window may be, and end where another experiment's text was in the file.
 */
export function experimentWindows(
  ctx: Pick<Context, 'db' | 'clock' | 'config'>,
  { profileId, collectedAt }: { profileId: number; collectedAt: number },
): MetricsWindow[] {
  const length = ctx.config.config.live.days * DAY_MS;
  const now = ctx.clock.now();
  const newestFirst = appliedTimes(ctx.db, { profileId, limit: NEWEST });
  return newestFirst.flatMap((times, index) => {
    const closedAt = times.verifiedAt ?? times.revertedAt;
    if (closedAt !== null && closedAt + length + SETTLE_MS < collectedAt) return [];
    return windowsOf(times, { older: newestFirst[index + 1], newer: newestFirst[index - 1], length, now });
  });
}

function windowsOf(
  times: AppliedTimes,
  around: { older: AppliedTimes | undefined; newer: AppliedTimes | undefined; length: number; now: number },
): MetricsWindow[] {
  const { experimentId, appliedAt } = times;
  const { older, newer, length, now } = around;
  const closedAt = times.verifiedAt ?? times.revertedAt;
  const since = older === undefined ? 0 : (older.revertedAt ?? older.appliedAt);
  const before: MetricsWindow = {
    kind: 'before',
    experimentId,
    startedAt: Math.max(since, appliedAt - length),
    endedAt: appliedAt,
  };
  // An open window ends with the day, so that collecting twice writes the same row.
  const live: MetricsWindow = {
    kind: 'live',
    experimentId,
    startedAt: appliedAt,
    endedAt: closedAt ?? now - (now % DAY_MS) + DAY_MS,
  };
  if (closedAt === null) return [before, live];
  const endedAt = Math.max(closedAt, Math.min(closedAt + length, newer?.appliedAt ?? Infinity));
  return [before, live, { kind: 'after', experimentId, startedAt: closedAt, endedAt }];
}
