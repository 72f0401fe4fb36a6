import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { markerKey } from '#src/hermes/paths.js';
import { refreshMarkers } from '#src/services/markers.js';
import { createExperiment, transition } from '#src/store/experiments.js';
import { insertJob, requestCancel } from '#src/store/jobs.js';
import { TEST_EPOCH, testContext } from '../../support/context.js';

function markers(fixture: ReturnType<typeof testContext>) {
  const key = markerKey(fixture.home);
  const { enabledMarkers, liveMarkers } = fixture.ctx.paths;
  return { enabled: existsSync(join(enabledMarkers, key)), live: existsSync(join(liveMarkers, key)) };
}

describe('refreshMarkers', () => {
  it('marks a set-up profile as enabled, in private directories', () => {
    const fixture = testContext();
    refreshMarkers(fixture.ctx);
    expect(markers(fixture)).toEqual({ enabled: true, live: false });
    for (const path of [fixture.ctx.paths.dataDir, fixture.ctx.paths.enabledMarkers, fixture.ctx.paths.liveMarkers]) {
      expect(statSync(path).mode & 0o777).toBe(0o700);
    }
  });

  it('serves all profiles, whichever one it is called for', () => {
    const first = testContext();
    const second = testContext({ profile: 'other', root: first.root });
    refreshMarkers(first.ctx);
    expect(markers(second).enabled).toBe(true);
  });

  it('marks a profile with an open job as live, until the job ends', () => {
    const fixture = testContext();
    const job = insertJob(fixture.db, {
      profileId: fixture.profileId,
      experimentId: null,
      kind: 'run',
      payload: {},
      requestedBy: 'person@cli',
      at: TEST_EPOCH,
    });
    refreshMarkers(fixture.ctx);
    expect(markers(fixture).live).toBe(true);
    requestCancel(fixture.db, { id: job, at: TEST_EPOCH, silentIfBefore: TEST_EPOCH });
    refreshMarkers(fixture.ctx);
    expect(markers(fixture).live).toBe(false);
  });

  it('marks a profile as live only while an experiment of it is live', () => {
    const fixture = testContext();
    const { db, profileId } = fixture;
    const target = { targetProfileRoot: fixture.home, targetRelpath: 'SOUL.md' };
    const made = { profileId, profile: 'dev', ...target, actor: 'person@cli', reason: 'test', at: TEST_EPOCH };
    const id = createExperiment(db, made);
    const move = { id, actor: 'person@cli', reason: 'test', at: TEST_EPOCH };
    refreshMarkers(fixture.ctx);
    expect(markers(fixture).live).toBe(false);
    transition(db, { ...move, to: 'approved', set: { approvedAt: TEST_EPOCH, approvedBy: 'person@cli' } });
    transition(db, { ...move, to: 'live', set: { appliedAt: TEST_EPOCH } });
    refreshMarkers(fixture.ctx);
    expect(markers(fixture).live).toBe(true);
  });

  it('removes markers of profiles that are gone or switched off, and repairs modes', () => {
    const fixture = testContext();
    const { enabledMarkers, dataDir } = fixture.ctx.paths;
    mkdirSync(enabledMarkers, { recursive: true });
    chmodSync(dataDir, 0o755);
    writeFileSync(join(enabledMarkers, '0123456789abcdef'), '');
    fixture.db.prepare('UPDATE profiles SET enabled = 0').run();
    refreshMarkers(fixture.ctx);
    expect(readdirSync(enabledMarkers)).toEqual([]);
    expect(statSync(dataDir).mode & 0o777).toBe(0o700);
  });

  it('writes nothing when everything is as it should be', () => {
    const fixture = testContext();
    refreshMarkers(fixture.ctx);
    const before = statSync(fixture.ctx.paths.enabledMarkers).mtimeMs;
    const changes = fixture.db.prepare('SELECT total_changes()').pluck().get();
    refreshMarkers(fixture.ctx);
    expect(statSync(fixture.ctx.paths.enabledMarkers).mtimeMs).toBe(before);
    expect(fixture.db.prepare('SELECT total_changes()').pluck().get()).toBe(changes);
  });

  it('says what to do when the data directory cannot be written', () => {
    const fixture = testContext();
    writeFileSync(join(fixture.root, 'plugin-data'), 'a file in the way');
    expect(() => refreshMarkers(fixture.ctx)).toThrow(/markers of the hooks/);
  });
});
