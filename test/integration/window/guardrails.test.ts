import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import type { WindowVerdict } from '#src/gate/types.js';
import type { GuardrailReport } from '#src/services/guardrails.js';
import { status } from '#src/services/status.js';
import { judgeWindow, refreshWindows, type JudgeOptions } from '#src/services/window.js';
import { baselinesOf } from '#src/store/baselines.js';
import { getExperiment } from '#src/store/experiments.js';
import { makeLook } from '#src/text/look.js';
import { statusText } from '#src/text/status.js';
import { DEFAULT_SOUL, testContext, type TestContext } from '../../support/context.js';
import { live, NEW_SENTENCE } from '../../support/experiments.js';
import {
  completedSession,
  hookEvent,
  promptWith,
  storeMessages,
  storeSessions,
  writeSpool,
} from '../../support/observed.js';

const OLD = promptWith(DEFAULT_SOUL);
const NEW = promptWith(`${DEFAULT_SOUL}${NEW_SENTENCE}`);
const HOUR = 3_600_000;
const TARGET = 10;
const VERIFIED: WindowVerdict = {
  verdict: 'verified',
  pHarm: 0.9,
  effect: 0.2,
  interval: [0.1, 0.3],
  groups: 12,
  epochs: 2,
  reason: 'fresh trials do not contradict it',
};

let fixture: TestContext;
beforeEach(() => {
  fixture = testContext({ config: { live: { sessions: TARGET, days: 30 } } });
});

interface Many {
  readonly prompt: string;
  readonly from: number;
  readonly toolFails: boolean;
}

/** Sessions of one turn with one tool call, a minute apart. */
function sessions(name: string, count: number, { prompt, from, toolFails }: Many): void {
  for (let n = 0; n < count; n += 1) {
    const [id, startedAt] = [`${name}${n}`, from + n * 60_000];
    completedSession(fixture, { id, prompt, startedAt, endedAt: startedAt + 5000 });
    const content = toolFails ? JSON.stringify({ error: 'no such file' }) : 'fine';
    storeMessages(fixture.home, id, [
      { role: 'user', content: 'Do it.', at: startedAt },
      { role: 'assistant', calls: ['c1'], at: startedAt + 100 },
      { role: 'tool', callId: 'c1', content, at: startedAt + 200 },
      { role: 'assistant', content: 'Done.', at: startedAt + 300 },
    ]);
  }
}

/** An applied edit after a fortnight of sessions without a tool error. */
async function applied(options: { autoRevert?: boolean } = {}): Promise<{ id: number; appliedAt: number }> {
  const from = fixture.clock.now();
  fixture.clock.advance(100 * HOUR);
  const id = await live(fixture, options);
  const appliedAt = fixture.clock.now();
  sessions('before', 30, { prompt: OLD, from, toolFails: false });
  fixture.clock.advance(HOUR);
  return { id, appliedAt };
}

function counting(verdict: WindowVerdict) {
  let asked = 0;
  const compare: JudgeOptions['compare'] = async () => {
    asked += 1;
    return verdict;
  };
  return { compare, asked: () => asked };
}

const row = (id: number) => getExperiment(fixture.db, id);

