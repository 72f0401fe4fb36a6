import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { PROJECT_DIR } from '#test/support/project.js';
import { endWorker } from './bridge.js';
import { CORPUS, corpusSize, corpusTable } from './corpus.js';
import { end } from './world.js';

afterAll(end);
afterAll(endWorker);

/** Some things can be arranged by root only. */
const isRoot = process.getuid?.() === 0;

describe.each(CORPUS)('$kind', (kind) => {
  for (const bad of kind.cases) it.skipIf('asRoot' in bad && !isRoot)(bad.name, () => kind.check(bad));
});

describe('the corpus', () => {
  it('has at least 200 cases, each of its own name', () => {
    expect(corpusSize()).toBeGreaterThanOrEqual(200);
    for (const { cases } of CORPUS) {
      const names = cases.map(({ name }) => name);
      expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
    }
  });

  it('is what docs/bad-inputs.md says', () => {
    expect(readFileSync(join(PROJECT_DIR, 'docs', 'bad-inputs.md'), 'utf8')).toContain(corpusTable());
  });
});
