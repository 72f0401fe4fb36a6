import type { baselinesView } from '../services/recordsView.js';
import { percent, points, timestamp } from './figures.js';
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
    `${baseline.contentSha256.slice(0, 12)}${baseline.evidenceExpiredAt !== null ? ' (evidence expired)' : baseline.driftAt !== null ? ' (drifted since)' : ''}`,
  ]);
  return table(look, ['recorded', 'experiment', 'passed', 'fresh gain', 'groups', 'text'], rows);
}
