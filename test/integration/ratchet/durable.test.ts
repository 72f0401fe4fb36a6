import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import type * as fs from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { replaceFile } from '#src/ratchet/atomicFile.js';
import { applyExperiment } from '#src/services/apply.js';
import { openDatabase } from '#src/store/database.js';
import { openFileOperations } from '#src/store/fileOperations.js';
import { listSnapshots } from '#src/store/snapshots.js';
import { DEFAULT_SOUL, temporaryDirectory, testContext } from '../../support/context.js';
import { approved } from '../../support/experiments.js';

/** Keeps the order of what reaches the disk, and acts right before the rename that puts the target in place. */
const watch = vi.hoisted((): { calls: string[]; beforeRename: (() => void) | null; damage: boolean } => ({
  calls: [],
  beforeRename: null,
  damage: false,
}));
vi.mock('node:fs', async (original) => {
  const real = await original<typeof fs>();
  const names = new Map<number, string>();
  const kind = (path: string): string =>
    path.includes('.SOUL.md.karpathy-') ? 'temporary' : path.endsWith('SOUL.md') ? 'target' : 'directory';
  return {
    ...real,
    openSync: (...args: Parameters<typeof real.openSync>) => {
      const fd = real.openSync(...args);
      names.set(fd, kind(String(args[0])));
      return fd;
    },
    writeSync: (fd: number, ...rest: [NodeJS.ArrayBufferView, number?]) => {
      watch.calls.push(`write ${names.get(fd)}`);
      return real.writeSync(fd, ...rest);
    },
    fsyncSync: (fd: number) => {
      watch.calls.push(`fsync ${names.get(fd)}`);
      real.fsyncSync(fd);
      if (watch.damage && names.get(fd) === 'temporary') real.writeSync(fd, 'x');
    },
    renameSync: (from: string, to: string) => {
      if (kind(to) === 'target') watch.beforeRename?.();
      watch.calls.push(`rename ${kind(from)} ${kind(to)}`);
      real.renameSync(from, to);
    },
  };
});

beforeEach(() => {
  watch.calls = [];
  watch.beforeRename = null;
  watch.damage = false;
});

describe('replacing a file', () => {
  const laid = (): string => {
    const file = join(temporaryDirectory(), 'SOUL.md');
    writeFileSync(file, 'before');
    return file;
  };

  it('brings the new bytes to the disk before the rename, and the rename after it', () => {
    replaceFile(laid(), Buffer.from('after'), { mode: 0o600 });
    expect(watch.calls).toEqual(['write temporary', 'fsync temporary', 'rename temporary target', 'fsync directory']);
  });

  it('never changes the file that is there: whoever has it open reads on in the old one', () => {
    const file = laid();
    const fd = openSync(file, 'r');
    replaceFile(file, Buffer.from('after'), { mode: 0o600 });
    expect(readFileSync(fd, 'utf8')).toBe('before');
    closeSync(fd);
    expect(readFileSync(file, 'utf8')).toBe('after');
  });

  it('reads back what it wrote, and says when that is something else', () => {
    watch.damage = true;
    expect(() => replaceFile(laid(), Buffer.from('after'), { mode: 0o600 })).toThrow(/does not read back/);
  });
});

it('at the moment of the rename the intent is committed and the prior bytes lie in the DB and as a plain file', async () => {
  const fixture = testContext();
  const id = await approved(fixture);
  let seen: unknown = null;
  watch.beforeRename = () => {
    // As another process sees it, or this one after its death.
    const other = openDatabase(fixture.ctx.paths.dbPath);
    seen = {
      file: readFileSync(fixture.target, 'utf8'),
      open: openFileOperations(other).map((operation) => operation.experimentId),
      kept: listSnapshots(other, id).map(({ kind, plainPath }) => [kind, readFileSync(plainPath ?? '', 'utf8')]),
    };
    other.close();
  };
  await applyExperiment(fixture.ctx, id);
  expect(seen).toEqual({
    file: DEFAULT_SOUL,
    open: [id],
    kept: [
      ['prior', DEFAULT_SOUL],
      ['applied', readFileSync(fixture.target, 'utf8')],
    ],
  });
});
