import { readFileSync, writeFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { KarpathyError, isKarpathyError } from '#src/errors.js';
import type { WindowVerdict } from '#src/gate/types.js';
import { enqueue } from '#src/services/enqueue.js';
import { finish } from '#src/services/finish.js';
import { resolveConflict } from '#src/services/resolve.js';
import { revertExperiment } from '#src/services/revert.js';
import { judgeWindow, refreshWindows, type JudgeOptions } from '#src/services/window.js';
import { runJobNow } from '#src/services/work.js';
import { baselinesOf } from '#src/store/baselines.js';
import { getExperiment, history } from '#src/store/experiments.js';
import { DEFAULT_SOUL, testContext, type TestContext } from '../../support/context.js';
import { CONFIRMED, live, NEW_SENTENCE } from '../../support/experiments.js';
import { completedSession, promptWith } from '../../support/observed.js';

const APPLIED = `${DEFAULT_SOUL}${NEW_SENTENCE}\n`;
const DAY = 86_400_000;
const WINDOW = 2 * DAY;
const TARGET = 3;

let fixture: TestContext;
let appliedAt: number;

beforeEach(() => {
  fixture = testContext({ config: { live: { sessions: TARGET, days: 2 } } });
});

async function applied(options: { autoRevert?: boolean } = {}): Promise<number> {
  const id = await live(fixture, options);
  appliedAt = fixture.clock.now();
  fixture.clock.advance(60_000);
  return id;
}

function sessions(count: number): void {
  for (let n = 0; n < count; n++) {
    completedSession(fixture, { id: `s${n}`, prompt: promptWith(APPLIED), startedAt: appliedAt + 1 + n });
  }
}

const soul = () => readFileSync(fixture.target, 'utf8');
const row = (id: number) => getExperiment(fixture.db, id);

function said(verdict: WindowVerdict['verdict'], reason: string = verdict): WindowVerdict {
  return { verdict, pHarm: 0.5, effect: 0.1, interval: [0, 0.2], groups: 12, epochs: 2, reason };
}

/** Stands in for the fresh paired run: answers in order and counts how often it was asked. */
function trials(...answers: readonly (WindowVerdict | Error)[]) {
  let asked = 0;
  const compare: JudgeOptions['compare'] = async () => {
    const answer = answers[asked++];
    if (answer === undefined) throw new Error('asked for more fresh trials than the test expects');
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { compare, asked: () => asked };
}

const noTrials = () => trials();

describe('a full window', () => {
  it('is verified when fresh trials do not speak against the edit, with a baseline and the figures', async () => {
    const id = await applied();
    sessions(TARGET);
    const outcome = await judgeWindow(fixture.ctx, id, trials(CONFIRMED.verdict ?? said('verified')));
    expect(outcome).toMatchObject({ outcome: 'verified', experimentId: id });
    expect(row(id)).toMatchObject({ state: 'verified', verifiedAt: fixture.clock.now() });
    expect(soul()).toBe(APPLIED);
    const [baseline] = baselinesOf(fixture.db, fixture.profileId);
    expect(baseline).toMatchObject({
      experimentId: id,
      effect: 0.2,
      groups: 12,
      contentSha256: row(id).candidateSha256,
    });
    expect(baseline?.metrics).toMatchObject({
      windowKind: 'live',
      windowStartedAt: appliedAt,
      sessionsCompleted: TARGET,
    });
    expect(row(id).baselineId).toBe(baseline?.id);
  });

  it('is reverted to the exact bytes when they speak against it and a person agreed to that', async () => {
    const id = await applied({ autoRevert: true });
    sessions(TARGET);
    const outcome = await judgeWindow(fixture.ctx, id, trials(said('revert', 'fresh trials show harm')));
    expect(outcome.outcome).toBe('reverted');
    expect(row(id).state).toBe('reverted');
    expect(soul()).toBe(DEFAULT_SOUL);
    expect(history(fixture.db, id).at(-1)).toMatchObject({ actor: 'ratchet', reason: 'fresh trials show harm' });
  });

  it('stays live and tells the person when they speak against it and nobody agreed to a revert', async () => {
    const id = await applied();
    sessions(TARGET);
    const fresh = trials(said('revert', 'fresh trials show harm'));
    expect((await judgeWindow(fixture.ctx, id, fresh)).outcome).toBe('waits');
    expect(row(id)).toMatchObject({ state: 'live' });
    expect(row(id).liveNote).toContain('fresh trials show harm');
    expect(row(id).liveNote).toContain(`finish ${id} --keep REASON`);
    expect(soul()).toBe(APPLIED);
    await judgeWindow(fixture.ctx, id, fresh);
    expect(fresh.asked()).toBe(1);
  });

  it('asks once more when the first run shows no gain, and no third time', async () => {
    const id = await applied({ autoRevert: true });
    sessions(TARGET);
    const fresh = trials(said('extend'), said('revert', 'fresh trials showed no gain twice'));
    expect((await judgeWindow(fixture.ctx, id, fresh)).outcome).toBe('reverted');
    expect(fresh.asked()).toBe(2);
    expect(soul()).toBe(DEFAULT_SOUL);
  });

  it('is left to the person when the fresh trials decide nothing, even if a revert was agreed to', async () => {
    const id = await applied({ autoRevert: true });
    sessions(TARGET);
    const outcome = await judgeWindow(fixture.ctx, id, trials(said('undecided', 'no usable fresh pairs')));
    expect(outcome).toMatchObject({ outcome: 'waits' });
    expect(row(id)).toMatchObject({ state: 'live' });
    expect(row(id).liveNote).toContain('no usable fresh pairs');
    expect(soul()).toBe(APPLIED);
  });

  it.each(['budget', 'price_unknown', 'model_limit'] as const)(
    'waits, and never reverts, when there is no money for fresh trials (%s)',
    async (code) => {
      const id = await applied({ autoRevert: true });
      sessions(TARGET);
      const broke = new KarpathyError(code, 'The budget of 1.00 USD is spent.');
      const fresh = trials(broke, said('verified'));
      await expect(judgeWindow(fixture.ctx, id, fresh)).rejects.toBe(broke);
      expect(row(id)).toMatchObject({ state: 'live' });
      expect(row(id).liveNote).toContain('The budget of 1.00 USD is spent.');
      expect(soul()).toBe(APPLIED);
      // More money is all it takes.
      expect((await judgeWindow(fixture.ctx, id, fresh)).outcome).toBe('verified');
    },
  );

  it('passes on other failures of the trials with nothing changed', async () => {
    const id = await applied({ autoRevert: true });
    sessions(TARGET);
    const before = row(id);
    const down = new KarpathyError('host_failed', 'Hermes did not start.');
    await expect(judgeWindow(fixture.ctx, id, trials(down))).rejects.toBe(down);
    expect(row(id)).toMatchObject({ state: 'live', liveNote: before.liveNote });
  });

  it('changes nothing when the lease was lost meanwhile', async () => {
    const id = await applied({ autoRevert: true });
    sessions(TARGET);
    const lost = new KarpathyError('busy', 'taken over');
    const fence = () => {
      throw lost;
    };
    await expect(judgeWindow(fixture.ctx, id, { ...trials(said('revert')), fence })).rejects.toBe(lost);
    expect(row(id).state).toBe('live');
    expect(soul()).toBe(APPLIED);
  });

  it('is a conflict when a person edits the file while the trials run: nothing is written', async () => {
    const id = await applied({ autoRevert: true });
    sessions(TARGET);
    const compare: JudgeOptions['compare'] = async () => {
      writeFileSync(fixture.target, 'Mine.\n');
      return said('revert');
    };
    expect((await judgeWindow(fixture.ctx, id, { compare })).outcome).toBe('conflict');
    expect(row(id)).toMatchObject({ state: 'live', manualConflictDetected: true });
    expect(soul()).toBe('Mine.\n');
  });
});

describe('a window that is not full', () => {
  it('stays open while there is time', async () => {
    const id = await applied({ autoRevert: true });
    sessions(TARGET - 1);
    expect(await judgeWindow(fixture.ctx, id, noTrials())).toMatchObject({
      outcome: 'open',
      message: '2 of 3 sessions so far.',
    });
    expect(row(id).state).toBe('live');
  });

  it('is extended once for the same time at its end, then left to a person; too few sessions never revert', async () => {
    const id = await applied({ autoRevert: true });
    sessions(1);
    fixture.clock.set(appliedAt + WINDOW);
    expect((await judgeWindow(fixture.ctx, id, noTrials())).outcome).toBe('extended');
    expect(row(id)).toMatchObject({ state: 'live', liveExtensions: 1, liveDeadlineAt: appliedAt + 2 * WINDOW });
    expect((await judgeWindow(fixture.ctx, id, noTrials())).outcome).toBe('open');

    fixture.clock.advance(WINDOW);
    expect((await judgeWindow(fixture.ctx, id, noTrials())).outcome).toBe('waits');
    expect(row(id)).toMatchObject({ state: 'live', liveExtensions: 1, liveDeadlineAt: appliedAt + 2 * WINDOW });
    expect(row(id).liveNote).toContain('1 of 3 sessions');
    expect(soul()).toBe(APPLIED);
    expect(refreshWindows(fixture.ctx)[0]).toMatchObject({ waitsForPerson: true });
  });

  it('can then be kept with a reason, reverted, or opened once more by a person', async () => {
    const id = await applied();
    fixture.clock.set(appliedAt + WINDOW);
    await judgeWindow(fixture.ctx, id, noTrials());
    fixture.clock.advance(WINDOW);
    await judgeWindow(fixture.ctx, id, noTrials());
    await finish(fixture.ctx, id, { again: true });
    expect(refreshWindows(fixture.ctx)[0]).toMatchObject({ waitsForPerson: false, due: null });
    sessions(TARGET);
    expect((await judgeWindow(fixture.ctx, id, trials(said('verified')))).outcome).toBe('verified');
  });
});

describe('a hard fault', () => {
  const blocked = '[BLOCKED: SOUL.md contained x]\n\nRest.';
  const faulty = () => completedSession(fixture, { id: 'a', prompt: blocked, startedAt: appliedAt + 1 });

  it('reverts at once, without trials, when a person agreed to that', async () => {
    const id = await applied({ autoRevert: true });
    faulty();
    expect((await judgeWindow(fixture.ctx, id, noTrials())).outcome).toBe('reverted');
    expect(soul()).toBe(DEFAULT_SOUL);
    expect(history(fixture.db, id).at(-1)?.reason).toContain('the host blocked SOUL.md in session a');
  });

  it('is told to the person when nobody agreed', async () => {
    const id = await applied();
    faulty();
    expect((await judgeWindow(fixture.ctx, id, noTrials())).outcome).toBe('waits');
    expect(row(id).liveNote).toContain('the host blocked SOUL.md in session a');
    expect(soul()).toBe(APPLIED);
  });

  it('can be decided by the person although the window is not full', async () => {
    const id = await applied();
    faulty();
    await judgeWindow(fixture.ctx, id, noTrials());
    await finish(fixture.ctx, id, { keep: 'the session was an old one' });
    expect(row(id)).toMatchObject({ state: 'verified' });
  });

  it('does not revert when the host would block the text from before as well', async () => {
    const checkPrompt = async () => ({ blocked: true, truncated: false, limitChars: 20_000, findings: ['x'] });
    fixture = testContext({ config: { live: { sessions: TARGET, days: 2 } } });
    const id = await applied({ autoRevert: true });
    faulty();
    const outcome = await judgeWindow({ ...fixture.ctx, checkPrompt }, id, noTrials());
    expect(outcome.outcome).toBe('waits');
    expect(soul()).toBe(APPLIED);
  });
});

describe('a person who edited the file while the edit was live', () => {
  it('finds it untouched, and decides by resolve', async () => {
    const id = await applied({ autoRevert: true });
    sessions(TARGET);
    writeFileSync(fixture.target, 'Mine.\n');
    expect((await judgeWindow(fixture.ctx, id, noTrials())).outcome).toBe('conflict');
    expect(row(id)).toMatchObject({ state: 'live', manualConflictDetected: true });
    expect(soul()).toBe('Mine.\n');
    await resolveConflict(fixture.ctx, id, { keepMine: true });
    expect(row(id)).toMatchObject({ state: 'reverted' });
    expect(history(fixture.db, id).at(-1)?.reason).toBe('superseded_by_person');
    expect(soul()).toBe('Mine.\n');
  });
});

describe('work on an experiment', () => {
  it.each([
    ['reverts it', (id: number) => revertExperiment(fixture.ctx, id, { reason: 'enough' })],
    ['keeps it', (id: number) => finish(fixture.ctx, id, { keep: 'enough' })],
    [
      'keeps their own text',
      (id: number) => {
        writeFileSync(fixture.target, 'Mine.\n');
        return resolveConflict(fixture.ctx, id, { keepMine: true });
      },
    ],
  ])('ends when a person %s, so that no trial is paid for in vain', async (_, decide) => {
    const id = await applied();
    sessions(TARGET);
    refreshWindows(fixture.ctx);
    const jobId = enqueue(fixture.ctx, { kind: 'window', experimentId: id });
    await decide(id);
    await expect(runJobNow(fixture.ctx, jobId)).rejects.toThrow('cancelled already');
  });
});

describe('judging', () => {
  it('is refused for what is neither live nor verified', async () => {
    const id = await applied();
    sessions(TARGET);
    await revertExperiment(fixture.ctx, id, { reason: 'not wanted' });
    const again = await judgeWindow(fixture.ctx, id, noTrials()).catch((error: unknown) => error);
    expect(isKarpathyError(again) && again.code).toBe('wrong_state');
  });
});
