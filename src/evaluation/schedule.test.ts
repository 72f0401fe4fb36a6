import { describe, expect, it } from 'vitest';
import type { Arm, TrialOutcomeKind } from '../domain/experiment.js';
import { pairState, type FinishedTrial } from './pairs.js';
import { runSchedule, type DueTrial, type Schedule } from './schedule.js';

interface Harness {
  readonly ran: DueTrial[];
  readonly stored: FinishedTrial[];
  go(part?: Partial<Schedule>): Promise<void>;
}

/** A runner in memory: `outcome` says how each trial ends, or throws. */
function harness(outcome: (due: DueTrial) => TrialOutcomeKind, stored: FinishedTrial[] = []): Harness {
  const ran: DueTrial[] = [];
  return {
    ran,
    stored,
    go: (part = {}) =>
      runSchedule({
        scenarioIds: [1, 2, 3],
        epochs: [1, 2],
        arms: ['incumbent', 'candidate'],
        slots: 2,
        firstArm: (scenario, epoch) => ((scenario + epoch) % 2 === 0 ? 'incumbent' : 'candidate'),
        finished: [...stored],
        signal: new AbortController().signal,
        run: async (due, signal) => {
          ran.push(due);
          await Promise.resolve();
          signal.throwIfAborted();
          const trial = { ...due, outcome: outcome(due) };
          stored.push(trial);
          return trial;
        },
        ...part,
      }),
  };
}

const ARMS: readonly Arm[] = ['incumbent', 'candidate'];
const attemptsOf = (ran: readonly DueTrial[], scenarioId: number) =>
  ran.filter((due) => due.scenarioId === scenarioId && due.epoch === 1).map((due) => `${due.attempt}${due.arm[0]}`);

describe('runSchedule', () => {
  it('runs both arms of every pair in the same slot, one right after the other, first the arm that was drawn', async () => {
    const test = harness(() => 'pass');
    await test.go();
    expect(test.ran).toHaveLength(12);
    for (const scenarioId of [1, 2, 3]) {
      for (const epoch of [1, 2]) {
        const pair = test.ran.filter((due) => due.scenarioId === scenarioId && due.epoch === epoch);
        expect(pair.map((due) => due.position)).toEqual([1, 2]);
        expect(pair[0]?.arm).toBe((scenarioId + epoch) % 2 === 0 ? 'incumbent' : 'candidate');
        expect(pair[1]?.slot).toBe(pair[0]?.slot);
        // Nothing else runs in the slot between the two.
        const slot = test.ran.filter((due) => due.slot === pair[0]?.slot);
        expect(slot.indexOf(pair[1]!) - slot.indexOf(pair[0]!)).toBe(1);
      }
    }
  });

  it('never runs more trials at a time than there are slots', async () => {
    let running = 0;
    let most = 0;
    const test = harness(() => 'pass');
    await test.go({
      slots: 2,
      run: async (due) => {
        most = Math.max(most, ++running);
        await new Promise((next) => setImmediate(next));
        running -= 1;
        return { ...due, outcome: 'pass' };
      },
    });
    expect(most).toBe(2);
  });

  it('runs a pair again as a whole when one arm is infra, and gives it up after three attempts', async () => {
    const test = harness((due) => (due.scenarioId === 2 && due.arm === 'candidate' ? 'infra' : 'pass'));
    await test.go({ epochs: [1] });
    // Scenario 2 in epoch 1 starts with the candidate, whose fault spares the other arm.
    expect(attemptsOf(test.ran, 2)).toEqual(['1c', '2c', '3c']);
    expect(attemptsOf(test.ran, 1)).toHaveLength(2);
    expect(pairState(test.stored, { scenarioId: 2, epoch: 1, arms: ARMS })).toMatchObject({ outcomes: null, lost: 3 });
  });

  it('takes the second attempt when only the first was infra', async () => {
    const test = harness((due) => (due.scenarioId === 1 && due.attempt === 1 && due.position === 2 ? 'infra' : 'fail'));
    await test.go({ epochs: [1] });
    expect(attemptsOf(test.ran, 1)).toEqual(['1i', '1c', '2i', '2c']);
    expect(pairState(test.stored, { scenarioId: 1, epoch: 1, arms: ARMS })).toMatchObject({ attempt: 2, lost: 1 });
  });

  it('goes on from complete pairs and repeats one that was cut in half', async () => {
    const before: FinishedTrial[] = [
      { scenarioId: 1, epoch: 1, arm: 'incumbent', attempt: 1, outcome: 'pass' },
      { scenarioId: 1, epoch: 1, arm: 'candidate', attempt: 1, outcome: 'fail' },
      { scenarioId: 2, epoch: 1, arm: 'candidate', attempt: 1, outcome: 'pass' },
    ];
    const test = harness(() => 'pass', before);
    await test.go({ epochs: [1] });
    expect(attemptsOf(test.ran, 1)).toEqual([]);
    expect(attemptsOf(test.ran, 2)).toEqual(['2c', '2i']);
    expect(attemptsOf(test.ran, 3)).toHaveLength(2);
  });

  it('stops at the first error: no further trial starts, and that error is what is thrown', async () => {
    const test = harness((due) => {
      if (due.scenarioId === 2) throw new Error('usage limit');
      return 'pass';
    });
    await expect(test.go({ slots: 1 })).rejects.toThrow('usage limit');
    expect(test.ran.map((due) => due.scenarioId)).toEqual([1, 1, 2]);
  });

  it('ends with an abort when the person interrupts, and starts nothing more', async () => {
    const controller = new AbortController();
    const test = harness((due) => {
      if (due.scenarioId === 1 && due.position === 2) controller.abort();
      return 'pass';
    });
    await expect(test.go({ slots: 1, signal: controller.signal })).rejects.toMatchObject({ name: 'AbortError' });
    expect(test.ran).toHaveLength(2);
    expect(test.stored).toHaveLength(2);
  });
});
