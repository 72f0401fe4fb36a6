import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { beforeEach, describe, expect, it, test } from 'vitest';
import { PLUGIN_NAME } from '#src/hermes/paths.js';
import { refreshMarkers } from '#src/services/markers.js';
import { uninstall } from '#src/services/uninstall.js';
import type { UninstallPlan } from '#src/services/uninstallPlan.js';
import { verifyExperiment } from '#src/services/verify.js';
import { getExperiment } from '#src/store/experiments.js';
import { insertJob, takeLease } from '#src/store/jobs.js';
import { openDatabase } from '#src/store/database.js';
import { temporaryDirectory, testContext, type TestContext } from '../../support/context.js';
import { appendedLine, CONFIRMED, live, liveWithFullWindow } from '../../support/experiments.js';
import { PROJECT_DIR } from '../../support/project.js';
import { cli } from '../cli/harness.js';

/** The host's part is seen in test/host; here `python3` runs the last part, and config.yaml does not name us. */
const OWN = { pluginDir: PROJECT_DIR, hermes: { command: ['false'], python: 'python3' }, env: process.env };

let fixture: TestContext;
let before: Buffer;
let copy: string;
let link: string;
beforeEach(() => {
  fixture = testContext({ context: OWN });
  before = readFileSync(fixture.target);
  copy = join(fixture.root, 'plugins', PLUGIN_NAME);
  mkdirSync(copy, { recursive: true });
  writeFileSync(join(copy, 'plugin.yaml'), `name: ${PLUGIN_NAME}\n`);
  mkdirSync(join(fixture.home, 'plugins'));
  link = join(fixture.home, 'plugins', PLUGIN_NAME);
  symlinkSync(relative(dirname(link), copy), link);
  const { runtimeDir, slotsDir, spoolDir } = fixture.ctx.paths;
  for (const path of [runtimeDir, slotsDir, spoolDir]) mkdirSync(path, { recursive: true });
  writeFileSync(join(spoolDir, 'x.ndjson'), '');
  refreshMarkers(fixture.ctx);
});

const run = (...argv: string[]) => cli(fixture, ['--json', 'uninstall', ...argv]);

/** Every path under the root with what is in it. */
function tree(root = fixture.root): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => {
      const path = join(root, name);
      const stat = lstatSync(path);
      if (stat.isSymbolicLink()) return `${name} -> ${readlinkSync(path)}`;
      return stat.isFile() && !/\.db(-|$)/.test(name) ? `${name}: ${readFileSync(path, 'latin1')}` : name;
    });
}

describe('uninstall --dry-run', () => {
  it('lists every profile, text, file and link, and touches nothing', async () => {
    const id = await live(fixture);
    const was = tree();
    const { plan } = (await run('--dry-run', '--purge')).json<{ plan: UninstallPlan }>();
    expect(plan.texts).toMatchObject([{ experiment: id, file: fixture.target, state: 'live', fits: 'yes' }]);
    expect(plan.homes).toMatchObject([
      { profile: 'default', directory: copy, link: null },
      { profile: 'dev', directory: null, link },
    ]);
    const { dbPath, dataDir, runtimeDir } = fixture.ctx.paths;
    expect(plan.remove).toContain(dbPath);
    expect(plan.remove.at(-1)).toBe(runtimeDir);
    for (const name of readdirSync(dataDir)) expect(plan.remove).toContain(join(dataDir, name));
    expect(tree()).toEqual(was);
    const { stdout } = await cli(fixture, ['uninstall', '--dry-run'], { columns: 120 });
    for (const path of [fixture.target, copy, link, dbPath]) expect(stdout.replaceAll(/\s/g, '')).toContain(path);
    expect(stdout).toContain('Kept (--purge removes them)');
  });
});

