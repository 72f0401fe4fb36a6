import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { valueRows, type BadInput } from './badInput.js';
import { OURS, type World } from './world.js';

const id = String(OURS);

/** What the target can hold or be, met by the first command that reads it. */
const contents = valueRows<string | Uint8Array>(
  [
    ['nothing', '', 'is empty'],
    ['line ends only', '\r\n\n\n', 'is empty'],
    ['a byte order mark only', '\uFEFF', 'is empty'],
    ['blanks that are no blanks', '\u00a0\u3000\u2028', 'is empty'],
    ['NUL bytes', 'Be\0kind.\n', 'NUL'],
    ['UTF-16 with a mark', Buffer.from('\uFEFFBe kind.\n', 'utf16le'), /NUL|UTF-8/],
    ['UTF-16 the other way round', Buffer.from('\uFEFFBe kind.\n', 'utf16le').swap16(), /NUL|UTF-8/],
    ['UTF-32', Buffer.from([0xff, 0xfe, 0, 0, 0x42, 0, 0, 0]), /NUL|UTF-8/],
    ['Latin-1', Buffer.from('Sei h\u00f6flich.\n', 'latin1'), 'UTF-8'],
    ['a character that was cut', Buffer.from('Be kind\u2026').subarray(0, -1), 'UTF-8'],
    ['an encoding longer than needed', Buffer.from([0x42, 0xc0, 0xaf, 0x0a]), 'UTF-8'],
    ['half a pair of surrogates', Buffer.from([0x42, 0xed, 0xa0, 0x80, 0x0a]), 'UTF-8'],
    ['one character more than the host reads', 'a'.repeat(20_001), '20001', '20000'],
    ['a megabyte', 'Be kind. '.repeat(120_000), '20000'],
    ['compressed bytes', Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]), /NUL|UTF-8/],
  ],
  (content) => ({
    put: ({ target }) => writeFileSync(target, content),
    run: ['propose', '--delete', '1', '--no-evaluate'],
    code: 'bad_target',
  }),
).map((row) => ({ ...row, names: [...row.names, 'SOUL.md'] }));

function socketAt(world: World): Promise<void> {
  const server = createServer();
  world.later(() => new Promise<void>((done) => server.close(() => done())));
  // A path of a socket may have 107 bytes: it is reached from its directory.
  return new Promise((ready) => server.listen({ path: world.target, exclusive: true }, ready));
}

const kinds = valueRows<(world: World) => void | Promise<void>>(
  [
    ['a directory', ({ target }) => void mkdirSync(target), 'is a directory'],
    ['a named pipe', ({ target }) => void execFileSync('mkfifo', [target]), 'FIFO'],
    ['a socket', socketAt, 'socket'],
    [
      'five million bytes',
      ({ target }) => (writeFileSync(target, ''), truncateSync(target, 5_000_000)),
      'too large',
      '5000000',
    ],
  ],
  (make) => ({
    put: (world) => {
      rmSync(world.target);
      return make(world);
    },
    run: ['propose', '--delete', '1', '--no-evaluate'],
    code: 'bad_target',
  }),
);

const owner: BadInput = {
  name: "another user's file",
  asRoot: true,
  put: ({ target }) => chownSync(target, 4321, 4321),
  run: ['propose', '--delete', '1', '--no-evaluate'],
  code: 'bad_target',
  names: ['SOUL.md', 'another user', '4321'],
};

/** The same between the approval and the write. */
const atWrite: BadInput[] = [
  ...(
    [
      ['a named pipe', (target: string) => void execFileSync('mkfifo', [target]), 'FIFO'],
      ['a directory', (target: string) => void mkdirSync(target), 'directory'],
    ] as const
  ).map(([name, make, says]): BadInput => ({
    name: `${name} in the place of the file before an apply`,
    world: 'approved',
    put: ({ target }) => {
      rmSync(target);
      make(target);
    },
    run: ['apply', id, '--yes'],
    code: 'bad_target',
    names: ['SOUL.md', says],
  })),
  {
    name: 'the file is gone before an apply',
    world: 'approved',
    put: ({ target }) => rmSync(target),
    run: ['apply', id, '--yes'],
    code: 'bad_target',
    names: ['SOUL.md', 'does not exist'],
  },
];

const blocked: BadInput[] = [
  {
    name: 'text that is no sentence at all',
    put: ({ target }) => writeFileSync(target, '```\ncode\n```\n'),
    run: ['propose', '--delete', '1', '--no-evaluate'],
    code: 'bad_edit',
    names: ['no sentence'],
  },
];

export const TARGET_FILES: readonly BadInput[] = [...contents, ...kinds, owner, ...atWrite, ...blocked];
