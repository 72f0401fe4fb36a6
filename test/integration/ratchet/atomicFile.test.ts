import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { removeLeftovers, replaceFile } from '#src/ratchet/atomicFile.js';
import { writeSnapshotFile } from '#src/ratchet/snapshotFile.js';
import { temporaryDirectory } from '../../support/context.js';

let directory: string;
let file: string;
beforeEach(() => {
  directory = temporaryDirectory();
  file = join(directory, 'SOUL.md');
});

const modeOf = (path: string) => statSync(path).mode & 0o7777;

describe('replacing a file', () => {
  it.each([
    ['a BOM and CRLF', Buffer.from('\uFEFFBe kind.\r\nBe brief.\r\n')],
    ['no newline at the end', Buffer.from('Be kind.')],
    ['bytes that are no text', Buffer.from([0xff, 0x00, 0x0a])],
    ['nothing', Buffer.alloc(0)],
    ['a megabyte', Buffer.alloc(1_000_000, 'ä')],
  ])('writes %s byte by byte', (_, bytes) => {
    writeFileSync(file, 'before');
    replaceFile(file, bytes, { mode: 0o644 });
    expect(readFileSync(file).equals(bytes)).toBe(true);
  });

  it.each([0o600, 0o644, 0o664, 0o755])('gives it mode %o whatever the umask', (mode) => {
    const before = process.umask(0o077);
    try {
      writeFileSync(file, 'before');
      replaceFile(file, Buffer.from('after'), { mode });
      expect(modeOf(file)).toBe(mode);
    } finally {
      process.umask(before);
    }
  });

  it('keeps the group of the file it replaces', () => {
    writeFileSync(file, 'before');
    const { gid } = statSync(file);
    replaceFile(file, Buffer.from('after'), { mode: 0o640 });
    expect(statSync(file).gid).toBe(gid);
  });

  it('leaves nothing beside the file', () => {
    writeFileSync(file, 'before');
    replaceFile(file, Buffer.from('after'), { mode: 0o600 });
    expect(readdirSync(directory)).toEqual(['SOUL.md']);
  });

  it('leaves the old bytes and no temporary file when it fails', () => {
    mkdirSync(file);
    writeFileSync(join(file, 'inside'), 'kept');
    expect(() => replaceFile(file, Buffer.from('after'), { mode: 0o600 })).toThrow(/cannot be written/);
    expect(readdirSync(directory)).toEqual(['SOUL.md']);
    expect(readFileSync(join(file, 'inside'), 'utf8')).toBe('kept');
  });

  it('removes what dead writers left, and nothing else', () => {
    writeFileSync(join(directory, '.SOUL.md.karpathy-0123456789ab'), 'half');
    writeFileSync(join(directory, '.SOUL.md.swp'), 'an editor');
    writeFileSync(file, 'before');
    removeLeftovers(file);
    expect(readdirSync(directory).sort()).toEqual(['.SOUL.md.swp', 'SOUL.md']);
  });
});

describe('a snapshot as a plain file', () => {
  const snapshot = {
    experimentId: 7,
    kind: 'prior',
    targetRelpath: 'SOUL.md',
    bytes: Buffer.from('Be kind.\r\n'),
  } as const;

  it('has the exact bytes, mode 0600, in a directory of mode 0700', () => {
    const path = writeSnapshotFile(join(directory, 'data', 'snapshots'), snapshot);
    expect(path).toMatch(/\/7-prior-[0-9a-f]{12}\.md$/);
    expect(readFileSync(path).equals(snapshot.bytes)).toBe(true);
    expect(modeOf(path)).toBe(0o600);
    expect(modeOf(join(directory, 'data', 'snapshots'))).toBe(0o700);
  });

  it('is written once for the same bytes', () => {
    const first = writeSnapshotFile(directory, snapshot);
    const inode = statSync(first).ino;
    expect(writeSnapshotFile(directory, snapshot)).toBe(first);
    expect(statSync(first).ino).toBe(inode);
  });

  it('is written again over a damaged one', () => {
    const path = writeSnapshotFile(directory, snapshot);
    writeFileSync(path, 'damaged');
    writeSnapshotFile(directory, snapshot);
    expect(readFileSync(path).equals(snapshot.bytes)).toBe(true);
  });
});
