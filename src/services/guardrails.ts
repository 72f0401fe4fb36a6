import { judgeGuardrails, MIN_SESSIONS, type GuardrailData, type GuardrailVerdict } from '../gate/guardrails.js';
import { sessionFigures, type SessionFigures } from '../store/sessionUsage.js';
import type { Context } from './context.js';

/** How far back sessions of the earlier text are compared with. */
const BEFORE_MS = 90 * 24 * 60 * 60 * 1000;
/** The newest sessions of a side; more would not change a decision, and each costs time. */
const MOST_SESSIONS = 300;

/** Sessions of one text against sessions of another. Rates of what started, so that failing turns don't vanish. */
export interface GuardrailReport {
  readonly sessionsBefore: number;
  readonly sessionsAfter: number;
  readonly guardrails: readonly GuardrailVerdict[];
}

/** Which sessions stand against which: texts by hash, times in milliseconds. */
export interface Sides {
  readonly profileId: number;
  readonly before: { readonly contentSha256: string; readonly from?: number; readonly to: number };
  readonly after: { readonly contentSha256: string; readonly from: number; readonly to: number };
  /** Of the permutations. */
  readonly seed: string;
}

/**
 * Compares what sessions of two texts did, as far as it was collected. Nobody assigned the sessions by chance: an
 * alarm says that something is another than before, not that the edit is why.
 */
export function guardrailReport(ctx: Pick<Context, 'db'>, { profileId, before, after, seed }: Sides): GuardrailReport {
  const sessionsOf = (side: { contentSha256: string; from: number; to: number }): SessionFigures[] =>
    sessionFigures(ctx.db, { profileId, ...side, newest: MOST_SESSIONS });
  const earlier = sessionsOf({ ...before, from: before.from ?? before.to - BEFORE_MS });
  const later = sessionsOf(after);
  const data = GUARDRAILS.map(({ name, unit, of }): GuardrailData => {
    const values = (sessions: readonly SessionFigures[]) => sessions.map(of).filter((value) => value !== null);
    return { name, unit, before: values(earlier), after: values(later) };
  });
  return { sessionsBefore: earlier.length, sessionsAfter: later.length, guardrails: judgeGuardrails(data, seed) };
}

interface Guardrail {
  readonly name: string;
  readonly unit: GuardrailData['unit'];
  /** Null = the host does not say; such a session is left out of this guardrail. */
  readonly of: (session: SessionFigures) => number | null;
}

/** A session of two turns says as much as one of fifty: each is one value. */
const GUARDRAILS: readonly Guardrail[] = [
  {
    name: 'failed turns',
    unit: 'rate',
    of: ({ turnsFailed, startedTurns }) => (turnsFailed === null ? null : share(turnsFailed, startedTurns)),
  },
  {
    name: 'tool errors',
    unit: 'rate',
    of: ({ toolErrors, toolCalls }) => (toolErrors === null ? null : share(toolErrors, toolCalls ?? 0)),
  },
  { name: 'turns with retries', unit: 'rate', of: ({ retries, startedTurns }) => share(retries, startedTurns) },
  { name: 'cost per turn', unit: 'amount', of: ({ costUsd, startedTurns }) => each(costUsd, startedTurns) },
  {
    name: 'tokens per turn',
    unit: 'amount',
    of: ({ inputTokens, outputTokens, startedTurns }) =>
      inputTokens === null || outputTokens === null ? null : each(inputTokens + outputTokens, startedTurns),
  },
];

/** At most 1: a turn may be retried three times and stays one turn. */
function share(part: number, whole: number): number {
  return whole > 0 ? Math.min(1, part / whole) : 0;
}

function each(amount: number | null, turns: number): number | null {
  return amount === null || turns <= 0 ? null : amount / turns;
}

export function alarmsOf(report: GuardrailReport): GuardrailVerdict[] {
  return report.guardrails.filter(({ alarm }) => alarm);
}

/** One sentence about what rose; a person reads it as a question, not as a verdict. */
export function alarmText(alarms: readonly GuardrailVerdict[]): string {
  const rises = alarms.map(
    ({ name, unit, before, after }) => `${name} ${level(unit, before)} -> ${level(unit, after)}`,
  );
  return `Since the apply, more than before: ${rises.join('; ')}. It may have another cause than the edit.`;
}

function level(unit: GuardrailData['unit'], value: number | null): string {
  if (value === null) return 'unknown';
  return unit === 'rate' ? `${Math.round(value * 100)} %` : `${Number(value.toPrecision(3))}`;
}

/** Whether anything could be compared at all. */
export function comparable(report: GuardrailReport): boolean {
  return report.sessionsBefore >= MIN_SESSIONS && report.sessionsAfter >= MIN_SESSIONS;
}
