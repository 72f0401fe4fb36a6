import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { laySlot, type SlotSource } from '#src/evaluation/slot.js';
import { frozenDir, slotTemplate, type Laid } from '#src/evaluation/slotTemplate.js';
import { temporaryDirectory } from '#test/support/context.js';

const spec = { input: 'Go.', checks: [{ must_contain: 'x' }], files: { 'in.txt': 'input' } };
const trial = {
  targetRelpath: 'SOUL.md',
  targetContent: Buffer.from('You are Bee.\n'),
  ...{ spec, realToolsets: [], tokenLimit: null },
  policy: 'simulated' as const,
};

let root: string;
let source: SlotSource;
beforeEach(() => {
  root = temporaryDirectory('karpathy-template-');
  const profileHome = join(root, 'profiles', 'dev');
  source = {
    ...{ slotsDir: join(root, 'slots'), pluginDir: process.cwd(), profileHome, profileName: 'dev', evalRunId: 1 },
    ...{ env: {}, facts: { version: '1', authType: null, keyEnv: [] } },
  };
  write('config.yaml', 'model: {provider: custom, default: one}\n');
  write('skills/a/SKILL.md', 'skill a');
  write('skills/b/SKILL.md', 'skill b');
  write('memories/MEMORY.md', 'remembered');
});

function write(path: string, text: string): void {
  const file = join(source.profileHome, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

function lay(laid?: Laid) {
  return laySlot({ source, template: slotTemplate(source) }, 1, { trial, ...(laid === undefined ? {} : { laid }) });
}

/** Path, mode and content of everything below a directory but the moment it was laid at. */
function tree(dir: string): string[] {
  return (readdirSync(dir, { recursive: true }) as string[])
    .filter((path) => !path.endsWith('.update_check'))
    .map((path) => [path, statSync(join(dir, path))] as const)
    .map(([path, stat]) => `${path} ${stat.mode} ${stat.isFile() ? readFileSync(join(dir, path), 'utf8') : ''}`)
    .sort();
}

describe('a slot that is laid again', () => {
  it('is what it was, whatever the trial did, and keeps the files that nobody touched', () => {
    const { paths, laid } = lay();
    const [before, template] = [tree(paths.root), tree(frozenDir(source))];
    const inode = (path: string) => statSync(join(paths.home, path)).ino;
    const untouched = inode('skills/b/SKILL.md');
    const skill = join(paths.home, 'skills/a/SKILL.md');
    const { atime, mtime } = statSync(skill);
    writeFileSync(skill, 'SKILL A'); // as long as before, and as old
    utimesSync(skill, atime, mtime);
    chmodSync(join(paths.home, 'config.yaml'), 0o666);
    rmSync(join(paths.home, 'memories'), { recursive: true });
    symlinkSync(source.profileHome, join(paths.home, 'memories'));
    writeFileSync(join(paths.home, 'skills', 'new.md'), 'left');
    writeFileSync(join(paths.home, 'state.db'), 'left');
    writeFileSync(join(paths.work, 'left.txt'), 'left');
    writeFileSync(join(paths.root, 'profiles', 'left'), 'left');
    const again = lay(laid);
    expect(tree(paths.root)).toEqual(before);
    expect(inode('skills/b/SKILL.md')).toBe(untouched);
    expect(readFileSync(join(source.profileHome, 'memories', 'MEMORY.md'), 'utf8')).toBe('remembered');
    lay(again.laid);
    expect(tree(paths.root)).toEqual(before);
    expect(tree(frozenDir(source))).toEqual(template);
  });

  it('is laid from nothing when its home was exchanged for a link', () => {
    const { paths, laid } = lay();
    const before = tree(paths.root);
    renameSync(join(paths.root, 'profiles'), join(root, 'moved'));
    symlinkSync(join(root, 'moved'), join(paths.root, 'profiles'));
    writeFileSync(join(root, 'moved', 'dev', 'mine'), 'mine');
    lay(laid);
    expect(tree(paths.root)).toEqual(before);
    expect(existsSync(join(root, 'moved', 'dev', 'mine'))).toBe(true);
  });
});

describe('the template', () => {
  it('is the profile as it was when the run began, for as long as the run lasts', () => {
    const { paths, laid } = lay();
    const before = tree(paths.root);
    write('config.yaml', 'model: {provider: custom, default: two}\n');
    write('skills/a/SKILL.md', 'rewritten');
    write('memories/USER.md', 'new');
    expect(tree(lay(laid).paths.root)).toEqual(before);
    expect(tree(lay().paths.root)).toEqual(before); // as a worker that goes on with the run
    source = { ...source, evalRunId: 2 };
    const next = lay().paths.home;
    expect(readFileSync(join(next, 'config.yaml'), 'utf8')).toContain('two');
    expect(readFileSync(join(next, 'skills/a/SKILL.md'), 'utf8')).toBe('rewritten');
  });

  it('leaves out links to nowhere and what is no file, and takes what a link leads to', () => {
    symlinkSync(join(root, 'nowhere'), join(source.profileHome, 'skills', 'dead'));
    writeFileSync(join(root, 'shared.md'), 'shared');
    symlinkSync(join(root, 'shared.md'), join(source.profileHome, 'skills', 'shared.md'));
    const { home } = slotTemplate(source);
    expect(readdirSync(join(home, 'skills')).sort()).toEqual(['a', 'b', 'shared.md']);
    writeFileSync(join(root, 'shared.md'), 'changed');
    expect(readFileSync(join(home, 'skills', 'shared.md'), 'utf8')).toBe('shared');
  });
});
