import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
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

/** Acts in the middle of a write: right after the temporary file was opened, or before the rename. */
const fault = vi.hoisted((): { act: { at: 'open' | 'rename'; do: () => void } | null } => ({ act: null }));
vi.mock('node:fs', async (original) => {
  const real = await original<typeof fs>();
  let temporary = -1;
  const strike = (at: 'open' | 'rename') => {
    if (fault.act?.at !== at) return;
    const { do: act } = fault.act;
    fault.act = null;
    act();
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
  };
});

const APPLIED = `${DEFAULT_SOUL}${NEW_SENTENCE}\n`;
const THEIRS = 'Text of somebody else.\n';

let fixture: TestContext;
let text: string;
let outside: string;

/** The target is text/SOUL.md, reached by SOUL.md as a link: directory and link can both be swapped. */
beforeEach(() => {
  fault.act = null;
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
    fault.act = { at, do: act };
    await expect(applyExperiment(fixture.ctx, id)).rejects.toMatchObject({ code: 'conflict', exitCode: 3 });
    expect(fault.act).toBeNull();
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
    fault.act = { at: 'rename', do: swaps['its directory becomes a link out of the profile'] };
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
