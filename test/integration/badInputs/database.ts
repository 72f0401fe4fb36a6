import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { valueRows, type BadInput } from './badInput.js';
import type { World } from './world.js';

const fileOf = ({ paths }: World) => paths.dbPath;

/** Runs SQL on a DB file and leaves no journal beside it. */
export function altered(path: string, sql: string): void {
  const db = new Database(path);
  try {
    db.pragma('foreign_keys = OFF');
    db.exec(sql);
  } finally {
    db.close();
  }
}

/** Another program's DB, made anew. */
export function foreign(path: string, sql: string): void {
  rmSync(path, { force: true });
  altered(path, sql);
}

const PAGE = 4096;

/** The bytes of the DB, changed. */
export function mangled(path: string, change: (bytes: Buffer) => Buffer): void {
  writeFileSync(path, change(readFileSync(path)));
}

/** What a file can be whose bytes are not the controller DB's. */
export const DAMAGE = {
  text: (path: string) => writeFileSync(path, 'id,state\n1,live\n'),
  'a web page': (path: string) => writeFileSync(path, `<!doctype html>${'<p>gone</p>'.repeat(500)}`),
  'a compressed file': (path: string) =>
    writeFileSync(path, Buffer.concat([Buffer.from([0x1f, 0x8b, 8, 0]), randomBytes(PAGE)])),
  'what looks encrypted': (path: string) => writeFileSync(path, randomBytes(4 * PAGE)),
  'zeros only': (path: string) => writeFileSync(path, Buffer.alloc(4 * PAGE)),
  'the first 50 bytes': (path: string) => mangled(path, (bytes) => bytes.subarray(0, 50)),
  'half a file': (path: string) => mangled(path, (bytes) => bytes.subarray(0, PAGE * 3)),
  'a file without its first page': (path: string) => mangled(path, (bytes) => bytes.subarray(PAGE)),
  'a header with another magic word': (path: string) =>
    mangled(path, (bytes) => Buffer.concat([Buffer.from('MySQL format 3\0\0'), bytes.subarray(16)])),
  'a schema page of noise': (path: string) =>
    mangled(path, (bytes) => Buffer.concat([bytes.subarray(0, 100), randomBytes(PAGE - 100), bytes.subarray(PAGE)])),
  'a file with line ends of Windows': (path: string) =>
    mangled(path, (bytes) => Buffer.from(bytes.toString('latin1').replaceAll('\n', '\r\n'), 'latin1')),
} as const;

const damaged = valueRows<(path: string) => void>(
  Object.entries(DAMAGE).map(([name, make]) => [name, make, 'karpathy-self-improve.db'] as const),
  (make) => ({ put: (world) => make(fileOf(world)), run: ['status'], code: 'db_corrupt' }),
);

const others = valueRows<string>(
  [
    ["a browser's DB", 'CREATE TABLE bookmarks (url TEXT); INSERT INTO bookmarks VALUES (1)', 'not the controller DB'],
    [
      "a DB with another program's mark",
      'PRAGMA application_id = 1196437808; CREATE TABLE features (id INTEGER)',
      'not the controller DB',
    ],
    [
      "the host's own DB",
      'PRAGMA user_version = 1; CREATE TABLE sessions (id TEXT); CREATE TABLE messages (id TEXT)',
      'not the controller DB',
    ],
    [
      'another program that has experiments',
      'CREATE TABLE experiments (experiment_id INTEGER, name TEXT); CREATE TABLE runs (id TEXT)',
      'not the controller DB',
    ],
    ['an empty DB of a version of its own', 'PRAGMA user_version = 1', 'not the controller DB'],
    ['an empty DB of a version below zero', 'PRAGMA user_version = -1', 'not the controller DB'],
  ],
  (sql) => ({ put: (world) => foreign(fileOf(world), sql), run: ['status'], code: 'db_corrupt' }),
).map((row) => ({ ...row, names: ['karpathy-self-improve.db', ...row.names] }));

