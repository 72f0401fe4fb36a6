import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const project = join(import.meta.dirname, '..', '..', '..');
const page = readFileSync(join(project, 'docs', 'dependencies.md'), 'utf8');
const manifest = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as {
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
};

/** Package names in the first column of the npm tables. */
function namedPackages(): string[] {
  const npm = page.slice(0, page.indexOf('## Outside npm'));
  const cells = npm.split('\n').flatMap((line) => /^\| (`.*?) \|/.exec(line)?.[1] ?? []);
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? ''));
}

it('names every dependency of package.json, with a reason, and no other', () => {
  const installed = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.devDependencies)];
  expect(namedPackages().sort()).toEqual(installed.sort());
});

it('names the Hermes that the tests pin', () => {
  const pinned = /^hermes-agent==(.+)$/m.exec(
    readFileSync(join(project, 'test', 'host', 'requirements.txt'), 'utf8'),
  )?.[1];
  expect(page).toContain(`\`hermes-agent\` ${pinned}`);
});