describe('uninstall', () => {
  it('--restore --purge puts the exact bytes back and leaves nothing behind', async () => {
    await live(fixture);
    const answer = await cli(fixture, ['uninstall', '--restore', '--purge'], { answers: [true] });
    expect(answer.asked).toEqual(['Remove all of it, records included?']);
    expect([answer.code, answer.stderr.includes(fixture.target.slice(-12))]).toEqual([0, true]);
    expect(readFileSync(fixture.target)).toEqual(before);
    expect(tree()).toEqual(['profiles', 'profiles/dev', `profiles/dev/SOUL.md: ${before.toString()}`]);
  });

  it('--keep leaves the text, keeps the records, and says where; nothing is counted until init', async () => {
    const id = await live(fixture);
    const text = readFileSync(fixture.target);
    const answer = (await run('--keep', '--yes')).json<{ plan: UninstallPlan }>();
    const { dbPath, snapshotsDir, spoolDir, dataDir, enabledMarkers } = fixture.ctx.paths;
    expect(answer.plan.keep).toEqual(expect.arrayContaining([dbPath, snapshotsDir, spoolDir]));
    expect(readdirSync(dataDir).sort()).toEqual(['snapshots', 'spool']);
    expect(readFileSync(fixture.target)).toEqual(text);
    expect([existsSync(copy), existsSync(enabledMarkers)]).toEqual([false, false]);
    expect(getExperiment(fixture.db, id).state).toBe('live');
    const { next } = (await cli(fixture, ['--json', 'status'])).json<{ next: object }>();
    expect(next).toMatchObject({ commands: ['init'] });
  });

  it('asks what becomes of the texts, and without anybody to ask names both ways', async () => {
    await live(fixture);
    const was = tree();
    const alone = await cli(fixture, ['--json', 'uninstall', '--yes'], { terminal: false });
    expect(alone.error()).toMatchObject({ code: 'bad_usage', problems: [{ path: fixture.target }] });
    expect(alone.error().hint).toMatch(/uninstall --restore.*uninstall --keep/);
    expect(tree()).toEqual(was);
    const asked = await cli(fixture, ['uninstall', '--purge'], { answers: ['keep', false] });
    expect(asked.asked[0]).toBe('Edits are in force. What becomes of their texts?');
    expect([asked.code, tree()]).toEqual([3, was]);
  });

  it('takes kept edits off in turn, back to the text before the first of them', async () => {
    const first = await liveWithFullWindow(fixture);
    await verifyExperiment(fixture.ctx, first, { evidence: CONFIRMED });
    await live(fixture, { edit: appendedLine(fixture, 'And be kind.') });
    expect((await run('--restore', '--yes')).code).toBe(0);
    expect(readFileSync(fixture.target)).toEqual(before);
    const db = openDatabase(fixture.ctx.paths.dbPath);
    expect(db.prepare('SELECT state FROM experiments').pluck().all()).toEqual(['reverted', 'reverted']);
    db.close();
  });

  it('needs nothing said when no edit is in force, and gives the records back to a later install', async () => {
    expect((await run('--yes')).code).toBe(0);
    expect(fixture.db.prepare('SELECT kind FROM profile_moves').pluck().all()).toEqual(['uninstalled']);
  });
});

describe('uninstall refuses, with nothing changed:', () => {
  let was: string[];
  const refused = async (...argv: string[]) => {
    was = tree();
    const answer = await run(...argv, '--yes');
    expect(tree()).toEqual(was);
    return answer.error();
  };

  test.each([
    [['--restore', '--keep'], 'takes --restore or --keep, not both'],
    [['--everything'], "Unknown option '--everything'"],
  ])('%j', async (argv, message) => {
    const error = await refused(...argv);
    expect(error.code).toBe('bad_usage');
    expect(JSON.stringify(error)).toContain(message);
  });

  it('a person’s edit on a live text', async () => {
    const id = await live(fixture);
    writeFileSync(fixture.target, 'Mine.\n');
    const error = await refused('--restore', '--purge');
    expect(error).toMatchObject({ code: 'conflict', problems: [{ path: fixture.target }] });
    expect(error.hint).toContain(`hermes -p dev karpathy resolve ${id}`);
    expect(error.hint).toContain('uninstall --keep');
  });

  it('a running job', async () => {
    const job = {
      profileId: fixture.profileId,
      experimentId: null,
      kind: 'run' as const,
      payload: {},
      requestedBy: 'x',
    };
    const id = insertJob(fixture.db, { ...job, at: 1 });
    const now = fixture.clock.now();
    takeLease(fixture.db, { id, owner: 'somebody', now, expiresAt: now + 60_000 });
    const error = await refused('--purge');
    expect(error).toMatchObject({ code: 'busy', message: `Job ${id} (run) of the profile dev is running.` });
  });

  it('records that belong to another root as well', async () => {
    const other = temporaryDirectory();
    fixture.db
      .prepare("INSERT INTO profiles (root_path, name, created_at, updated_at) VALUES (?, 'other', 1, 1)")
      .run(other);
    expect((await refused('--purge')).message).toContain(`also holds the records of ${other}`);
  });

  it('an agent’s own shell', async () => {
    const answer = await cli(fixture, ['--json', 'uninstall', '--yes'], { agentShell: true });
    expect(answer.error().code).toBe('needs_person');
  });

  it('a DB that can’t be read, unless the texts are to be kept', async () => {
    await live(fixture);
    fixture.db.close();
    writeFileSync(fixture.ctx.paths.dbPath, 'not a database at all, sorry');
    const error = await refused('--restore', '--purge');
    expect(error.code).toBe('db_corrupt');
    expect(error.hint).toContain('--keep goes on');
    expect((await run('--keep', '--purge', '--yes')).code).toBe(0);
    expect(existsSync(fixture.ctx.paths.dbPath)).toBe(false);
  });
});

