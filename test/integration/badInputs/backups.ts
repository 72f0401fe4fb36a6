import { execFileSync } from 'node:child_process';
import { copyFileSync, linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { valueRows, type BadInput } from './badInput.js';
import { altered, breakTable, DAMAGE, foreign } from './database.js';
import type { World } from './world.js';

/** Files that `restore` is given. */
const backups = valueRows<(path: string, world: World) => void>(
  [
    ['a backup that is not there', () => undefined, 'b.db', 'does not exist'],
    ['a backup that is a directory', (path) => void mkdirSync(path), 'b.db', 'no regular file'],
    ['a backup that is a named pipe', (path) => void execFileSync('mkfifo', [path]), 'b.db', 'no regular file'],
    ['a backup that is a link to nothing', (path) => symlinkSync('nowhere', path), 'b.db', 'does not exist'],
    ['the controller DB itself', (path, world) => linkSync(world.paths.dbPath, path), 'b.db', 'controller DB itself'],
    [
      'the controller DB through a link',
      (path, world) => symlinkSync(world.paths.dbPath, path),
      'b.db',
      'controller DB itself',
    ],
  ],
  (make) => ({
    put: (world) => make(join(world.work, 'b.db'), world),
    run: ['restore', 'b.db', '--yes'],
    code: 'bad_usage',
  }),
);

const copies = valueRows<(path: string) => void>(
  [
    ['an empty file as a backup', (path) => writeFileSync(path, ''), 'b.db', 'empty'],
    ...Object.entries(DAMAGE).map(([name, make]) => [`a backup that is ${name}`, make, 'b.db'] as const),
    [
      "another program's DB as a backup",
      (path) => foreign(path, 'PRAGMA user_version = 1; CREATE TABLE bookmarks (url TEXT)'),
      'b.db',
      'not the controller DB',
    ],
    ['a backup that lost a table', (path) => altered(path, 'DROP TABLE experiment_state_transitions'), 'b.db'],
    [
      'a backup whose rows point to nothing',
      (path) => altered(path, 'DELETE FROM profiles'),
      'b.db',
      'rows that are gone',
    ],
    ['a backup with a broken table', (path) => breakTable(path, 'scenarios'), 'b.db', 'damaged'],
  ],
  (make) => ({
    put: (world) => {
      const path = join(world.work, 'b.db');
      copyFileSync(world.paths.dbPath, path);
      make(path);
    },
    run: ['restore', 'b.db', '--yes'],
    code: 'db_corrupt',
  }),
);

const restoring: BadInput[] = [
  {
    name: 'the backup of a newer plugin',
    put: (world) => {
      copyFileSync(world.paths.dbPath, join(world.work, 'b.db'));
      altered(join(world.work, 'b.db'), 'PRAGMA user_version = 99');
    },
    run: ['restore', 'b.db', '--yes'],
    code: 'db_newer',
    names: ['b.db', 'schema 99'],
  },
  {
    name: "a restore in an agent's shell",
    agentShell: true,
    put: (world) => copyFileSync(world.paths.dbPath, join(world.work, 'b.db')),
    run: ['restore', 'b.db', '--yes'],
    code: 'needs_person',
    names: ["agent's session"],
  },
  {
    name: 'a restore while a job runs',
    put: (world) => {
      altered(
        world.paths.dbPath,
        `INSERT INTO jobs (profile_id, kind, state, payload, requested_by, lease_owner, lease_expires_at, created_at)
         SELECT id, 'run', 'running', '{}', 'system', 'x', 9007199254740991, 1 FROM profiles LIMIT 1`,
      );
      copyFileSync(world.paths.dbPath, join(world.work, 'b.db'));
    },
    run: ['restore', 'b.db', '--yes'],
    code: 'busy',
    names: ['is running', 'not replaced'],
  },
  {
    name: 'a backup over a file that is there',
    put: ({ work }) => writeFileSync(join(work, 'b.db'), 'mine'),
    run: ['backup', 'b.db'],
    code: 'bad_usage',
    names: ['b.db', 'exists already'],
  },
  {
    name: 'a backup below a file',
    put: ({ work }) => writeFileSync(join(work, 'f'), 'mine'),
    run: ['backup', 'f/b.db'],
    code: 'io',
    names: ['work/f', 'directory'],
  },
  {
    name: 'a backup with an empty name',
    run: ['backup', ''],
    code: 'bad_usage',
    names: ['FILE', 'empty'],
  },
];

export const BACKUPS: readonly BadInput[] = [...backups, ...copies, ...restoring];
