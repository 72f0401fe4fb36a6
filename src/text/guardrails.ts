import type { GuardrailVerdict } from '../gate/guardrails.js';
import type { GuardrailReport } from '../services/guardrails.js';
import { percent, plural, points } from './figures.js';
import type { Look } from './look.js';
import { table } from './table.js';

/** `12 sessions since, 40 before; no alarm; a rise would have shown from failed turns +21 points, cost per turn +60 %`. */
export function guardrailLine(look: Look, report: GuardrailReport): string {
  const sessions = `${plural(report.sessionsAfter, 'session')} since, ${report.sessionsBefore} before`;
  const alarms = report.guardrails.filter(({ alarm }) => alarm).map(({ name }) => name);
  if (alarms.length > 0) return `${sessions}; ${look.colors.yellow(`more ${alarms.join(', ')}`)}`;
  const visible = report.guardrails.flatMap((one) => (one.couldSee === null ? [] : [`${one.name} ${riseOf(one)}`]));
  if (visible.length === 0) return `${sessions}; too few to show any rise`;
  return `${sessions}; no alarm; a rise would have shown from ${visible.join(', ')}`;
}

/** Every guardrail with what it was, what it is, and what these sessions could have shown. */
export function guardrailTable(look: Look, report: GuardrailReport): string {
  const rows = report.guardrails.map((one) => [
    one.alarm ? look.colors.yellow(one.name) : one.name,
    level(one, one.before),
    level(one, one.after),
    one.adjustedP === null ? '–' : String(Number(one.adjustedP.toPrecision(2))),
    one.couldSee === null ? 'too few sessions' : `from ${riseOf(one)}`,
  ]);
  return table(look, ['by session', 'before', 'since', 'p (Holm)', 'would have shown'], rows);
}

function level({ unit }: GuardrailVerdict, value: number | null): string {
  if (value === null) return 'unknown';
  return unit === 'rate' ? percent(value) : value.toLocaleString('en-US', { maximumSignificantDigits: 3 });
}

function riseOf({ unit, couldSee, before }: GuardrailVerdict): string {
  if (couldSee === null) return 'unknown';
  if (unit === 'rate') return points(couldSee);
  return before === null || before === 0 ? `+${couldSee}` : `+${percent(couldSee / before)}`;
}
