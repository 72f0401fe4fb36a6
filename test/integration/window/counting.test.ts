import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { refreshWindows } from '#src/services/liveWindow.js';
import { getExperiment } from '#src/store/experiments.js';
import { findSessionTag } from '#src/store/sessionTags.js';
import { DEFAULT_SOUL, testContext, type TestContext } from '../../support/context.js';
import { live, NEW_SENTENCE } from '../../support/experiments.js';
import {
  completedSession,
  hookEvent,
  openStateDb,
  promptWith,
  storeSessions,
  writeSpool,
} from '../../support/observed.js';

const OLD = promptWith(DEFAULT_SOUL);
const NEW = promptWith(`${DEFAULT_SOUL}${NEW_SENTENCE}`);
const MINUTE = 60_000;

let fixture: TestContext;
let id: number;
let appliedAt: number;

beforeEach(async () => {
  fixture = testContext({ config: { live: { sessions: 3, days: 2 } } });
  id = await live(fixture);
  appliedAt = fixture.clock.now();
  fixture.clock.advance(MINUTE);
});

function refresh() {
  const [window] = refreshWindows(fixture.ctx);
  if (window === undefined) throw new Error('nothing is live');
  return window;
}

const observed = () => getExperiment(fixture.db, id).liveSessionsObserved;
const tag = (sessionId: string) => findSessionTag(fixture.db, { profileId: fixture.profileId, sessionId });

describe('a session counts', () => {
  it('when it started after the apply, carries the new text and completed a turn', () => {
    completedSession(fixture, { id: 'a', prompt: NEW, startedAt: appliedAt + 1 });
    expect(refresh()).toMatchObject({ experimentId: id, target: 3, due: null, conflict: null, counts: { counted: 1 } });
    expect(observed()).toBe(1);
    const { candidateSha256 } = getExperiment(fixture.db, id);
    expect(tag('a')).toMatchObject({ experimentId: id, contentSha256: candidateSha256, completedTurns: 1 });
    refresh();
    expect(observed()).toBe(1);
  });

  it('once, however many turns it has', () => {
    completedSession(fixture, { id: 'a', prompt: NEW, startedAt: appliedAt + 1 });
    completedSession(fixture, { id: 'a', prompt: NEW, startedAt: appliedAt + 2, event: { is_first_turn: false } });
    expect(refresh().counts.counted).toBe(1);
    expect(tag('a')?.startedTurns).toBe(2);
  });

  it('when it was split by compression from a chat of before, since that takes the new text', () => {
    storeSessions(fixture.home, [{ id: 'old', prompt: OLD, startedAt: appliedAt - MINUTE }]);
    completedSession(fixture, {
      id: 'child',
      parent: 'old',
      prompt: NEW,
      startedAt: appliedAt + 5,
      event: { is_first_turn: false },
    });
    expect(refresh().counts.counted).toBe(1);
    expect(tag('child')).toMatchObject({ parentSessionId: 'old', startedAt: appliedAt + 5 });
  });

  it('once its prompt can be read, if that failed at first', () => {
    completedSession(fixture, { id: 'a', prompt: NEW, startedAt: appliedAt + 1 });
    const stateDb = `${fixture.home}/state.db`;
    renameSync(stateDb, `${stateDb}.away`);
    expect(refresh().counts).toMatchObject({ counted: 0, withUnknownText: 1 });
    renameSync(`${stateDb}.away`, stateDb);
    expect(refresh().counts).toMatchObject({ counted: 1, withUnknownText: 0 });
  });

  it('on a host that stores prompts by hash', () => {
    const db = openStateDb(fixture.home);
    db.exec(`ALTER TABLE sessions ADD COLUMN system_prompt_hash TEXT;
      CREATE TABLE system_prompts (hash TEXT PRIMARY KEY, prompt TEXT NOT NULL);`);
    db.prepare('INSERT INTO system_prompts VALUES (?, ?)').run('h1', NEW);
    db.prepare("INSERT INTO sessions (id, source, started_at, system_prompt_hash) VALUES ('a', 'cli', 1, 'h1')").run();
    db.close();
    writeSpool(fixture, [
      hookEvent(fixture.home, { session_id: 'a', at: appliedAt + 1 }),
      hookEvent(fixture.home, { session_id: 'a', hook: 'post_llm_call', at: appliedAt + 2 }),
    ]);
    expect(refresh().counts.counted).toBe(1);
  });
});

