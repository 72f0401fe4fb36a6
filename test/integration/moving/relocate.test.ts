import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, test } from 'vitest';
import { markerKey } from '#src/hermes/paths.js';
import type { changeFile } from '#src/services/fileChange.js';
import { recordIntent } from '#src/services/fileChange.js';
import { lostProfiles } from '#src/services/lostProfiles.js';
import { prepare } from '#src/services/prepare.js';
import { priorBytes } from '#src/services/revert.js';
import type { StatusView } from '#src/services/status.js';
import { tick } from '#src/services/tick.js';
import { getExperiment } from '#src/store/experiments.js';
import { openFileOperations } from '#src/store/fileOperations.js';
import { insertJob, takeLease } from '#src/store/jobs.js';
import { listMoves } from '#src/store/profileMoves.js';
import { findSnapshot } from '#src/store/snapshots.js';
import { temporaryDirectory, testContext, type TestContext } from '../../support/context.js';
import { live, proposed } from '../../support/experiments.js';
import { cli } from '../cli/harness.js';

let dev: TestContext;
let before: Buffer;
beforeEach(() => {
  dev = testContext();
  before = readFileSync(dev.target);
});

/** The profile as a process finds it that starts now, under another name. */
const opened = (profile: string, options: Parameters<typeof testContext>[0] = {}) =>
  testContext({ root: dev.root, profile, initialised: false, ...options });
const home = (name: string) => join(dev.root, 'profiles', name);

function renamed(to = 'work'): TestContext {
  renameSync(dev.home, home(to));
  return opened(to);
}

const json = (fixture: TestContext, ...argv: string[]) => cli(fixture, ['--json', ...argv]);

/** A session of a person's that ran with the new text. */
function seen({ db, profileId, clock }: TestContext, id: number): void {
  const { candidateSha256, appliedAt } = getExperiment(db, id);
  db.prepare(
    `INSERT INTO session_tags (profile_id, session_id, experiment_id, content_sha256, started_at, start_seen, started_turns,
       completed_turns, unsettled, last_turn_at, updated_at)
     VALUES (?, 's1', ?, ?, ?, 1, 1, 1, 0, ?, ?)`,
  ).run(profileId, id, candidateSha256, (appliedAt ?? 0) + 1, (appliedAt ?? 0) + 2, clock.now());
}

