import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectDir } from '../scripts/bootstrap.mjs';

/** Replaces one benchmark's part of docs/performance.md, between its two marks, whatever else stands there. */
export function writeSection(name: string, { title, text }: { title: string; text: string }): void {
  const path = join(projectDir, 'docs', 'performance.md');
  const before = existsSync(path) ? readFileSync(path, 'utf8') : '# Performance\n';
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const section = `${open}\n${text}\n${close}`;
  const [from, to] = [before.indexOf(open), before.indexOf(close)];
  const after =
    from < 0 || to < from
      ? `${before.trimEnd()}\n\n## ${title}\n\n${section}\n`
      : before.slice(0, from) + section + before.slice(to + close.length);
  writeFileSync(path, after);
}
