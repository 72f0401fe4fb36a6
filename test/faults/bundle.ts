import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'tsup';
import { PROJECT_DIR } from '../support/project.js';

/** Bundles the script of a child process once; started from sources, each of a thousand would compile them again. */
export async function bundleChild(entry: string): Promise<{ readonly script: string; remove(): void }> {
  const cache = join(PROJECT_DIR, '.cache');
  mkdirSync(cache, { recursive: true });
  const outDir = mkdtempSync(join(cache, 'child-'));
  await build({
    entry: { child: join(PROJECT_DIR, entry) },
    outDir,
    config: false,
    silent: true,
    format: ['esm'],
    target: 'node20',
    platform: 'node',
    splitting: true,
    dts: false,
    noExternal: [/^(?!better-sqlite3$).*/],
    external: ['better-sqlite3'],
    loader: { '.sql': 'text' },
    outExtension: () => ({ js: '.mjs' }),
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
  });
  return { script: join(outDir, 'child.mjs'), remove: () => rmSync(outDir, { recursive: true, force: true }) };
}
