import type { ExperimentState } from './experiment.js';

export const LIFECYCLE_EVENTS = ['propose', 'approve', 'reject', 'apply', 'verify', 'revert', 'supersede'] as const;
export type LifecycleEvent = (typeof LIFECYCLE_EVENTS)[number];

/** `none` is an experiment that does not exist yet. */
export type Origin = ExperimentState | 'none';

/**
 * Every legal change of state; what is not here is refused.
 * `supersede`: a person's own edit took the place of the live one, and it stays.
 */
export const TRANSITIONS: Readonly<Record<Origin, Readonly<Partial<Record<LifecycleEvent, ExperimentState>>>>> = {
  none: { propose: 'proposed' },
  proposed: { approve: 'approved', reject: 'rejected' },
  approved: { apply: 'live', reject: 'rejected' },
  live: { verify: 'verified', revert: 'reverted', supersede: 'reverted' },
  verified: { revert: 'reverted' },
  reverted: {},
  rejected: {},
};

/** The state after an event; null when the event is not legal there. */
export function nextState(from: Origin, event: LifecycleEvent): ExperimentState | null {
  return TRANSITIONS[from][event] ?? null;
}

/** Whether some event leads from one state to the other. */
export function isLegal(from: Origin, to: ExperimentState): boolean {
  return Object.values(TRANSITIONS[from]).includes(to);
}

/** The events that a state allows, in the order of the table. */
export function eventsFrom(from: Origin): readonly LifecycleEvent[] {
  return LIFECYCLE_EVENTS.filter((event) => nextState(from, event) !== null);
}

export interface LoggedTransition {
  readonly from: ExperimentState | null;
  readonly to: ExperimentState;
}

/**
 * The state that an audit log adds up to, oldest entry first; null for an empty log.
 * @throws RangeError when an entry does not continue the one before it, or is not legal
 */
export function foldTransitions(log: readonly LoggedTransition[]): ExperimentState | null {
  return log.reduce<ExperimentState | null>((state, entry, index) => {
    if (entry.from !== state || !isLegal(state ?? 'none', entry.to)) {
      const at = `entry ${index + 1}: ${entry.from ?? 'none'} -> ${entry.to}`;
      throw new RangeError(`the audit log is broken at ${at}, after ${state ?? 'none'}`);
    }
    return entry.to;
  }, null);
}
