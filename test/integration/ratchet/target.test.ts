import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import type { KarpathyError } from '#src/errors.js';
import { readTarget, readTargetText, resolveTarget } from '#src/ratchet/target.js';
import { temporaryDirectory } from '../../support/context.js';

let root: string;
let soul: string;
beforeEach(() => {
  root = temporaryDirectory();
  soul = join(root, 'SOUL.md');
});

function refusal(work: () => unknown): KarpathyError {
  try {
    work();
  } catch (error) {
    return error as KarpathyError;
  }
  throw new Error('was not refused');
}

function expectRefused(work: () => unknown, message: RegExp): void {
  const error = refusal(work);
  expect(error.message).toMatch(message);
  expect(error.code).toBe('bad_target');
  expect(error.exitCode).toBe(2);
}

describe('where a target may lie', () => {
  it.each([
    ['', /is empty/],
    ['  ', /is empty/],
    ['/etc/hostname', /absolute/],
    ['~/SOUL.md', /absolute/],
    [['..', 'SOUL.md'].join('/'), /leaves its directory/],
    [['a', '..', '..', 'SOUL.md'].join('/'), /leaves its directory/],
    ['SOUL\0.md', /NUL byte/],
  ])('refuses the path %j', (relpath, message) => {
    expectRefused(() => readTarget(root, relpath), message);
  });

  it('follows a link that stays inside the profile', () => {
    mkdirSync(join(root, 'notes'));
    writeFileSync(join(root, 'notes', 'me.md'), 'Be kind.\n');
    symlinkSync(join('notes', 'me.md'), soul);
    expect(readTarget(root, 'SOUL.md').path).toBe(join(root, 'notes', 'me.md'));
  });

  it('refuses a link that leads out of the profile, of the file or of a directory above it', () => {
    const outside = temporaryDirectory();
    writeFileSync(join(outside, 'SOUL.md'), 'Be kind.\n');
    symlinkSync(join(outside, 'SOUL.md'), soul);
    symlinkSync(outside, join(root, 'notes'));
    expectRefused(() => readTarget(root, 'SOUL.md'), /outside the profile/);
    expectRefused(() => readTarget(root, 'notes/SOUL.md'), /outside the profile/);
  });

  it('is not fooled by a directory whose name begins like the profile', () => {
    const profile = join(root, 'dev');
    mkdirSync(profile);
    mkdirSync(join(root, 'dev-old'));
    writeFileSync(join(root, 'dev-old', 'SOUL.md'), 'Be kind.\n');
    symlinkSync(join(root, 'dev-old', 'SOUL.md'), join(profile, 'SOUL.md'));
    expectRefused(() => resolveTarget(profile, 'SOUL.md'), /outside the profile/);
  });

  it('says of a missing file whether it is a dangling link', () => {
    expectRefused(() => readTarget(root, 'SOUL.md'), /does not exist/);
    symlinkSync('nowhere.md', soul);
    expectRefused(() => readTarget(root, 'SOUL.md'), /is a link to a file that does not exist/);
  });

  it('works for a profile that is itself reached through a link', () => {
    writeFileSync(soul, 'Be kind.\n');
    const link = join(temporaryDirectory(), 'profile');
    symlinkSync(root, link);
    expect(readTarget(link, 'SOUL.md').path).toBe(soul);
  });
});

describe('what a target may be', () => {
  it('refuses a directory', () => {
    mkdirSync(soul);
    expectRefused(() => readTarget(root, 'SOUL.md'), /is a directory/);
  });

  it('refuses a FIFO without waiting for its writer', () => {
    execFileSync('mkfifo', [soul]);
    expectRefused(() => readTarget(root, 'SOUL.md'), /FIFO/);
  });

  it('refuses a socket', async () => {
    const server = createServer();
    await new Promise<void>((ready) => server.listen(soul, ready));
    expectRefused(() => readTarget(root, 'SOUL.md'), /socket/);
    await new Promise((closed) => server.close(closed));
  });

  it('refuses a device', () => {
    expectRefused(() => readTarget('/dev', 'null'), /device|another user/);
  });

  it('refuses a file with a second hard link, which a replacement would part', () => {
    writeFileSync(soul, 'Be kind.\n');
    linkSync(soul, join(root, 'other.md'));
    expectRefused(() => readTarget(root, 'SOUL.md'), /2 hard links/);
    rmSync(join(root, 'other.md'));
    expect(readTarget(root, 'SOUL.md').bytes.toString()).toBe('Be kind.\n');
  });

  it("refuses another user's file", () => {
    const someoneElses = process.getuid?.() === 0 ? 4321 : null;
    writeFileSync(soul, 'Be kind.\n');
    if (someoneElses === null) return expectRefused(() => readTarget('/etc', 'hostname'), /belongs to another user/);
    execFileSync('chown', [String(someoneElses), soul]);
    return expectRefused(() => readTarget(root, 'SOUL.md'), /belongs to another user \(uid 4321\)/);
  });
});

describe('what a target may hold', () => {
  it.each([
    ['nothing', Buffer.alloc(0), /is empty/],
    ['white space only', Buffer.from(' \r\n\n'), /is empty/],
    ['a BOM only', Buffer.from('\uFEFF'), /is empty/],
    ['NUL bytes', Buffer.from('Be\0kind.'), /is binary/],
    ['UTF-16', Buffer.from('\uFEFFBe kind.', 'utf16le'), /is binary/],
    ['Latin-1', Buffer.from([0x42, 0xe9, 0x2e]), /not UTF-8/],
    ['a cut-off character', Buffer.from('Be kind…').subarray(0, -1), /not UTF-8/],
    ['more than the host reads', Buffer.from('a'.repeat(20_001)), /20001 characters; the host reads 20000/],
  ])('refuses %s', (_, bytes, message) => {
    writeFileSync(soul, bytes);
    expectRefused(() => readTargetText(root, 'SOUL.md'), message);
  });

  it('counts characters as the host does, not bytes or UTF-16 units', () => {
    writeFileSync(soul, '\u{1F600}'.repeat(20_000));
    expect(readTargetText(root, 'SOUL.md').text.length).toBe(40_000);
  });

  it('takes the limit of a profile whose model reads more', () => {
    writeFileSync(soul, 'a'.repeat(20_001));
    expect(readTargetText(root, 'SOUL.md', { maxChars: 30_000 }).text.length).toBe(20_001);
  });

  it.each([
    ['Be kind.\n', { text: 'Be kind.\n', bom: false, lineEnd: '\n', trailingNewline: true }],
    ['Be kind.', { text: 'Be kind.', bom: false, lineEnd: '\n', trailingNewline: false }],
    ['\uFEFFBe\r\nkind.\r\n', { text: 'Be\r\nkind.\r\n', bom: true, lineEnd: '\r\n', trailingNewline: true }],
    ['Be\r\nkind.\n', { text: 'Be\r\nkind.\n', bom: false, lineEnd: 'mixed', trailingNewline: true }],
  ])('tells BOM, line ends and the last newline of %j', (content, expected) => {
    writeFileSync(soul, content);
    expect(readTargetText(root, 'SOUL.md')).toMatchObject(expected);
  });
});
