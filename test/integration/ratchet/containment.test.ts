import {
  existsSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import type * as fs from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { applyExperiment } from '#src/services/apply.js';
import { resolveConflict } from '#src/services/resolve.js';
import { revertExperiment } from '#src/services/revert.js';
import { getExperiment } from '#src/store/experiments.js';
import { DEFAULT_SOUL, temporaryDirectory, testContext, type TestContext } from '../../support/context.js';
import { approved, live, NEW_SENTENCE } from '../../support/experiments.js';

type Moment = 'open' | 'rename' | 'last moment' | 'renamed';
/**
 * Acts in the middle of a write: right after the temporary file was opened, before the file is looked at once more,
 * between that look and the rename, or after the rename.
 */
const fault = vi.hoisted((): { acts: { at: Moment; do: () => void }[] } => ({ acts: [] }));
vi.mock('node:fs', async (original) => {
  const real = await original<typeof fs>();
  let temporary = -1;
  const strike = (at: Moment) => {
    if (fault.acts[0]?.at === at) fault.acts.shift()?.do();
  };
  return {
    ...real,
    openSync: (...args: Parameters<typeof real.openSync>) => {
      const fd = real.openSync(...args);
      // The target's own; the snapshots are written before it.
      if (String(args[0]).includes('.SOUL.md.karpathy-')) {
        temporary = fd;
        strike('open');
      }
      return fd;
    },
    fsyncSync: (fd: number) => {
      real.fsyncSync(fd);
      if (fd === temporary) strike('rename');
    },
    renameSync: (from: string, to: string) => {
      const ours = from.includes('.SOUL.md.karpathy-');
      if (ours) strike('last moment');
      real.renameSync(from, to);
      if (ours) strike('renamed');
    },
  };
});

const APPLIED = `${DEFAULT_SOUL}${NEW_SENTENCE}\n`;
const THEIRS = 'Text of somebody else.\n';

let fixture: TestContext;
let text: string;
let outside: string;

/** The target is text/SOUL.md, reached by SOUL.md as a link: directory and link can both be swapped. */
beforeEach(() => {
  fault.acts = [];
  fixture = testContext();
  text = join(fixture.home, 'text');
  outside = temporaryDirectory();
  mkdirSync(text);
  renameSync(fixture.target, join(text, 'SOUL.md'));
  symlinkSync(join('text', 'SOUL.md'), fixture.target);
  writeFileSync(join(outside, 'SOUL.md'), DEFAULT_SOUL);
});

const swaps = {
  'its directory becomes a link out of the profile': () => {
    renameSync(text, `${text}.old`);
    symlinkSync(outside, text);
  },
  'its directory becomes another directory': () => {
    renameSync(text, `${text}.old`);
    mkdirSync(text);
    writeFileSync(join(text, 'SOUL.md'), THEIRS);
  },
  'its directory moves out of the profile': () => renameSync(text, join(outside, 'moved')),
  'a person saves the file': () => writeFileSync(join(text, 'SOUL.md'), THEIRS),
  'a person saves the file by a rename': () => {
    writeFileSync(join(text, 'new'), THEIRS);
    renameSync(join(text, 'new'), join(text, 'SOUL.md'));
  },
  'the file becomes a link out of the profile': () => {
    rmSync(join(text, 'SOUL.md'));
    symlinkSync(join(outside, 'SOUL.md'), join(text, 'SOUL.md'));
  },
  'the file becomes a directory': () => {
    rmSync(join(text, 'SOUL.md'));
    mkdirSync(join(text, 'SOUL.md'));
  },
} as const;
const cases = Object.entries(swaps).flatMap(([name, act]) =>
  (['open', 'rename'] as const).map((at) => [name, at, act] as const),
);

const leftovers = () =>
  [outside, join(outside, 'moved'), text, `${text}.old`]
    .filter((path) => existsSync(path))
    .flatMap((path) => readdirSync(path).filter((name) => name.includes('karpathy-')));

describe('swapped in the middle of a write', () => {
  it.each(cases)('%s (%s): nothing is written, neither there nor here', async (_, at, act) => {
    const id = await approved(fixture);
    fault.acts = [{ at, do: act }];
    await expect(applyExperiment(fixture.ctx, id)).rejects.toMatchObject({ code: 'conflict', exitCode: 3 });
    expect(fault.acts).toEqual([]);
    for (const place of [outside, join(outside, 'moved'), text, `${text}.old`]) {
      const file = join(place, 'SOUL.md');
      if (!existsSync(file) || readdirSync(place).length === 0) continue;
      try {
        expect(readFileSync(file, 'utf8')).not.toContain(NEW_SENTENCE);
      } catch (error) {
        if (!String(error).includes('EISDIR')) throw error;
      }
    }
    expect(leftovers()).toEqual([]);
    expect(getExperiment(fixture.db, id).state).toBe('approved');
  });

  it.each(['revert', 'restore'] as const)('a %s over a link out of the profile writes nothing there', async (kind) => {
    const id = await live(fixture);
    if (kind === 'restore') writeFileSync(join(text, 'SOUL.md'), THEIRS);
    fault.acts = [{ at: 'rename', do: swaps['its directory becomes a link out of the profile'] }];
    const work =
      kind === 'revert'
        ? revertExperiment(fixture.ctx, id, { reason: 'x' })
        : resolveConflict(fixture.ctx, id, { restore: true });
    await expect(work).rejects.toMatchObject({ code: 'conflict' });
    expect(readFileSync(join(outside, 'SOUL.md'), 'utf8')).toBe(DEFAULT_SOUL);
    expect(readFileSync(join(`${text}.old`, 'SOUL.md'), 'utf8')).toBe(kind === 'revert' ? APPLIED : THEIRS);
    expect(getExperiment(fixture.db, id).state).toBe('live');
  });

  it('a second hard link made after the approval is refused by name', async () => {
    const id = await approved(fixture);
    linkSync(join(text, 'SOUL.md'), join(outside, 'other'));
    await expect(applyExperiment(fixture.ctx, id)).rejects.toMatchObject({
      code: 'bad_target',
      message: /2 hard links/,
    });
    expect(readFileSync(join(outside, 'other'), 'utf8')).toBe(DEFAULT_SOUL);
  });
});

describe('a person who saves in the instant of the rename', () => {
  let fd = -1;
  const file = () => join(text, 'SOUL.md');
  const saves: Readonly<Record<string, () => typeof fault.acts>> = {
    'in place': () => [{ at: 'last moment', do: () => writeFileSync(file(), THEIRS) }],
    'in place, the file emptied before and written after it': () => [
      { at: 'last moment', do: () => void (fd = openSync(file(), 'w')) },
      { at: 'renamed', do: () => writeSync(fd, THEIRS) },
    ],
    'in place, with the file open since before': () => [
      { at: 'open', do: () => void (fd = openSync(file(), 'r+')) },
      { at: 'renamed', do: () => void (ftruncateSync(fd), writeSync(fd, THEIRS)) },
    ],
    'right after it': () => [{ at: 'renamed', do: () => writeFileSync(file(), THEIRS) }],
    'right after it, by a rename of their own': () => [
      { at: 'renamed', do: swaps['a person saves the file by a rename'] },
    ],
  };

  it.each(Object.entries(saves))('%s: their text stands, and it is a conflict', async (_, acts) => {
    const id = await approved(fixture);
    fault.acts = acts();
    await expect(applyExperiment(fixture.ctx, id)).rejects.toMatchObject({ code: 'conflict' });
    expect(fault.acts).toEqual([]);
    expect(readFileSync(file(), 'utf8')).toBe(THEIRS);
    expect(readdirSync(text)).toEqual(['SOUL.md']);
    expect(getExperiment(fixture.db, id)).toMatchObject({ state: 'approved', manualConflictDetected: true });
  });
});