describe('a session does not count', () => {
  it('when it started before the apply, even if resumed', () => {
    completedSession(fixture, { id: 'a', prompt: OLD, startedAt: appliedAt - MINUTE });
    completedSession(fixture, { id: 'a', prompt: OLD, startedAt: appliedAt + 1, event: { is_first_turn: false } });
    expect(refresh().counts).toMatchObject({ counted: 0 });
    expect(tag('a')).toMatchObject({ experimentId: null, startedAt: appliedAt - MINUTE });
  });

  it('when no turn of it was completed', () => {
    storeSessions(fixture.home, [{ id: 'a', prompt: NEW, startedAt: appliedAt + 1 }]);
    writeSpool(fixture, [hookEvent(fixture.home, { session_id: 'a', at: appliedAt + 1 })]);
    expect(refresh().counts).toMatchObject({ counted: 0, withoutCompletedTurn: 1 });
  });

  it('when its prompt carries the old text, or none that is known', () => {
    completedSession(fixture, { id: 'a', prompt: OLD, startedAt: appliedAt + 1 });
    completedSession(fixture, { id: 'b', prompt: promptWith('Something else.'), startedAt: appliedAt + 1 });
    expect(refresh().counts).toMatchObject({ counted: 0, withOldText: 1, withUnknownText: 1 });
    expect(tag('b')?.contentSha256).toBeNull();
  });

  it('when state.db is damaged, has no session of that name, or is not there', () => {
    writeSpool(fixture, [
      hookEvent(fixture.home, { session_id: 'a', at: appliedAt + 1 }),
      hookEvent(fixture.home, { session_id: 'a', hook: 'post_llm_call', at: appliedAt + 2 }),
    ]);
    expect(refresh().counts).toMatchObject({ counted: 0, withUnknownText: 1 });
    writeFileSync(`${fixture.home}/state.db`, 'this is no database, and long enough to be read as one'.repeat(50));
    expect(refresh().counts).toMatchObject({ counted: 0, withUnknownText: 1 });
  });

  it.each([
    ['background_review', { write_origin: 'background_review' }, {}],
    ['trial', { trial: true }, {}],
    ['subagent', { platform: 'subagent' }, {}],
    ['cron', { platform: 'cron' }, {}],
    ['cron', {}, { source: 'cron' }],
    ['tool', {}, { source: 'tool' }],
  ])('when it is marked as %s (%j %j), and is reported apart', (reason, event, stored) => {
    completedSession(fixture, { id: 'a', prompt: NEW, startedAt: appliedAt + 1, ...stored, event });
    expect(refresh().counts).toMatchObject({ counted: 0, excluded: { [reason]: 1 } });
  });

  it('when it was split from one of those', () => {
    storeSessions(fixture.home, [{ id: 'job', source: 'cron', prompt: NEW, startedAt: appliedAt + 1 }]);
    completedSession(fixture, { id: 'a', parent: 'job', prompt: NEW, startedAt: appliedAt + 2 });
    expect(refresh().counts).toMatchObject({ counted: 0, excluded: { cron: 1 } });
  });

  it('under another profile than the one it ran in', () => {
    const other = testContext({ profile: 'other', root: fixture.root, soul: DEFAULT_SOUL });
    completedSession(other, { id: 'a', prompt: NEW, startedAt: appliedAt + 1 });
    expect(refresh().counts.counted).toBe(0);
    expect(refreshWindows(other.ctx)).toEqual([]);
  });
});

