import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { errorToJson, toKarpathyError } from '#src/errors.js';
import { testContext, type TestContext } from '../../support/context.js';
import { cli } from './harness.js';

let fixture: TestContext;
beforeEach(() => {
  fixture = testContext();
});

describe('a target that went bad', () => {
  it('is what status says first, with the way out, and not that all is ready', async () => {
    const suite = join(fixture.home, 'suite.yaml');
    const one = (name: string, split: string) =>
      `{name: ${name}, split: ${split}, input: hi, checks: [{must_contain: ok}]}`;
    writeFileSync(suite, `[${one('a', 'train')}, ${one('b', 'holdout')}]`);
    expect((await cli(fixture, ['scenario', 'import', suite])).code).toBe(0);
    expect((await cli(fixture, ['status'])).stdout).toContain('Ready');
    writeFileSync(join(fixture.home, 'SOUL.md'), '');
    const { code, stdout } = await cli(fixture, ['status']);
    expect(code).toBe(0);
    expect(stdout).toContain('is empty');
    expect(stdout).toContain('karpathy doctor');
    expect(stdout).not.toContain('Ready');
  });
});

describe('a file that is no text', () => {
  it.each([
    ['bytes that are not UTF-8', Buffer.from([0x63, 0xe9, 0x2e])],
    ['NUL bytes', Buffer.from('a\0b')],
  ])('is refused by name: %s', async (_, bytes) => {
    const path = join(fixture.home, 'binary');
    writeFileSync(path, bytes);
    for (const command of [
      ['propose', '--no-evaluate', '--from', path],
      ['scenario', 'import', path],
    ]) {
      const run = await cli(fixture, ['--json', ...command]);
      expect(run.code).toBe(2);
      expect(run.error().message).toContain(`${path} is no text in UTF-8`);
      expect(run.error().hint).toBeDefined();
    }
  });
});

describe('a suite that is far too large', () => {
  it('is refused at once, and nothing of it is kept', async () => {
    const path = join(fixture.home, 'huge.yaml');
    writeFileSync(
      path,
      Array.from({ length: 2001 }, (_, i) => `- {name: s${i}, input: hi, checks: [{must_contain: ok}]}`).join('\n'),
    );
    const run = await cli(fixture, ['--json', 'scenario', 'import', path]);
    expect(run.code).toBe(2);
    expect(run.error().problems?.[0]?.message).toContain('at most 2000');
    expect((await cli(fixture, ['--json', 'scenario', 'list'])).json()).toMatchObject({ train: 0, holdout: 0 });
  });

  it('does not flood the terminal with its names', async () => {
    const path = join(fixture.home, 'large.yaml');
    writeFileSync(
      path,
      Array.from({ length: 200 }, (_, i) => `- {name: s${i}, input: hi, checks: [{must_contain: ok}]}`).join('\n'),
    );
    expect((await cli(fixture, ['scenario', 'import', path])).stdout).toContain('and 170 more');
    expect((await cli(fixture, ['--json', 'scenario', 'show', 'nope'])).error().hint).toContain('and 180 more');
  });
});

describe('an edit that can not be', () => {
  it.each([
    [['--rewrite', '1', 'One thing. Two things.'], /exactly one/],
    [['--delete', '99'], /no sentence 99/],
  ])('says the way out: %j', async (edit, message) => {
    const run = await cli(fixture, ['--json', 'propose', '--no-evaluate', ...edit]);
    expect(run.code).toBe(2);
    expect(run.error().message).toMatch(message);
    expect(run.error().hint).toBeDefined();
  });
});

describe('a target that is none', () => {
  it.each(['config.yaml', '.env', 'auth.json', 'state.db', 'plugins/x.py'])('%s is refused', async (name) => {
    mkdirSync(join(fixture.home, 'plugins'), { recursive: true });
    writeFileSync(join(fixture.home, name), 'note: text that could be read\n');
    const run = await cli(fixture, ['--json', 'init', '--target', name, '--accept-disclosure', '--yes']);
    expect(run.code).toBe(2);
    expect(run.error()).toMatchObject({ code: 'bad_target' });
  });

  it('an empty name is refused in words', async () => {
    const run = await cli(fixture, ['--json', 'init', '--target', '', '--accept-disclosure', '--yes']);
    expect(run.code).toBe(2);
    expect(run.error().problems?.[0]).toMatchObject({ path: '--target', message: 'must not be empty' });
  });
});

describe('a fault of disk or database in the middle of a command', () => {
  it.each([
    ['ENOSPC', 'io'],
    ['EROFS', 'io'],
    ['SQLITE_FULL', 'io'],
    ['SQLITE_IOERR_WRITE', 'io'],
    ['SQLITE_BUSY_SNAPSHOT', 'db_busy'],
    ['SQLITE_CORRUPT_INDEX', 'db_corrupt'],
    ['ERR_OTHER', 'internal'],
  ])('%s is named as %s', (code, expected) => {
    const error = toKarpathyError(Object.assign(new Error('it went wrong'), { code }));
    expect(errorToJson(error)).toMatchObject({ code: expected });
    expect(error.message).toContain('it went wrong');
    expect(error.hint !== undefined).toBe(expected !== 'internal');
  });
});
