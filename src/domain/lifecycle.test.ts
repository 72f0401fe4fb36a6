import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ExperimentState } from './experiment.js';
import {
  LIFECYCLE_EVENTS,
  eventsFrom,
  foldTransitions,
  isLegal,
  nextState,
  type LoggedTransition,
  type Origin,
} from './lifecycle.js';

// Typed out by hand, all of them: the table in the code is not what this is compared with.
const EXPECTED: readonly (readonly [Origin, string, ExperimentState | null])[] = [
  ['none', 'propose', 'proposed'],
  ['none', 'approve', null],
  ['none', 'reject', null],
  ['none', 'apply', null],
  ['none', 'verify', null],
  ['none', 'revert', null],
  ['none', 'supersede', null],
  ['proposed', 'propose', null],
  ['proposed', 'approve', 'approved'],
  ['proposed', 'reject', 'rejected'],
  ['proposed', 'apply', null],
  ['proposed', 'verify', null],
  ['proposed', 'revert', null],
  ['proposed', 'supersede', null],
  ['approved', 'propose', null],
  ['approved', 'approve', null],
  ['approved', 'reject', 'rejected'],
  ['approved', 'apply', 'live'],
  ['approved', 'verify', null],
  ['approved', 'revert', null],
  ['approved', 'supersede', null],
  ['live', 'propose', null],
  ['live', 'approve', null],
  ['live', 'reject', null],
  ['live', 'apply', null],
  ['live', 'verify', 'verified'],
  ['live', 'revert', 'reverted'],
  ['live', 'supersede', 'reverted'],
  ['verified', 'propose', null],
  ['verified', 'approve', null],
  ['verified', 'reject', null],
  ['verified', 'apply', null],
  ['verified', 'verify', null],
  ['verified', 'revert', 'reverted'],
  ['verified', 'supersede', null],
  ['reverted', 'propose', null],
  ['reverted', 'approve', null],
  ['reverted', 'reject', null],
  ['reverted', 'apply', null],
  ['reverted', 'verify', null],
  ['reverted', 'revert', null],
  ['reverted', 'supersede', null],
  ['rejected', 'propose', null],
  ['rejected', 'approve', null],
  ['rejected', 'reject', null],
  ['rejected', 'apply', null],
  ['rejected', 'verify', null],
  ['rejected', 'revert', null],
  ['rejected', 'supersede', null],
];

const ORIGINS: readonly Origin[] = ['none', 'proposed', 'approved', 'live', 'verified', 'reverted', 'rejected'];

describe('the lifecycle table', () => {
  it('is expected for every state and event', () => {
    const pairs = new Set(EXPECTED.map(([from, event]) => `${from} ${event}`));
    expect(pairs.size).toBe(ORIGINS.length * LIFECYCLE_EVENTS.length);
  });

  it.each(EXPECTED)('from %s, %s leads to %s', (from, event, to) => {
    expect(nextState(from, event as (typeof LIFECYCLE_EVENTS)[number])).toBe(to);
  });

  it('names the events a person can still cause', () => {
    expect(eventsFrom('live')).toEqual(['verify', 'revert', 'supersede']);
    expect(eventsFrom('rejected')).toEqual([]);
  });

  it('calls a change of state legal when some event makes it', () => {
    expect(isLegal('live', 'reverted')).toBe(true);
    expect(isLegal('proposed', 'live')).toBe(false);
    expect(isLegal('reverted', 'live')).toBe(false);
  });
});

describe('folding the audit log', () => {
  it('gives the state after any sequence of events, legal or refused', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...LIFECYCLE_EVENTS), { maxLength: 30 }), (events) => {
        let state: ExperimentState | null = null;
        const log: LoggedTransition[] = [];
        for (const event of ['propose' as const, ...events]) {
          const to = nextState(state ?? 'none', event);
          if (to === null) continue;
          log.push({ from: state, to });
          state = to;
        }
        expect(foldTransitions(log)).toBe(state);
      }),
    );
  });

  it('refuses a log with an entry taken out of the middle', () => {
    const log: LoggedTransition[] = [
      { from: null, to: 'proposed' },
      { from: 'proposed', to: 'approved' },
      { from: 'approved', to: 'live' },
    ];
    expect(() => foldTransitions([log[0]!, log[2]!])).toThrow(/broken at entry 2/);
  });

  it('refuses an entry that no event makes', () => {
    expect(() =>
      foldTransitions([
        { from: null, to: 'proposed' },
        { from: 'proposed', to: 'verified' },
      ]),
    ).toThrow(RangeError);
  });

  it('of nothing is nothing', () => {
    expect(foldTransitions([])).toBeNull();
  });
});
