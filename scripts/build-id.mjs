// Writes dist/build.json: which sources this build was made from. host/runtime.py computes the same id from the
// sources that lie in the plugin directory, which is how a stale build is noticed.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

const isFile = (path) => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
const isSource = (name) => !name.startsWith('.') && !name.endsWith('.test.ts') && !name.endsWith('~');

function sourceFiles() {
  const single = ['package-lock.json', 'package.json', 'tsup.config.ts'].filter((name) => isFile(join(root, name)));
  const inTrees = ['migrations', 'src'].flatMap((tree) =>
    readdirSync(join(root, tree), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && isSource(entry.name))
      .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/')),
  );
  return [...single, ...inTrees].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

export function buildId() {
  const digest = createHash('sha256');
  for (const path of sourceFiles()) {
    const content = createHash('sha256')
      .update(readFileSync(join(root, path)))
      .digest('hex');
    digest.update(`${path}\n${content}\n`);
  }
  return digest.digest('hex').slice(0, 16);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const built = { build: buildId(), version, abi: process.versions.modules };
  writeFileSync(join(root, 'dist', 'build.json'), `${JSON.stringify(built)}\n`);
}
