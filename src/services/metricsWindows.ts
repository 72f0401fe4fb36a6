import { appliedTimes, type AppliedTimes } from '../store/appliedTimes.js';
import type { WindowKind } from '../store/metrics.js';
import type { Context } from './context.js';

const DAY_MS = 24 * 60 * 60 * 1000;
/** More experiments than this are hardly in their windows at once: they follow one another. */
const NEWEST = 20;

/** Sessions that started in [startedAt, endedAt), whenever their turns ran. Milliseconds since the epoch. */
export interface MetricsWindow {
  readonly kind: WindowKind;
  readonly experimentId: number | null;
  readonly startedAt: number;
  readonly endedAt: number;
}

/**
 * The windows before, under and after the newest applied experiments. Before and after are as long as a live window
 * may be, and end where another experiment's text was in the file.
 */
export function experimentWindows(ctx: Pick<Context, 'db' | 'clock' | 'config'>, profileId: number): MetricsWindow[] {
  const length = ctx.config.config.live.days * DAY_MS;
  const now = ctx.clock.now();
  // One more than is looked at: where the oldest window begins depends on the experiment before it.
  const newestFirst = appliedTimes(ctx.db, { profileId, limit: NEWEST + 1 });
  return newestFirst.slice(0, NEWEST).flatMap((times, index) => {
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
  if (closedAt === null) return [before, live].map(notBackwards);
  const endedAt = Math.max(closedAt, Math.min(closedAt + length, newer?.appliedAt ?? Infinity));
  return [before, live, { kind: 'after', experimentId, startedAt: closedAt, endedAt } as const].map(notBackwards);
}

/** Where the clock was set back, a window would end before it began; then it is empty. */
export function notBackwards(window: MetricsWindow): MetricsWindow {
  return { ...window, endedAt: Math.max(window.startedAt, window.endedAt) };
}