describe('the guardrails of a live window', () => {
  it('extend it once at an alarm and tell the person, and leave the decision to fresh trials', async () => {
    const { id, appliedAt } = await applied({ autoRevert: true });
    const deadline = row(id).liveDeadlineAt ?? 0;
    sessions('after', TARGET, { prompt: NEW, from: appliedAt + 1, toolFails: true });
    const trials = counting(VERIFIED);
    expect(await judgeWindow(fixture.ctx, id, trials)).toMatchObject({ outcome: 'extended' });
    expect(trials.asked()).toBe(0);
    expect(row(id)).toMatchObject({ state: 'live', liveExtensions: 1, liveSessionsTarget: 2 * TARGET });
    expect(row(id).liveDeadlineAt).toBeGreaterThan(deadline);
    expect(row(id).liveNote).toContain('tool errors 0 % -> 100 %');
    const text = statusText(
      makeLook({ width: 100, color: false, form: 'terminal', command: 'hermes karpathy' }),
      await status(fixture.ctx),
      fixture.clock.now(),
    );
    expect(text).toContain('10 sessions since, 30 before; more tool errors');

    sessions('later', TARGET, { prompt: NEW, from: appliedAt + HOUR / 2, toolFails: true });
    const outcome = await judgeWindow(fixture.ctx, id, trials);
    expect(outcome.outcome).toBe('verified');
    expect(outcome.message).toContain('tool errors 0 % -> 100 %');
    expect(trials.asked()).toBe(1);
    const [baseline] = baselinesOf(fixture.db, fixture.profileId);
    const report = (baseline?.metrics as { guardrails: GuardrailReport }).guardrails;
    expect(report.guardrails.find(({ name }) => name === 'tool errors')).toMatchObject({ alarm: true, after: 1 });
  });

  it('are silent when nothing rose, and say what rise would have shown', async () => {
    const { id, appliedAt } = await applied();
    sessions('after', TARGET, { prompt: NEW, from: appliedAt + 1, toolFails: false });
    expect(await judgeWindow(fixture.ctx, id, counting(VERIFIED))).toMatchObject({ outcome: 'verified' });
    const report = row(id).liveGuardrails as GuardrailReport;
    expect(report).toMatchObject({ sessionsBefore: 30, sessionsAfter: TARGET });
    const toolErrors = report.guardrails.find(({ name }) => name === 'tool errors');
    expect(toolErrors).toMatchObject({ rise: 0, alarm: false });
    expect(toolErrors?.couldSee).toBeGreaterThan(0.05);
    expect(toolErrors?.couldSee).toBeLessThan(0.5);
  });

  it('compare nothing with fewer than five sessions before the apply', async () => {
    const id = await live(fixture);
    sessions('after', TARGET, { prompt: NEW, from: fixture.clock.now() + 1, toolFails: true });
    fixture.clock.advance(HOUR);
    expect(await judgeWindow(fixture.ctx, id, counting(VERIFIED))).toMatchObject({ outcome: 'verified' });
    expect((row(id).liveGuardrails as GuardrailReport).guardrails.every(({ p }) => p === null)).toBe(true);
  });
});

describe('sessions of the new text that get no answer', () => {
  function unanswered(count: number, from: number): void {
    for (let n = 0; n < count; n += 1) {
      storeSessions(fixture.home, [{ id: `dead${n}`, prompt: NEW, startedAt: from + n }]);
      writeSpool(fixture, [hookEvent(fixture.home, { session_id: `dead${n}`, at: from + n })]);
    }
  }

  it('are a hard fault while others are answered: reverted at once when that was agreed, without trials', async () => {
    const { id, appliedAt } = await applied({ autoRevert: true });
    unanswered(3, appliedAt + 1);
    completedSession(fixture, { id: 'old chat', prompt: OLD, startedAt: appliedAt + 10 });
    const trials = counting(VERIFIED);
    const outcome = await judgeWindow(fixture.ctx, id, trials);
    expect(outcome).toMatchObject({ outcome: 'reverted' });
    expect(outcome.message).toContain('no session of the new text was ever answered (the first is dead0)');
    expect([row(id).state, readFileSync(fixture.target, 'utf8'), trials.asked()]).toEqual([
      'reverted',
      DEFAULT_SOUL,
      0,
    ]);
  });

  it('are only told when nothing else was answered since: the provider may be down', async () => {
    const { id, appliedAt } = await applied({ autoRevert: true });
    unanswered(3, appliedAt + 1);
    expect(await judgeWindow(fixture.ctx, id, counting(VERIFIED))).toMatchObject({ outcome: 'open' });
    expect(row(id)).toMatchObject({ state: 'live' });
    expect(row(id).liveNote).toContain('is the provider down?');
    completedSession(fixture, { id: 'answered', prompt: NEW, startedAt: appliedAt + 20 });
    refreshWindows(fixture.ctx);
    expect(row(id).liveNote).toBeNull();
  });

  it('are no fault while there are two of them, or while their turn may still run', async () => {
    const { id, appliedAt } = await applied({ autoRevert: true });
    unanswered(2, appliedAt + 1);
    completedSession(fixture, { id: 'old chat', prompt: OLD, startedAt: appliedAt + 10 });
    expect(refreshWindows(fixture.ctx)[0]).toMatchObject({ fault: null });
    unanswered(3, fixture.clock.now() - 1000);
    expect(refreshWindows(fixture.ctx)[0]).toMatchObject({ experimentId: id, fault: null });
  });
});
