import type { baselinesView, metricsView } from '../services/recordsView.js';
import { count, percent, points, timestamp, usd } from './figures.js';
import type { Look } from './look.js';
import { table } from './table.js';

export function baselinesText(look: Look, baselines: ReturnType<typeof baselinesView>): string {
  if (baselines.length === 0) return 'No baselines yet: one is recorded when a change is verified.';
  const rows = baselines.map((baseline) => [
    timestamp(baseline.recordedAt),
    baseline.experimentId === null ? '' : String(baseline.experimentId),
    percent(baseline.passRate),
    points(baseline.effect),
    baseline.groups === null ? '' : `${baseline.groups} × ${baseline.epochs ?? '?'}`,
    `${baseline.contentSha256.slice(0, 12)}${baseline.evidenceExpiredAt === null ? '' : ' (evidence expired)'}`,
  ]);
  return table(look, ['recorded', 'experiment', 'passed', 'fresh gain', 'groups', 'text'], rows);
}

export function metricsText(look: Look, snapshots: ReturnType<typeof metricsView>): string {
  if (snapshots.length === 0) return 'No metrics yet. `hermes karpathy collect` takes them.';
  const rows = snapshots.map((s) => [
    timestamp(s.windowStartedAt),
    s.windowKind,
    `${count(s.sessionsCompleted)} of ${count(s.sessionsStarted)}`,
    count(s.turnsFailed),
    count(s.errors),
    count(s.retries),
    count(s.toolErrors),
    s.inputTokens === null || s.outputTokens === null ? 'unknown' : count(s.inputTokens + s.outputTokens),
    s.costUsd === null ? 'unknown' : usd(s.costUsd),
  ]);
  return table(
    look,
    ['from', 'window', 'sessions', 'failed turns', 'errors', 'retries', 'tool errors', 'tokens', 'cost'],
    rows,
  );
}