describe('the window', () => {
  it('is due at its target', () => {
    for (const name of ['a', 'b', 'c']) completedSession(fixture, { id: name, prompt: NEW, startedAt: appliedAt + 1 });
    expect(refresh().due).toBe('target_reached');
  });

  it('is due at its deadline, not a moment before', () => {
    fixture.clock.set(appliedAt + 2 * 24 * 60 * MINUTE - 1);
    expect(refresh().due).toBeNull();
    fixture.clock.advance(1);
    expect(refresh().due).toBe('deadline_passed');
  });

  it("notices a person's edit, writes nothing over it, and notices when it was taken back", () => {
    const applied = readFileSync(fixture.target);
    writeFileSync(fixture.target, 'Mine.\n');
    expect(refresh().conflict).toBe('edited');
    expect(getExperiment(fixture.db, id)).toMatchObject({ state: 'live', manualConflictDetected: true });
    expect(readFileSync(fixture.target, 'utf8')).toBe('Mine.\n');
    writeFileSync(fixture.target, applied);
    expect(refresh().conflict).toBeNull();
    expect(getExperiment(fixture.db, id).manualConflictDetected).toBe(false);
  });

  it.each([
    ['as_base', () => writeFileSync(fixture.target, DEFAULT_SOUL)],
    ['missing', () => rmSync(fixture.target)],
  ])('takes a file that is %s for a conflict as well', (status, change) => {
    change();
    expect(refresh().conflict).toBe(status);
  });

  it('names chats that go on with the old text, until they end', () => {
    completedSession(fixture, { id: 'telegram-1', prompt: OLD, startedAt: appliedAt - MINUTE });
    completedSession(fixture, {
      id: 'telegram-1',
      prompt: OLD,
      startedAt: appliedAt + 1,
      event: { is_first_turn: false, platform: 'telegram' },
    });
    completedSession(fixture, { id: 'quiet', prompt: OLD, startedAt: appliedAt - MINUTE });
    const window = refresh();
    expect(window.openChats).toEqual([{ sessionId: 'telegram-1', platform: 'telegram', lastTurnAt: appliedAt + 1001 }]);
    const note = 'Open chats still have the old text: telegram telegram-1. Send /new there.';
    expect(getExperiment(fixture.db, id).liveNote).toBe(note);

    storeSessions(fixture.home, [
      { id: 'telegram-1', prompt: OLD, startedAt: appliedAt - MINUTE, endedAt: appliedAt + MINUTE },
    ]);
    expect(refresh().openChats).toEqual([]);
    expect(getExperiment(fixture.db, id).liveNote).toBeNull();
  });

  it('notices that the host blocked or cut the new text', () => {
    completedSession(fixture, { id: 'a', prompt: '[BLOCKED: SOUL.md contained x]\n\nRest.', startedAt: appliedAt + 1 });
    expect(refresh()).toMatchObject({ fault: { sessionId: 'a', kind: 'blocked' }, waitsForPerson: true });
    expect(getExperiment(fixture.db, id).liveNote).toContain('the host blocked SOUL.md in session a');
  });

  it('does not blame the edit when the old text would have been cut as well', () => {
    const marker = (head: number) => `Head.\n\n[...truncated SOUL.md: kept ${head}+2 of 90 chars.]\n\nTail.`;
    completedSession(fixture, { id: 'a', prompt: marker(7), startedAt: appliedAt + 1 });
    expect(refresh().fault).toBeNull();
    completedSession(fixture, { id: 'b', prompt: marker(7000), startedAt: appliedAt + 1 });
    expect(refresh().fault).toMatchObject({ sessionId: 'b', kind: 'truncated' });
  });

  it('is no concern of a profile with nothing live', () => {
    const other = testContext();
    completedSession(other, { id: 'a', prompt: OLD, startedAt: appliedAt });
    expect(refreshWindows(other.ctx)).toEqual([]);
    expect(findSessionTag(other.db, { profileId: other.profileId, sessionId: 'a' })?.completedTurns).toBe(1);
  });
});
