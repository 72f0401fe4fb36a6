import { plural } from '#src/text/figures.js';
import type { WriteReport } from '#src/services/scenarios.js';
import type { Answer } from '../../command.js';

/** What a write to the suite did. */
export function writeAnswer(report: WriteReport): Answer {
  const changed = (['added', 'updated', 'unchanged'] as const).flatMap((kind) =>
    report[kind].length === 0 ? [] : [`${plural(report[kind].length, 'scenario')} ${kind}: ${report[kind].join(', ')}`],
  );
  return {
    data: report,
    text: ({ colors }) =>
      [
        ...changed.map((line) => `${colors.green('✓')} ${line}`),
        ...report.warnings.map((w) => `${colors.yellow('!')} ${w}`),
      ].join('\n'),
  };
}