describe('a profile that was renamed', () => {
  it('is missed by status, doctor and tick of the others, with both ways out', async () => {
    const id = await live(dev);
    renamed();
    const other = opened('other', { soul: 'Other.\n' });
    const { stdout } = await cli(other, ['status']);
    expect(stdout).toContain(`relocate --from ${dev.home}`);
    const [text = ''] = (await json(other, 'status')).json<StatusView>().lost;
    expect(text).toContain(`The home of the profile dev is gone: ${dev.home}; its experiment ${id} is live.`);
    expect(text).toContain(`relocate --from ${dev.home} --forget`);
    expect((await tick(other.ctx)).waiting).toEqual([text]);
    const findings = (await json(other, 'doctor', '--skip-models')).stdout;
    expect(findings).toContain(`The home of the profile dev is gone: ${dev.home}`);
    expect((await json(other, 'propose')).error().hint).toContain('`relocate` takes up its history');
  });

  it('goes on under its new name: state, window, snapshot, markers, and the exact bytes by revert', async () => {
    const id = await live(dev);
    seen(dev, id);
    const work = renamed();
    expect((await json(work, 'status')).json()).toMatchObject({
      initialised: false,
      next: { commands: [`relocate --from ${dev.home}`, 'init'] },
    });

    const asked = await cli(work, ['relocate', '--from', 'dev'], { answers: [true], columns: 120 });
    expect(asked.asked).toEqual(['Is that right?']);
    expect(asked.stderr.replaceAll(/\s+/g, ' ')).toContain(`dev, now work: from ${dev.home} to ${work.home}`);
    expect(asked.code).toBe(0);

    const status = (await json(work, 'status')).json<StatusView>();
    expect(status).toMatchObject({ lost: [], experiment: { id, state: 'live', window: { seen: 1 } } });
    expect(listMoves(dev.db)).toMatchObject([
      { kind: 'relocated', from: dev.home, to: work.home, actor: 'person@cli', at: work.clock.now() },
    ]);
    const { enabledMarkers, liveMarkers } = work.ctx.paths;
    expect([readdirSync(enabledMarkers), readdirSync(liveMarkers)]).toEqual([
      [markerKey(work.home)],
      [markerKey(work.home)],
    ]);
    expect((await json(work, 'snapshot', String(id))).json()).toMatchObject({ size: before.length });
    expect((await json(work, 'history')).json()).toMatchObject({ experiments: [{ id }] });
    expect((await cli(work, ['revert', String(id), '--reason', 'test', '--yes'])).code).toBe(0);
    expect(readFileSync(work.target)).toEqual(before);
  });

  it('takes along a set-up without a history that was made at the new place since', async () => {
    const id = await live(dev);
    renamed();
    const work = opened('work', { initialised: true });
    work.db
      .prepare(
        `INSERT INTO session_tags (profile_id, session_id, started_at, completed_turns, updated_at) VALUES (?, 's1', 1, 1, 1)`,
      )
      .run(work.profileId);
    const answer = await json(work, 'relocate', '--from', 'dev', '--yes');
    expect(answer.stderr).toBe('');
    expect(answer.json<{ notes: string[] }>().notes.join()).toContain('gives way to the settings from before');
    expect(work.db.prepare('SELECT profile_id FROM session_tags').pluck().all()).toEqual([dev.profileId]);
    expect(work.db.prepare('SELECT profile_id, day FROM days_to_sum').raw().all()).toEqual([[dev.profileId, 0]]);
    expect(getExperiment(work.db, id).targetProfileRoot).toBe(work.home);
  });

  it('keeps an interrupted operation until it is known where the file went, then ends it by hash', async () => {
    const id = await live(dev);
    const experiment = getExperiment(dev.db, id);
    const file = { path: dev.target, mode: 0o644, prior: readFileSync(dev.target), next: priorBytes(experiment) };
    const change: Parameters<typeof changeFile>[1] = {
      ...{ experiment, kind: 'revert', to: 'reverted', ...file, actor: 'person@cli', reason: 'killed' },
    };
    recordIntent(dev.ctx, change, { tree: null, reason: 'no git' });
    const work = renamed();
    await prepare(opened('other', { initialised: true, soul: 'Other.\n' }).ctx);
    expect(openFileOperations(dev.db)).toHaveLength(1);
    expect((await json(work, 'relocate', '--from', 'dev', '--yes')).code).toBe(0);
    expect(openFileOperations(dev.db)).toEqual([]);
    expect(getExperiment(dev.db, id).state).toBe('reverted');
    expect(readFileSync(work.target)).toEqual(before);
  });

  it('says which settings of config.yaml stand under the old name', async () => {
    writeFileSync(
      join(dev.root, 'config.yaml'),
      'plugins:\n  karpathy_self_improve:\n    profiles:\n      dev: {budget: {usd: 1}}\n',
    );
    const work = renamed();
    const { notes } = (await json(work, 'relocate', '--from', 'dev', '--yes')).json<{ notes: string[] }>();
    expect(notes.join()).toContain('rename that key to profiles.work');
  });
});

describe('a Hermes root that was moved', () => {
  it('brings all its profiles along, with their plain files and their repository', async () => {
    const id = await live(dev);
    testContext({ root: dev.root, profile: 'default', soul: 'Root.\n' });
    dev.db.prepare('UPDATE experiments SET profile_git_root = ? WHERE id = ?').run(dev.root, id);
    dev.db.close();
    const root = join(temporaryDirectory(), 'moved');
    renameSync(dev.root, root);
    const moved = testContext({ root, profile: 'dev', initialised: false });
    const answer = await json(moved, 'relocate', '--from', dev.root, '--yes');
    expect(answer.json<{ moves: object[] }>().moves).toEqual([
      { name: 'dev', from: dev.home, to: moved.home, newName: 'dev' },
      { name: 'default', from: dev.root, to: root, newName: 'default' },
    ]);
    expect(getExperiment(moved.db, id).profileGitRoot).toBe(root);
    const { plainPath } = findSnapshot(moved.db, id, 'prior') ?? {};
    expect(plainPath).toContain(moved.ctx.paths.snapshotsDir);
    expect(readFileSync(plainPath ?? '')).toEqual(before);
    expect(lostProfiles(moved.ctx)).toEqual([]);
    moved.close();
    renameSync(root, dev.root);
  });

  it('of which a profile is missing leaves that one as it is and says so', async () => {
    testContext({ root: dev.root, profile: 'gone', soul: 'Gone.\n' });
    const root = join(temporaryDirectory(), 'moved');
    mkdirSync(join(root, 'profiles', 'dev'), { recursive: true });
    const run = await json(dev, 'relocate', '--from', dev.root, '--to', root, '--still-there', '--yes');
    expect(run.json()).toMatchObject({ moves: [{ name: 'dev' }], missing: [{ name: 'gone', rootPath: home('gone') }] });
  });
});

