import { linkSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { valueRows, type BadInput } from './badInput.js';
import { OURS, type World } from './world.js';

const id = String(OURS);
const up = (...rest: string[]) => rest.join('/');

const asTarget = (target: string): Omit<BadInput, 'name' | 'names'> => ({
  run: ['init', '--target', target, '--yes'],
  code: 'bad_target',
});

/** Where a target must not lie, by the path alone. */
const written = valueRows<string>(
  [
    ['an absolute path', '/etc/hostname', '/etc/hostname', 'absolute'],
    ['the home of a person', '~/SOUL.md', '~/SOUL.md', 'absolute'],
    ["another person's home", '~root/SOUL.md', '~root', 'absolute'],
    ['a way up', up('..', 'other', 'SOUL.md'), '".."'],
    ['a way up by way of down', up('notes', '..', '..', 'SOUL.md'), '".."'],
    ['a way up the Windows way', ['..', 'other', 'SOUL.md'].join('\\'), '".."'],
    ['blanks only', '   ', 'is empty'],
    ['a NUL byte', 'SOUL\0.md', 'NUL'],
    ['the profile itself', '.', 'directory'],
    ['a file that is not there', 'NOTES.md', 'NOTES.md', 'does not exist'],
    ['a file in a directory that is not there', 'notes/me.md', 'notes/me.md', 'does not exist'],
    ['a file below a file', 'SOUL.md/me', 'SOUL.md/me', 'does not exist'],
    ['a name with a slash at its end', 'SOUL.md/', 'SOUL.md'],
    ['a name of 300 letters', `${'a'.repeat(300)}.md`, 'aaa', /too long|does not exist/],
    ['a path of 5000 letters', Array.from({ length: 1250 }, () => 'aaa').join('/'), 'aaa', /too long|does not exist/],
    ['a name in the other case', 'soul.MD', 'soul.MD', 'does not exist'],
    ['a look-alike letter', 'S\u041EUL.md', 'S\u041EUL.md', 'does not exist'],
    ['a name with a line break', 'SOUL\n.md', 'does not exist'],
    ['a name that turns the text around', 'SOUL\u202Edm.md', 'does not exist'],
    ['the configuration', 'config.yaml', 'config.yaml', 'no text of instructions'],
    ['the keys', '.env', '.env', 'no text of instructions'],
    ['keys under another name', '.env.local', '.env.local', 'no text of instructions'],
    ['a program', 'plugins/x.py', 'x.py', 'no text of instructions'],
    ['a database', 'state.db', 'state.db', 'no text of instructions'],
  ],
  asTarget,
);

interface Link {
  readonly make: (world: World) => void;
  readonly target?: string;
}

/** Where the file system leads. */
const linked = valueRows<Link>(
  [
    [
      'a link out of the profile',
      { make: (w) => outside(w, () => symlinkSync(join(w.outside, 'a.md'), join(w.home, 'a.md'))) },
      'outside the profile',
      'a.md',
    ],
    [
      'a directory that is a link out of the profile',
      { make: (w) => outside(w, () => symlinkSync(w.outside, join(w.home, 'notes'))), target: 'notes/a.md' },
      'outside the profile',
    ],
    [
      "a link into another person's profile",
      { make: (w) => symlinkSync(join(w.root, 'profiles', 'other', 'SOUL.md'), join(w.home, 'a.md')) },
      'outside the profile',
      'other',
    ],
    ['a link to itself', { make: (w) => symlinkSync('a.md', join(w.home, 'a.md')) }, 'a.md', /loop|links/],
    [
      'two links to each other',
      { make: (w) => (symlinkSync('b.md', join(w.home, 'a.md')), symlinkSync('a.md', join(w.home, 'b.md'))) },
      'a.md',
      /loop|links/,
    ],
    [
      'a link to nothing',
      { make: (w) => symlinkSync('nowhere.md', join(w.home, 'a.md')) },
      'link to a file that does not exist',
    ],
    ['a link to a directory', { make: (w) => symlinkSync(w.home, join(w.home, 'a.md')) }, /directory|outside/],
    [
      'a link to a device',
      { make: (w) => symlinkSync('/dev/null', join(w.home, 'a.md')) },
      'outside the profile',
      '/dev/null',
    ],
    [
      'a second name of a file outside',
      { make: (w) => outside(w, () => linkSync(join(w.outside, 'a.md'), join(w.home, 'a.md'))) },
      '2 hard links',
    ],
  ],
  ({ make, target = 'a.md' }) => ({ ...asTarget(target), put: make }),
);

function outside(world: World, link: () => void): void {
  writeFileSync(join(world.outside, 'a.md'), 'Be kind.\n');
  link();
}

/** The way to the target was swapped after the set-up. */
const swapped: BadInput[] = [
  {
    name: 'the file became a link out of the profile before an apply',
    world: 'approved',
    put: ({ target, outside: place }) => {
      renameSync(target, join(place, 'SOUL.md'));
      symlinkSync(join(place, 'SOUL.md'), target);
    },
    run: ['apply', id, '--yes'],
    code: 'bad_target',
    names: ['outside the profile'],
  },
  {
    name: 'the file became a directory before a revert',
    world: 'live',
    put: ({ target }) => {
      rmSync(target);
      mkdirSync(target);
    },
    run: ['revert', id, '--reason', 'x', '--yes'],
    code: 'conflict',
    names: ['SOUL.md'],
    records: ['experiments'],
  },
  {
    name: 'a second hard link was made before an apply',
    world: 'approved',
    put: ({ target, outside: place }) => linkSync(target, join(place, 'copy')),
    run: ['apply', id, '--yes'],
    code: 'bad_target',
    names: ['2 hard links'],
  },
  {
    name: 'the directory of the profile is gone',
    put: ({ home, outside: place }) => renameSync(home, join(place, 'dev')),
    run: ['status'],
    code: 'unknown_profile',
    names: ['dev'],
  },
  {
    name: 'the directory of the profile became a file',
    put: ({ home, outside: place }) => {
      renameSync(home, join(place, 'dev'));
      writeFileSync(home, '');
    },
    run: ['status'],
    code: 'unknown_profile',
    names: ['dev'],
  },
  {
    name: 'the directory of the profile became a link in a circle',
    put: ({ home, outside: place }) => {
      renameSync(home, join(place, 'dev'));
      symlinkSync('dev', home);
    },
    run: ['status'],
    code: 'unknown_profile',
    names: ['dev'],
  },
];

/** Files that a person names on the command line. */
const named = valueRows<{ make?: (world: World) => void; run: readonly string[] }>(
  [
    ['a suite that is not there', { run: ['scenario', 'import', 'no.yaml'] }, 'no.yaml', 'does not exist'],
    [
      'a suite that is a directory',
      { make: ({ work }) => mkdirSync(join(work, 'd')), run: ['scenario', 'import', 'd'] },
      'd',
      'directory',
    ],
    [
      'a suite that is a link in a circle',
      { make: ({ work }) => symlinkSync('x', join(work, 'x')), run: ['scenario', 'import', 'x'] },
      'x',
      /loop|links/,
    ],
    [
      'a suite below a file',
      { make: ({ work }) => writeFileSync(join(work, 'f'), ''), run: ['scenario', 'import', 'f/x'] },
      'f/x',
      /does not exist|directory/,
    ],
    ['a suite with an empty name', { run: ['scenario', 'import', ''] }, 'empty'],
    ['a suite with a name too long', { run: ['scenario', 'import', 'n'.repeat(300)] }, 'nnn', 'too long'],
    [
      'a version of the file that is a device',
      { run: ['propose', '--from', '/dev/zero', '--no-evaluate'] },
      '/dev/zero',
      'device',
    ],
    [
      'an export over a file that is there',
      { make: ({ work }) => writeFileSync(join(work, 'f'), 'mine'), run: ['scenario', 'export', '--out', 'f'] },
      'f',
      'exists',
    ],
    [
      'an export into a directory that is not there',
      { run: ['scenario', 'export', '--out', 'no/f'] },
      'no/f',
      /does not exist|no such/,
    ],
    [
      'an export onto a link to nothing',
      { make: ({ work }) => symlinkSync('nowhere', join(work, 'l')), run: ['scenario', 'export', '--out', 'l'] },
      'l',
      'exists',
    ],
    ['an export with an empty name', { run: ['scenario', 'export', '--out', ''] }, 'empty'],
  ],
  ({ make, run }) => ({ run, code: 'bad_usage', ...(make === undefined ? {} : { put: make }) }),
);

const snapshots: BadInput[] = [
  {
    name: 'a snapshot over a file that is there',
    world: 'live',
    put: ({ work }) => writeFileSync(join(work, 'f'), 'mine'),
    run: ['snapshot', id, '--out', 'f'],
    code: 'bad_usage',
    names: ['f', 'exists'],
  },
  {
    name: 'a snapshot onto a link to nothing',
    world: 'live',
    put: ({ work }) => symlinkSync('nowhere', join(work, 'l')),
    run: ['snapshot', id, '--out', 'l'],
    code: 'bad_usage',
    names: ['l', 'exists'],
  },
  {
    name: 'a snapshot into a directory that is not there',
    world: 'live',
    run: ['snapshot', id, '--out', 'no/f'],
    code: 'io',
    names: ['no/f'],
  },
];

export const PATHS: readonly BadInput[] = [...written, ...linked, ...swapped, ...named, ...snapshots];
