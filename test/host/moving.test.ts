import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { parse } from 'yaml';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { testContext } from '#test/support/context.js';
import { live } from '#test/support/experiments.js';
import {
  cleanup,
  createHermesRoot,
  createProfile,
  hermesOk,
  installPlugin,
  type HermesRoot,
} from '#test/support/hermesHost.js';
import { PLUGIN, restoreRuntime } from '#test/support/hermesInstall.js';

/** The tests are one life of one root: each goes on where the one before ended. `npm run test:moving` runs all of it. */
const LONG = process.env.KARPATHY_MOVING === 'long';

const SOUL = 'You are Fern.\n\nBe brief.\n';
const MODEL = ['--proposer', 'http://127.0.0.1:9/v1#writer', '--judge', 'none', '--budget-tokens', '5000000'];
const WORK = ['-p', 'work', 'karpathy'];

let root: HermesRoot;
let before: Map<string, string>;
let id: number;

beforeAll(async () => {
  const section = { karpathy_self_improve: { approvals: { allow_noninteractive: true } } };
  root = createHermesRoot({ soul: SOUL, config: { plugins: section } });
  writeFileSync(join(await createProfile(root, 'dev'), 'SOUL.md'), SOUL);
  before = tree(root.home);
  await installPlugin(root, { fresh: true });
  restoreRuntime(root.home);
  await hermesOk(root, ['karpathy', 'setup']);
  await hermesOk(root, ['karpathy', 'install', 'dev', '--yes']);
  for (const profile of [[], ['-p', 'dev']]) {
    await hermesOk(root, [...profile, 'karpathy', 'init', ...MODEL, '--accept-disclosure', '--yes']);
  }
  // Evaluated elsewhere; what counts here is a file, a row and a snapshot as an apply leaves them.
  const fixture = testContext({ root: root.home, profile: 'dev' });
  id = await live(fixture);
  fixture.close();
}, 300_000);
afterAll(() => cleanup(root));

const json = async (of: HermesRoot, args: readonly string[]): Promise<Record<string, unknown>> =>
  JSON.parse(await hermesOk(of, [...args, '--json'])) as Record<string, unknown>;

/** Every path with what is in it, but for what Hermes writes at any start. */
function tree(home: string): Map<string, string> {
  const names = readdirSync(home, { recursive: true, encoding: 'utf8' }).filter((name) => !VOLATILE.test(name));
  return new Map(names.map((name) => [name, contentOf(join(home, name))]));
}

const VOLATILE = /(^|\/)(logs|state\.db|cache|\.[^/]*lock|\.update_check|state-snapshots)/;

function contentOf(path: string): string {
  const stat = lstatSync(path);
  if (stat.isSymbolicLink()) return `-> ${readlinkSync(path)}`;
  return stat.isFile() ? readFileSync(path, 'latin1') : 'a directory';
}

it('records go on after `hermes profile rename`', async () => {
  await hermesOk(root, ['profile', 'rename', 'dev', 'work']);
  const { lost } = await json(root, ['karpathy', 'status']);
  const old = join(root.home, 'profiles', 'dev');
  expect(lost).toEqual([expect.stringContaining(`The home of the profile dev is gone: ${old}`)]);
  await hermesOk(root, [...WORK, 'relocate', '--from', 'dev', '--yes']);
  expect(await json(root, [...WORK, 'status'])).toMatchObject({ lost: [], experiment: { id, state: 'live' } });
});

it.runIf(LONG)('`hermes backup` and `hermes import` bring everything back, here and at another path', async () => {
  const facts = async (of: HermesRoot) => ({
    status: await json(of, [...WORK, 'status']),
    history: await json(of, [...WORK, 'history']),
    snapshot: await json(of, [...WORK, 'snapshot', String(id)]),
    all: await json(of, ['karpathy', 'status']),
  });
  await hermesOk(root, ['karpathy', 'backup']);
  const was = await facts(root);
  const zip = join(root.dir, 'backup.zip');
  await hermesOk(root, ['backup', '-o', zip]);
  rmSync(root.home, { recursive: true });
  mkdirSync(root.home);
  await bringBack(root, zip);
  expect(await facts(root)).toEqual(was);
  expect(readdirSync(join(root.dataDir, 'db-backups'))).toHaveLength(1);

  const other = createHermesRoot();
  try {
    rmSync(other.home, { recursive: true });
    mkdirSync(other.home);
    await bringBack(other, zip);
    const { next } = await json(other, [...WORK, 'status']);
    expect(JSON.stringify(next)).toContain(`relocate --from ${join(root.home, 'profiles', 'work')}`);
    // The original is still there: this is a copy, with a controller DB of its own.
    await hermesOk(other, ['karpathy', 'relocate', '--from', root.home, '--still-there', '--yes']);
    const here = JSON.stringify(await facts(other)).replaceAll(other.home, root.home);
    expect(JSON.parse(here)).toEqual(was);
    await hermesOk(other, [...WORK, 'revert', String(id), '--reason', 'test', '--yes']);
    expect(readFileSync(join(other.home, 'profiles', 'work', 'SOUL.md'), 'utf8')).toBe(SOUL);
    expect(await json(root, [...WORK, 'status'])).toEqual(was.status);
  } finally {
    cleanup(other);
  }
});

/** As docs/ratchet.md says: import, set up, link the other profiles again. */
async function bringBack(to: HermesRoot, zip: string): Promise<void> {
  await hermesOk(to, ['import', zip, '--force']);
  expect(existsSync(join(to.home, 'profiles', 'work', 'plugins', PLUGIN))).toBe(false);
  restoreRuntime(to.home);
  await hermesOk(to, ['karpathy', 'setup']);
  await hermesOk(to, ['karpathy', 'install', '--all', '--yes']);
}

it('uninstall leaves the root as it was before the install, but for what Hermes wrote', async () => {
  const { plan } = await json(root, ['karpathy', 'uninstall', '--dry-run', '--purge']);
  const work = join(root.home, 'profiles', 'work');
  expect(plan).toMatchObject({
    texts: [{ experiment: id, file: join(work, 'SOUL.md'), fits: 'yes' }],
    homes: [
      { profile: 'default', directory: join(root.home, 'plugins', PLUGIN) },
      {
        profile: 'work',
        link: join(work, 'plugins', PLUGIN),
        entries: ['plugins.enabled', `plugins.entries.${PLUGIN}`],
      },
    ],
  });
  await hermesOk(root, ['karpathy', 'uninstall', '--restore', '--purge', '--yes']);
  const after = new Map(
    [...tree(root.home)].map(([name, content]) => [name.replace('profiles/work', 'profiles/dev'), content]),
  );
  const changed = [...new Set([...before.keys(), ...after.keys()])].filter(
    (name) => before.get(name) !== after.get(name),
  );
  // Empty directories come and go with the host: made at its starts, and not in its backup.
  const holds = (content: string | undefined) => content !== undefined && content !== 'a directory';
  const files = changed.filter((name) => holds(before.get(name)) || holds(after.get(name)));
  expect(files.sort()).toEqual(['config.yaml', 'profiles/dev/config.yaml']);
  expect(changed.filter((name) => /karpathy|plugin/.test(basename(name)))).toEqual([]);
  for (const file of files) {
    const config = parse(after.get(file) ?? '') as Record<string, unknown>;
    expect(JSON.stringify(config)).not.toContain('karpathy');
    const was = parse(before.get(file) ?? '') as Record<string, unknown>;
    expect({ ...config, plugins: null }).toMatchObject({ ...was, plugins: null });
  }
});
