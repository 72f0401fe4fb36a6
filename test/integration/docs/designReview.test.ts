import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..', '..', '..');
const rows = [
  ...readFileSync(join(root, 'docs/design-review.md'), 'utf8').matchAll(/`([^`]+\.test\.ts)` › (.+?) \|$/gm),
].map((row) => ({ file: row[1] ?? '', name: row[2] ?? '' }));

describe('docs/design-review.md', () => {
  it('answers 16 findings and 3 blockers', () => {
    expect(rows).toHaveLength(19);
  });

  it.each(rows)('$file has "$name"', ({ file, name }) => {
    expect(readFileSync(join(root, file), 'utf8')).toContain(name);
  });
});
