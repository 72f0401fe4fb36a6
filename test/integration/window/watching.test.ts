import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import type { WindowVerdict } from '#src/gate/types.js';
import { evidenceFingerprint } from '#src/services/evidence.js';
import { prepare } from '#src/services/prepare.js';
import { startReverify } from '#src/services/reverify.js';
import { revertExperiment } from '#src/services/revert.js';
import { status } from '#src/services/status.js';
import { WATCHED_SESSIONS } from '#src/services/watch.js';
import { judgeWindow, type JudgeOptions } from '#src/services/window.js';
import { baselinesOf } from '#src/store/baselines.js';
import { getExperiment } from '#src/store/experiments.js';
import { DEFAULT_SOUL, testContext, type TestContext } from '../../support/context.js';
import { live, NEW_SENTENCE } from '../../support/experiments.js';
import { completedSession, promptWith, storeMessages } from '../../support/observed.js';

const NEW = promptWith(`${DEFAULT_SOUL}${NEW_SENTENCE}`);
const DAY = 86_400_000;
const TARGET = 10;

function said(verdict: WindowVerdict['verdict'], reason: string): WindowVerdict {
  return { verdict, pHarm: 0.5, effect: 0.15, interval: [0.1, 0.2], groups: 12, epochs: 2, reason };
}
const answers = (verdict: WindowVerdict): JudgeOptions => ({ compare: async () => verdict });

let fixture: TestContext;
let id: number;
beforeEach(async () => {
  fixture = testContext({ config: { live: { sessions: TARGET, days: 30 } } });
  fixture.ctx.db
    .prepare(
      "INSERT INTO scenarios (profile_id, name, split, group_name, spec, content_sha256, created_at) VALUES (?, 'a', 'holdout', 'a', ?, 'x', 1)",
    )
    .run(fixture.profileId, JSON.stringify({ input: 'Hello.', checks: [{ must_contain: 'hello' }] }));
  id = await live(fixture);
  sessions('window', TARGET, false);
  fixture.clock.advance(DAY);
  await judgeWindow(fixture.ctx, id, answers(said('verified', 'not contradicted')));
});

/** Sessions that start now, an hour apart, and are over a day before the clock stands. */
function sessions(name: string, count: number, toolFails: boolean): void {
  for (let n = 0; n < count; n += 1) {
    fixture.clock.advance(3_600_000);
    const [session, startedAt] = [`${name}${n}`, fixture.clock.now()];
    completedSession(fixture, { id: session, prompt: NEW, startedAt, endedAt: startedAt + 5000 });
    storeMessages(fixture.home, session, [
      { role: 'user', content: 'Do it.', at: startedAt },
      { role: 'assistant', calls: ['c1'], at: startedAt + 100 },
      {
        role: 'tool',
        callId: 'c1',
        content: toolFails ? JSON.stringify({ error: 'no' }) : 'fine',
        at: startedAt + 200,
      },
      { role: 'assistant', content: 'Done.', at: startedAt + 300 },
    ]);
  }
  fixture.clock.advance(DAY);
}

const baselines = () => baselinesOf(fixture.db, fixture.profileId);
const next = async () => (await status(fixture.ctx)).next;

describe('a verified text', () => {
  it('goes on being watched: sessions unlike those of its window are noticed, and an evaluation is proposed', async () => {
    sessions('later', WATCHED_SESSIONS, true);
    await prepare(fixture.ctx);
    expect(baselines()[0]?.drift).toMatchObject({ sessionsBefore: TARGET, sessionsAfter: WATCHED_SESSIONS });
    expect(await next()).toMatchObject({ commands: [`verify ${id}`, 'propose'] });
    expect((await next()).say).toContain('sessions since are not as they were (more tool errors)');
    expect(getExperiment(fixture.db, id).state).toBe('verified');
  });

  it('is looked at once per block of sessions, and stays as it is while they are as before', async () => {
    sessions('later', WATCHED_SESSIONS - 1, false);
    await prepare(fixture.ctx);
    const before = baselines()[0]?.watchedUntil;
    sessions('one more', 1, false);
    await prepare(fixture.ctx);
    expect(baselines()[0]?.watchedUntil).toBeGreaterThan(before ?? Infinity);
    expect(baselines()[0]?.drift).toBeNull();
    expect((await next()).commands).toEqual(['propose']);
  });

  it('has no evidence any more under another model', async () => {
    const { sha256 } = await evidenceFingerprint(fixture.ctx);
    fixture.db.prepare('UPDATE baselines SET evidence_fingerprint = ?').run(sha256);
    await prepare(fixture.ctx);
    expect((await next()).commands).toEqual(['propose']);
    const config = 'model: {provider: custom, default: another, base_url: "http://127.0.0.1:1/v1"}\n';
    writeFileSync(join(fixture.home, 'config.yaml'), config);
    await prepare(fixture.ctx);
    expect((await next()).say).toContain('model, judge, scenarios or evaluator are others since');
  });
});

describe('evaluating a verified text again', () => {
  it('records a new baseline when fresh trials confirm it', async () => {
    sessions('later', WATCHED_SESSIONS, true);
    await prepare(fixture.ctx);
    startReverify(fixture.ctx, id);
    const extensions = getExperiment(fixture.db, id).liveExtensions;
    const outcome = await judgeWindow(fixture.ctx, id, answers(said('verified', 'still not contradicted')));
    expect(outcome).toMatchObject({ outcome: 'verified', message: 'Confirmed: still not contradicted.' });
    expect(baselines()).toHaveLength(2);
    expect(baselines()[1]).toMatchObject({ effect: 0.15, drift: null, contentSha256: baselines()[0]?.contentSha256 });
    expect((await next()).commands).toEqual(['propose']);
    // A second request while the first is open asks for no trials beyond it.
    startReverify(fixture.ctx, id);
    expect(getExperiment(fixture.db, id).liveExtensions).toBe(extensions);
  });

  it('reverts nothing when they do not, and says how to', async () => {
    startReverify(fixture.ctx, id);
    const outcome = await judgeWindow(fixture.ctx, id, answers(said('revert', 'harm')));
    expect(outcome.outcome).toBe('waits');
    expect(outcome.message).toContain(`revert ${id} --reason`);
    expect(getExperiment(fixture.db, id)).toMatchObject({ state: 'verified', liveNote: outcome.message });
    expect(baselines()).toHaveLength(1);
  });

  it('is refused when the target holds another text', async () => {
    writeFileSync(fixture.target, 'Something else.\n');
    expect(() => startReverify(fixture.ctx, id)).toThrow(/no longer holds the text of experiment/);
  });

  it('is refused for one that is not verified', async () => {
    await revertExperiment(fixture.ctx, id, { reason: 'test' });
    expect(() => startReverify(fixture.ctx, id)).toThrow(/only a verified one/);
  });
});
