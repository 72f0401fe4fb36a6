import { plural } from '#src/text/figures.js';
import type { WriteReport } from '#src/services/scenarios.js';
import type { Answer } from '../../command.js';

/** What a write to the suite did. */
export function writeAnswer(report: WriteReport): Answer {
  const changed = (['added', 'updated', 'unchanged'] as const).flatMap((kind) =>
    report[kind].length === 0 ? [] : [`${plural(report[kind].length, 'scenario')} ${kind}: ${firstOf(report[kind])}`],
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

function firstOf(names: readonly string[]): string {
  return names.length <= 30 ? names.join(', ') : `${names.slice(0, 30).join(', ')} and ${names.length - 30} more`;
}
