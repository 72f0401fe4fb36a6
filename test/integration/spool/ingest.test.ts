import { existsSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ingestSpool } from '#src/services/ingest.js';
import { openDatabase } from '#src/store/database.js';
import { runningHosts } from '#src/store/hostProcesses.js';
import { findSessionTag } from '#src/store/sessionTags.js';
import { listQuarantine, spoolCursor } from '#src/store/spool.js';
import { TEST_EPOCH, testContext } from '../../support/context.js';
import { hookEvent, processEvent, writeSpool } from '../../support/observed.js';

const DAY = 24 * 60 * 60 * 1000;

/** The test clock stands in the past, so a file that was written "now" gets a time of the test's. */
function writtenAt(path: string, at: number): void {
  utimesSync(path, at / 1000, at / 1000);
}

function eventCount(fixture: ReturnType<typeof testContext>): number {
  return fixture.db.prepare('SELECT count(*) FROM spool_events').pluck().get() as number;
}

describe('ingesting the spool', () => {
  it('does nothing where no hook has written yet', () => {
    expect(ingestSpool(testContext().ctx)).toEqual({ events: 0, files: 0, quarantined: 0 });
  });

  it('takes every event once, however often it runs', () => {
    const fixture = testContext();
    const events = [hookEvent(fixture.home), hookEvent(fixture.home, { hook: 'post_llm_call', at: TEST_EPOCH + 5 })];
    const path = writeSpool(fixture, events);
    expect(ingestSpool(fixture.ctx)).toEqual({ events: 2, files: 1, quarantined: 0 });
    expect(ingestSpool(fixture.ctx)).toEqual({ events: 0, files: 1, quarantined: 0 });
    expect(spoolCursor(fixture.db, '2026010512-aaaa.ndjson')?.offset).toBe(statSync(path).size);

    writeSpool(fixture, [hookEvent(fixture.home, { turn_id: 't2', is_first_turn: false, at: TEST_EPOCH + 9 })]);
    expect(ingestSpool(fixture.ctx).events).toBe(1);
    expect(findSessionTag(fixture.db, { profileId: fixture.profileId, sessionId: 's1' })).toMatchObject({
      startedAt: TEST_EPOCH,
      startedTurns: 2,
      completedTurns: 1,
      lastTurnAt: TEST_EPOCH + 9,
    });
  });

  it('ends although hooks go on writing and others ingest what it has read', () => {
    const fixture = testContext();
    const other = { ...fixture.ctx, db: openDatabase(fixture.ctx.paths.dbPath) };
    const write = (turn: number) => writeSpool(fixture, [hookEvent(fixture.home, { turn_id: `t${turn}` })]);
    write(0);
    let overtaken = 0;
    // Asked for between reading and storing.
    const now = () => {
      if (++overtaken < 50) {
        ingestSpool(other);
        write(overtaken);
      }
      return TEST_EPOCH;
    };
    ingestSpool({ ...fixture.ctx, clock: { now } });
    expect(overtaken).toBeLessThan(10);
    other.db.close();
  });

  it('counts an event once even when its line stands in two files', () => {
    const fixture = testContext();
    const event = hookEvent(fixture.home);
    writeSpool(fixture, [event], '2026010512-aaaa.ndjson');
    writeSpool(fixture, [event], '2026010512-bbbb.ndjson');
    expect(ingestSpool(fixture.ctx).events).toBe(1);
    expect(findSessionTag(fixture.db, { profileId: fixture.profileId, sessionId: 's1' })?.startedTurns).toBe(1);
  });

  it('lets a torn last line wait until it is whole', () => {
    const fixture = testContext();
    const whole = JSON.stringify(hookEvent(fixture.home));
    const path = writeSpool(fixture, [hookEvent(fixture.home, { session_id: 's0' }), whole.slice(0, 40)]);
    writtenAt(path, TEST_EPOCH);
    expect(ingestSpool(fixture.ctx)).toMatchObject({ events: 1, quarantined: 0 });
    writeSpool(fixture, [`${whole.slice(40)}\n`]);
    expect(ingestSpool(fixture.ctx)).toMatchObject({ events: 1, quarantined: 0 });
    expect(eventCount(fixture)).toBe(2);
  });

  it('puts a line aside that was torn for over a day, and then deletes the file', () => {
    const fixture = testContext();
    const path = writeSpool(fixture, [hookEvent(fixture.home), '{"v":1,"id":"half']);
    writtenAt(path, TEST_EPOCH);
    fixture.clock.advance(DAY);
    expect(ingestSpool(fixture.ctx)).toMatchObject({ events: 1, quarantined: 0 });
    expect(existsSync(path)).toBe(true);
    fixture.clock.advance(1);
    expect(ingestSpool(fixture.ctx)).toMatchObject({ events: 0, quarantined: 1 });
    expect(existsSync(path)).toBe(false);
    expect(spoolCursor(fixture.db, '2026010512-aaaa.ndjson')).toBeNull();
    const [kept] = listQuarantine(fixture.db);
    expect(kept?.line).toBe('{"v":1,"id":"half');
    expect(kept?.reason).toContain('never finished');
  });

  it('keeps lines that are no events, whatever they are, and goes on behind them', () => {
    const fixture = testContext();
    const path = writeSpool(fixture, ['no json\n', '{"v":2}\n', '\n']);
    writeFileSync(path, Buffer.from([0xff, 0xfe, 0x0a]), { flag: 'a' });
    writeSpool(fixture, [hookEvent(fixture.home), `${JSON.stringify({ ...hookEvent(fixture.home), extra: 1 })}\n`]);
    expect(ingestSpool(fixture.ctx)).toMatchObject({ events: 1, quarantined: 5 });
    expect(ingestSpool(fixture.ctx)).toMatchObject({ events: 0, quarantined: 0 });
    expect(listQuarantine(fixture.db).map((row) => row.line)).toContain(
      `base64:${Buffer.from([0xff, 0xfe]).toString('base64')}`,
    );
    expect(fixture.log.lines.join()).toContain('5 spool lines are no events');
  });

  it('deletes a file over a day old only when all of it is in the DB', () => {
    const fixture = testContext();
    const path = writeSpool(fixture, [hookEvent(fixture.home)]);
    writtenAt(path, TEST_EPOCH);
    ingestSpool(fixture.ctx);
    expect(existsSync(path)).toBe(true);
    fixture.clock.advance(2 * DAY);
    ingestSpool(fixture.ctx);
    expect(existsSync(path)).toBe(false);
    expect(eventCount(fixture)).toBe(1);
  });

  it('reads files of several mebibytes and single lines of that size', () => {
    const fixture = testContext();
    const long = hookEvent(fixture.home, { session_id: 'long', model: 'm'.repeat(3 << 20) });
    writeSpool(fixture, [hookEvent(fixture.home), long, hookEvent(fixture.home, { session_id: 's9' })]);
    expect(ingestSpool(fixture.ctx)).toMatchObject({ events: 3, quarantined: 0 });
  });

  it('starts a file again that came back under the same name, without counting twice', () => {
    const fixture = testContext();
    const event = hookEvent(fixture.home);
    const path = writeSpool(fixture, [event]);
    ingestSpool(fixture.ctx);
    truncateSync(path);
    fixture.db.prepare('UPDATE spool_cursors SET inode = inode + 1').run();
    writeSpool(fixture, [event, hookEvent(fixture.home, { session_id: 's2' })]);
    expect(ingestSpool(fixture.ctx)).toMatchObject({ events: 1 });
  });

  it('keeps events of a home that is no set-up profile, without a tag', () => {
    const fixture = testContext();
    writeSpool(fixture, [hookEvent('/nowhere/profiles/gone')]);
    expect(ingestSpool(fixture.ctx).events).toBe(1);
    expect(fixture.db.prepare('SELECT profile_id FROM spool_events').pluck().get()).toBeNull();
    expect(fixture.db.prepare('SELECT count(*) FROM session_tags').pluck().get()).toBe(0);
  });

  it('counts once when two processes ingest the same spool in turns', () => {
    const fixture = testContext();
    const other = openDatabase(fixture.ctx.paths.dbPath);
    try {
      // The second process moves the cursor while the first one reads the clock for its write.
      let raced = 0;
      const racing = {
        ...fixture.ctx,
        clock: {
          now: () => {
            if (raced++ === 0) ingestSpool({ ...fixture.ctx, db: other });
            return fixture.clock.now();
          },
        },
      };
      writeSpool(fixture, [hookEvent(fixture.home), hookEvent(fixture.home, { hook: 'post_llm_call' })]);
      const first = ingestSpool(racing);
      expect(first.events).toBeLessThanOrEqual(2);
      expect(raced).toBeGreaterThan(0);
      expect(eventCount(fixture)).toBe(2);
      expect(findSessionTag(fixture.db, { profileId: fixture.profileId, sessionId: 's1' })).toMatchObject({
        startedTurns: 1,
        completedTurns: 1,
      });
    } finally {
      other.close();
    }
  });

  it('takes the events of a chunk and its offset together or not at all', () => {
    const fixture = testContext();
    writeSpool(fixture, [hookEvent(fixture.home, { id: 'first' }), hookEvent(fixture.home, { id: 'second' })]);
    fixture.db.exec(
      `CREATE TRIGGER broken BEFORE INSERT ON spool_events WHEN NEW.event_id = 'second'
       BEGIN SELECT RAISE(ABORT, 'the disk says no'); END`,
    );
    expect(() => ingestSpool(fixture.ctx)).toThrow('the disk says no');
    expect([eventCount(fixture), spoolCursor(fixture.db, '2026010512-aaaa.ndjson')]).toEqual([0, null]);
    fixture.db.exec('DROP TRIGGER broken');
    expect(ingestSpool(fixture.ctx).events).toBe(2);
  });

  it('records the host processes that loaded the plugin, the newest word of each', () => {
    const fixture = testContext();
    writeSpool(fixture, [
      processEvent(fixture.home, { pid: 11, build: 'old' }),
      processEvent(fixture.home, { pid: 11, build: 'new', at: TEST_EPOCH + 1 }),
      processEvent(fixture.home, { pid: 12 }),
    ]);
    expect(ingestSpool(fixture.ctx).events).toBe(3);
    const alive = runningHosts(fixture.db, ({ pid }) => pid === 11);
    expect(alive).toMatchObject([{ pid: 11, buildId: 'new', home: fixture.home }]);
  });

  it('leaves other files of the directory alone', () => {
    const fixture = testContext();
    writeSpool(fixture, ['not ours\n'], 'notes.txt');
    expect(ingestSpool(fixture.ctx)).toEqual({ events: 0, files: 0, quarantined: 0 });
    expect(existsSync(join(fixture.ctx.paths.spoolDir, 'notes.txt'))).toBe(true);
  });
});