const versions: BadInput[] = [
  {
    name: 'the DB of a newer plugin',
    put: (world) => altered(fileOf(world), 'PRAGMA user_version = 99'),
    run: ['status'],
    code: 'db_newer',
    names: ['karpathy-self-improve.db', 'schema 99'],
  },
  {
    name: 'a DB whose version was lost',
    put: (world) => altered(fileOf(world), 'PRAGMA user_version = 0'),
    run: ['status'],
    code: 'db_corrupt',
    names: ['karpathy-self-improve.db'],
  },
  {
    name: 'a DB that lost a table',
    put: (world) => altered(fileOf(world), 'DROP TABLE experiment_state_transitions'),
    run: ['status'],
    code: 'db_corrupt',
    names: ['karpathy-self-improve.db'],
  },
  {
    name: 'a DB that lost a table that few commands need',
    put: (world) => altered(fileOf(world), 'PRAGMA foreign_keys = OFF; DROP TABLE baselines'),
    run: ['baselines'],
    code: 'db_corrupt',
    names: ['baselines'],
  },
];

const kinds = valueRows<(path: string, world: World) => void>(
  [
    ['a directory', (path) => void mkdirSync(path), 'directory'],
    ['a named pipe', (path) => void execFileSync('mkfifo', [path]), 'FIFO'],
    ['a link in a circle', (path) => symlinkSync('karpathy-self-improve.db', path), /loop|links/],
    ['a link to a device', (path) => symlinkSync('/dev/null', path), 'device'],
    ['a link to a directory', (path, { outside }) => symlinkSync(outside, path), 'directory'],
  ],
  (make) => ({
    put: (world) => {
      rmSync(fileOf(world));
      make(fileOf(world), world);
    },
    run: ['status'],
    code: 'io',
  }),
).map((row) => ({ ...row, names: ['karpathy-self-improve.db', ...row.names] }));

const journal: BadInput = {
  name: 'a directory in the place of the journal',
  put: (world) => void mkdirSync(`${fileOf(world)}-wal`),
  run: ['status'],
  code: 'io',
  names: ['karpathy-self-improve.db'],
};

/** KARPATHY_DB_PATH, which wins over everything. */
const byPath = valueRows<(world: World) => string>(
  [
    ['a DB below a file', ({ target }) => join(target, 'x.db'), 'SOUL.md'],
    ['a DB where nothing can be written', () => '/sys/karpathy.db', '/sys/karpathy.db'],
    ['a DB that is a device', () => '/dev/zero', '/dev/zero', 'device'],
    ['a DB that is a directory', ({ home }) => home, 'directory'],
    ['a DB with a name too long', ({ work }) => join(work, 'n'.repeat(300)), 'nnn'],
    ["the host's config.yaml", ({ root }) => join(root, 'config.yaml'), 'config.yaml'],
    ['the target file', ({ target }) => target, 'SOUL.md'],
  ],
  (path) => ({ env: (world) => ({ KARPATHY_DB_PATH: path(world) }), run: ['status'], code: 'io' }),
).map((row) => (/config\.yaml|target file/.test(row.name) ? { ...row, code: 'db_corrupt' as const } : row));

/** Pages that only the command that needs them meets. */
const hidden: BadInput[] = [
  {
    name: 'a damaged DB that is backed up',
    put: (world) => breakTable(fileOf(world), 'scenarios'),
    run: ['backup'],
    code: 'db_corrupt',
    names: ['controller DB', 'damaged'],
  },
  {
    name: 'a damaged table that is read',
    put: (world) => breakTable(fileOf(world), 'scenarios'),
    run: ['scenario', 'list'],
    code: 'db_corrupt',
    names: ['damaged'],
  },
  {
    name: 'a state that its audit log does not lead to',
    put: (world) =>
      altered(fileOf(world), 'DROP TRIGGER transitions_are_never_deleted; DELETE FROM experiment_state_transitions'),
    run: ['backup'],
    code: 'db_corrupt',
    names: ['experiment 1 is proposed', 'nothing'],
  },
];

/** Noise over the root page of a table. */
export function breakTable(path: string, table: string): void {
  const db = new Database(path, { readonly: true });
  const page = Number(db.prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?').pluck().get(table));
  db.close();
  for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true });
  mangled(path, (bytes) => {
    bytes.fill(0xa5, (page - 1) * PAGE, page * PAGE);
    return bytes;
  });
}

export const DATABASE: readonly BadInput[] = [
  ...damaged,
  ...others,
  ...versions,
  ...kinds,
  journal,
  ...byPath,
  ...hidden,
];
