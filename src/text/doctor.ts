import type { Finding } from '../services/doctor.js';
import { plural } from './figures.js';
import { wrap, type Look } from './look.js';

/** One line per finding; what is not in order says what to do. */
export function findingsText(look: Look, findings: readonly Finding[]): string {
  const { green, yellow, red, cyan, dim } = look.colors;
  const mark = { ok: green('✓'), warn: yellow('!'), error: red('✗') } as const;
  const lines = findings.flatMap(({ level, area, message, fix }) => [
    `${mark[level]} ${dim(area)}${wrap(`${area} ${message}`, { width: look.width, indent: 2 }).slice(area.length)}`,
    ...(fix === undefined ? [] : [`  ${cyan(wrap(`→ ${fix}`, { width: look.width, indent: 4 }))}`]),
  ]);
  const errors = findings.filter((finding) => finding.level === 'error').length;
  const warnings = findings.filter((finding) => finding.level === 'warn').length;
  return [
    ...lines,
    '',
    errors + warnings === 0 ? 'All is in order.' : `${plural(errors, 'error')}, ${plural(warnings, 'warning')}.`,
  ].join('\n');
}
