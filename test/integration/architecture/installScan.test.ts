import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PROJECT_DIR } from '#test/support/project.js';

/**
 * Newer hosts scan a plugin at its installation and refuse or question what looks dangerous, tests and documents
 * included. The phrases are put together here, so that this file is not one of the finds.
 */
const SUSPICIOUS: Readonly<Record<string, RegExp>> = {
  'a process started by its module name': new RegExp(['child_process', 'spawn\\s*\\('].join('\\.')),
  'evaluated text': new RegExp(`\\b${'ev'}al\\s*\\(\\s*["'\`]`),
  'a superuser command': new RegExp(`\\b${'su'}do\\b`),
  'a download piped into a shell': new RegExp(`${'cu'}rl[^\\n|]*\\|\\s*(ba)?sh\\b`),
  'three levels up': new RegExp(['\\.\\.', '\\.\\.', '\\.\\.'].join('/')),
  'the process file system': new RegExp(['', 'proc', 'self'].join('/')),
  'a port open to the world': new RegExp(['0', '0', '0', '0'].join('\\.') + ':\\d'),
  'an injected instruction': new RegExp(['ignore', '(all )?(previous|prior)', 'instructions'].join(' '), 'i'),
  'a prompt override': new RegExp(['system', 'prompt', 'override'].join(' '), 'i'),
  'a made-up key': new RegExp(`\\b${'sk'}-[A-Za-z0-9]{16,}`),
};

const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
  cwd: PROJECT_DIR,
  encoding: 'utf8',
})
  .split('\0')
  .filter((file) => file !== '' && !file.endsWith('package-lock.json'))
  .filter((file) => statSync(join(PROJECT_DIR, file), { throwIfNoEntry: false })?.isFile());

describe('the install scanner of newer hosts', () => {
  it.each(Object.entries(SUSPICIOUS))('finds no %s', (_, pattern) => {
    const found = files.filter((file) => pattern.test(readFileSync(join(PROJECT_DIR, file), 'utf8')));
    expect(found).toEqual([]);
  });

  it('finds no file over 1 MB and no more than 10 MB in all', () => {
    const sizes = files.map((file) => statSync(join(PROJECT_DIR, file)).size);
    expect(Math.max(...sizes)).toBeLessThan(1_000_000);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(10_000_000);
  });
});
