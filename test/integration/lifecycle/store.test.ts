import { beforeEach, describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { EXPERIMENT_STATES } from '#src/domain/experiment.js';
import { foldTransitions, isLegal } from '#src/domain/lifecycle.js';
import { isKarpathyError, type KarpathyError } from '#src/errors.js';
import { openDatabase } from '#src/store/database.js';
import { editsTried } from '#src/store/experimentLists.js';
import {
  addCost,
  findInFlight,
  getExperiment,
  history,
  listExperiments,
  recordEdit,
  recordVerdict,
  recordWindow,
  transition,
} from '#src/store/experiments.js';
import { testContext, type TestContext } from '../../support/context.js';
import { appendedLine, proposed } from '../../support/experiments.js';

let fixture: TestContext;
beforeEach(() => {
  fixture = testContext();
});

function thrown(work: () => unknown): KarpathyError {
  try {
    work();
  } catch (error) {
    if (isKarpathyError(error)) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

const step = (to: (typeof EXPERIMENT_STATES)[number], at = 5) => ({ to, actor: 'person@cli', reason: `to ${to}`, at });

describe('an experiment in the controller DB', () => {
  it('keeps every part of its edit', () => {
    const edit = appendedLine(fixture);
    const row = getExperiment(fixture.db, proposed(fixture, edit));
    expect(row.state).toBe('proposed');
    expect(row.baseContent?.equals(Buffer.from(edit.baseContent))).toBe(true);
    expect(row.candidateContent?.equals(Buffer.from(edit.candidateContent))).toBe(true);
    expect(row.targetSpan).toEqual(edit.metadata.targetSpan);
    expect(row).toMatchObject({
      operation: 'insert',
      sentenceDeltaCount: 1,
      changedHunks: 1,
      addedLines: 1,
      removedLines: 0,
      proposerModel: 'human',
      autoRevertAgreed: false,
      manualConflictDetected: false,
      dirtyBeforeApply: null,
    });
  });

  it('has a first audit row from nothing to proposed', () => {
    const id = proposed(fixture);
    expect(history(fixture.db, id)).toMatchObject([{ fromState: null, toState: 'proposed', actor: 'person@cli' }]);
  });

  it('takes the only place of its profile in flight; a second is told which one has it and how to end it', () => {
    const id = proposed(fixture);
    const error = thrown(() => proposed(fixture));
    expect(error.code).toBe('in_flight');
    expect(error.message).toContain(`experiment ${id} in flight (proposed)`);
    expect(error.hint).toContain(`reject ${id}`);
    expect(listExperiments(fixture.db)).toHaveLength(1);
  });

  it('gives the place back when it ends, and another profile has its own', () => {
    const other = testContext({ root: fixture.root, profile: 'work', soul: 'Be kind.\n' });
    const id = proposed(fixture);
    expect(proposed(other)).toBeGreaterThan(id);
    transition(fixture.db, { id, ...step('rejected') });
    expect(findInFlight(fixture.db, fixture.profileId)).toBeNull();
    const next = proposed(fixture);
    expect(findInFlight(fixture.db, fixture.profileId)?.id).toBe(next);
    other.close();
  });

  it('refuses an edit or a verdict once it is decided', () => {
    const id = proposed(fixture);
    transition(fixture.db, { id, ...step('rejected') });
    const verdict = {
      verdict: 'keep',
      reason: '',
      detail: null,
      offlineScore: 1,
      evidenceFingerprint: 'x',
      at: 1,
    } as const;
    expect(thrown(() => recordVerdict(fixture.db, id, verdict)).code).toBe('wrong_state');
    expect(thrown(() => recordEdit(fixture.db, id, { ...appendedLine(fixture), at: 1 })).code).toBe('wrong_state');
    expect(thrown(() => recordWindow(fixture.db, id, { sessionsObserved: 1, at: 1 })).code).toBe('wrong_state');
  });

  it('adds up what was spent; an unknown price does not become 0', () => {
    const id = proposed(fixture);
    addCost(fixture.db, id, { usd: null, tokens: 100 });
    expect(getExperiment(fixture.db, id)).toMatchObject({ costUsd: null, tokens: 100 });
    addCost(fixture.db, id, { usd: 0.25, tokens: 50 });
    addCost(fixture.db, id, { usd: null, tokens: 1 });
    expect(getExperiment(fixture.db, id)).toMatchObject({ costUsd: 0.25, tokens: 151 });
  });

  it('lists the edits of its profile that had their turn', () => {
    const id = proposed(fixture);
    transition(fixture.db, { id, ...step('rejected') });
    expect(editsTried(fixture.db, { profileId: fixture.profileId, newest: 10 })).toMatchObject([
      { id, editKey: 'give the reason first.', state: 'rejected', reason: 'to rejected' },
    ]);
  });

  it('is unknown by a number nobody has', () => {
    expect(thrown(() => getExperiment(fixture.db, 99)).code).toBe('unknown_experiment');
    expect(thrown(() => transition(fixture.db, { id: 99, ...step('rejected') })).code).toBe('unknown_experiment');
  });
});

describe('a change of state', () => {
  it('stamps who, when and why', () => {
    const id = proposed(fixture);
    transition(fixture.db, { id, ...step('approved', 11) });
    transition(fixture.db, { id, ...step('live', 12), set: { liveSessionsTarget: 3 } });
    transition(fixture.db, { id, ...step('verified', 13) });
    expect(transition(fixture.db, { id, ...step('reverted', 14) })).toMatchObject({
      approvedBy: 'person@cli',
      approvedAt: 11,
      appliedAt: 12,
      liveSessionsTarget: 3,
      verifiedAt: 13,
      revertedAt: 14,
      closingReason: 'to reverted',
      updatedAt: 14,
    });
  });

  it.each(EXPERIMENT_STATES)('is refused from proposed to %s when the lifecycle has no such step', (to) => {
    const id = proposed(fixture);
    if (isLegal('proposed', to)) return;
    const error = thrown(() => transition(fixture.db, { id, ...step(to) }));
    expect(error.code).toBe('wrong_state');
    expect(error.hint).toContain('approve, reject');
    expect(history(fixture.db, id)).toHaveLength(1);
  });

  it('leaves neither state nor audit row behind when the transaction around it fails', () => {
    const id = proposed(fixture);
    const work = fixture.db.transaction(() => {
      transition(fixture.db, { id, ...step('approved') });
      throw new Error('power cut');
    });
    expect(() => work.immediate()).toThrow('power cut');
    expect(getExperiment(fixture.db, id).state).toBe('proposed');
    expect(history(fixture.db, id)).toHaveLength(1);
  });

  it('is made by one of two connections only, when both decided on the same state', () => {
    const id = proposed(fixture);
    const second = openDatabase(fixture.ctx.paths.dbPath);
    transition(fixture.db, { id, from: 'proposed', ...step('approved') });
    const error = thrown(() => transition(second, { id, from: 'proposed', ...step('rejected') }));
    expect(error.code).toBe('wrong_state');
    expect(error.message).toContain('is approved');
    expect(history(second, id).map((row) => row.toState)).toEqual(['proposed', 'approved']);
    second.close();
  });

  it('waits for a writer, and says so when it does not end', () => {
    const id = proposed(fixture);
    const second = openDatabase(fixture.ctx.paths.dbPath, { busyTimeoutMs: 50 });
    fixture.db.exec('BEGIN IMMEDIATE');
    expect(thrown(() => transition(second, { id, ...step('rejected') })).code).toBe('db_busy');
    fixture.db.exec('COMMIT');
    expect(transition(second, { id, ...step('rejected') }).state).toBe('rejected');
    second.close();
  });

  it('keeps the audit log adding up to the state, whatever is tried', () => {
    const states = fc.array(fc.constantFrom(...EXPERIMENT_STATES), { maxLength: 8 });
    fc.assert(
      fc.property(states, (tried) => {
        const inFlight = findInFlight(fixture.db, fixture.profileId);
        const id = inFlight?.id ?? proposed(fixture);
        for (const to of tried) {
          try {
            transition(fixture.db, { id, ...step(to) });
          } catch (error) {
            expect(isKarpathyError(error) && error.code).toBe('wrong_state');
          }
        }
        const log = history(fixture.db, id).map((row) => ({ from: row.fromState, to: row.toState }));
        expect(foldTransitions(log)).toBe(getExperiment(fixture.db, id).state);
      }),
      { numRuns: 60 },
    );
  });
});