describe('relocate refuses', () => {
  const refused = async (fixture: TestContext, ...argv: string[]) => {
    const run = await json(fixture, 'relocate', ...argv, '--yes');
    return run.error();
  };

  test.each([
    [[], 'bad_usage', 'not valid'],
    [['--from', 'nobody'], 'bad_usage', 'No profile is known as nobody.'],
    [['--from', '/no/such/place'], 'bad_usage', 'No profile was set up at /no/such/place or below it.'],
    [['--from', '/tmp', '--to', '/no/such/place'], 'bad_usage', '/no/such/place is no directory.'],
    [['--from', 'dev', '--forget', '--to', '/tmp'], 'bad_usage', 'not valid'],
  ])('%j', async (argv, code, message) => {
    const error = await refused(dev, ...argv);
    expect(error).toMatchObject({ code });
    expect(error.message).toContain(message);
  });

  it('while the old home is there', async () => {
    const other = opened('other', { soul: 'Other.\n' });
    const error = await refused(other, '--from', 'dev');
    expect(error).toMatchObject({ code: 'bad_usage', message: `${dev.home} is still there.` });
    expect(error.hint).toContain('--still-there');
    expect((await refused(dev, '--from', 'dev', '--forget')).message).toContain('is still there; only');
    expect((await refused(dev, '--from', 'dev')).message).toContain('where it is already');
  });

  it('a place with a history of its own', async () => {
    proposed(dev);
    const other = testContext({ root: dev.root, profile: 'other', soul: 'Other.\n' });
    proposed(other);
    renameSync(dev.home, home('elsewhere'));
    const error = await refused(other, '--from', dev.home);
    expect(error.message).toContain(`${other.home} has a history of its own`);
    expect(error.hint).toContain('--forget');
  });

  it('a text that is not what was applied, and shows both; --edited goes on into a conflict', async () => {
    const id = await live(dev);
    const applied = getExperiment(dev.db, id).candidateSha256 ?? '';
    const work = renamed();
    writeFileSync(work.target, 'Mine.\n');
    const error = await refused(work, '--from', 'dev');
    expect(error).toMatchObject({ code: 'conflict' });
    expect(error.message).toContain(`is not what experiment ${id} applied (sha256 ${applied.slice(0, 12)}…)`);
    expect(getExperiment(work.db, id).targetProfileRoot).toBe(dev.home);
    expect((await json(work, 'relocate', '--from', 'dev', '--edited', '--yes')).code).toBe(0);
    expect((await json(work, 'status')).json()).toMatchObject({ experiment: { id, phase: 'conflict' } });
    expect(readFileSync(work.target, 'utf8')).toBe('Mine.\n');
  });

  it('while a job of the profile runs, and in an agent’s shell', async () => {
    const job = { profileId: dev.profileId, experimentId: null, kind: 'run' as const, payload: {}, requestedBy: 'x' };
    const id = insertJob(dev.db, { ...job, at: 1 });
    const now = dev.clock.now();
    takeLease(dev.db, { id, owner: 'somebody', now, expiresAt: now + 60_000 });
    const work = renamed();
    expect(await refused(work, '--from', 'dev')).toMatchObject({
      code: 'busy',
      message: `Job ${id} (run) of dev is running.`,
    });
    const agent = await cli(work, ['relocate', '--from', 'dev', '--yes', '--json'], { agentShell: true });
    expect(agent.error().code).toBe('needs_person');
  });
});

describe('a profile that was deleted', () => {
  it('is forgotten on request, and taken up again when it turns up', async () => {
    const id = await live(dev);
    const work = renamed();
    const other = opened('other', { soul: 'Other.\n' });
    const answer = await json(other, 'relocate', '--from', 'dev', '--forget', '--yes');
    expect(answer.json()).toMatchObject({ forgotten: { name: 'dev', rootPath: dev.home } });
    expect(lostProfiles(other.ctx)).toEqual([]);
    expect((await json(work, 'relocate', '--from', 'dev', '--yes')).code).toBe(0);
    expect((await json(work, 'status')).json()).toMatchObject({ experiment: { id, state: 'live' } });
    expect(listMoves(work.db).map(({ kind }) => kind)).toEqual(['forgotten', 'relocated']);
  });
});