describe('what is somebody’s work', () => {
  it('stays: a checkout with changes, and whatever a link leads to', async () => {
    const checkout = join(temporaryDirectory(), 'checkout');
    cpSync(copy, checkout, { recursive: true });
    const git = (...args: string[]) => execFileSync('git', ['-C', copy, ...args], { stdio: 'pipe' });
    git('init', '-q');
    const other = join(fixture.root, 'profiles', 'other', 'plugins');
    mkdirSync(other, { recursive: true });
    symlinkSync(checkout, join(other, PLUGIN_NAME));
    const answer = await run('--purge', '--yes');
    const { left } = answer.json<{ left: object[] }>();
    expect(left).toEqual([{ what: copy, why: 'it has changes that are not committed' }]);
    expect([existsSync(copy), existsSync(other), existsSync(join(checkout, 'plugin.yaml'))]).toEqual([
      true,
      false,
      true,
    ]);
    expect(answer.code).toBe(0);
  });

  it('stays: a directory of that name that is not this plugin', async () => {
    writeFileSync(join(copy, 'plugin.yaml'), 'name: another\n');
    const { left } = (await run('--purge', '--yes')).json<{ left: object[] }>();
    expect(left).toEqual([{ what: copy, why: 'it has no plugin.yaml of this plugin' }]);
    expect(existsSync(copy)).toBe(true);
  });
});

/** Runs host/leave.py and kills it at its n-th removal; true when it came to its end. */
const KILLED = `
import os, runpy, shutil, signal, sys
left = [int(sys.argv[1])]
def dying(act):
    def removing(*args, **kwargs):
        left[0] -= 1
        if left[0] < 0: os.kill(os.getpid(), signal.SIGKILL)
        return act(*args, **kwargs)
    return removing
os.unlink, os.rmdir, shutil.rmtree = dying(os.unlink), dying(os.rmdir), dying(shutil.rmtree)
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name='__main__')
`;

describe('an uninstall that is killed', () => {
  const options = { texts: 'restore', purge: true } as const;

  test.each(['switch_off', 'list'] as const)('before %s is given again', async (step) => {
    await live(fixture);
    const stop = new Error('killed here');
    const dying = uninstall(fixture.ctx, options, {
      onStep: (at) => {
        if (at === step) throw stop;
      },
    });
    await expect(dying).rejects.toBe(stop);
    expect((await run('--restore', '--purge', '--yes')).code).toBe(0);
    expect(readFileSync(fixture.target)).toEqual(before);
    expect(tree()).toHaveLength(3);
  });

  it('at any removal goes on from its list, to the same end', async () => {
    const stop = new Error('killed here');
    await expect(
      uninstall(fixture.ctx, options, {
        onStep: (at) => {
          if (at === 'remove') throw stop;
        },
      }),
    ).rejects.toBe(stop);
    const list = join(fixture.ctx.paths.dataDir, 'uninstall.json');
    const leave = join(PROJECT_DIR, 'host', 'leave.py');
    let kills = 0;
    // Every start gets three removals further than the one before, and goes on from what that one left.
    while (existsSync(list)) {
      const { signal, status } = spawnSync('python3', ['-P', '-c', KILLED, '3', leave, list]);
      expect([signal, status]).toEqual(signal === null ? [null, 0] : ['SIGKILL', null]);
      if (signal !== null) kills++;
      expect(kills).toBeLessThan(20);
    }
    expect(kills).toBeGreaterThan(2);
    // The list is the last of our files; behind it only the host's `plugins remove` is left to do.
    const { runtimeDir, snapshotsDir, dbPath } = fixture.ctx.paths;
    expect([runtimeDir, snapshotsDir, dbPath, link].filter((path) => existsSync(path))).toEqual([]);
  });
});
