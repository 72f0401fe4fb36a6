import { defineConfig } from 'tsup';

// Everything but the native module is bundled: a slash command then starts in a fraction of the time
// that resolving a hundred packages from node_modules takes.
export default defineConfig({
  entry: { index: 'src/index.ts', worker: 'src/bridge/worker.ts', cli: 'src/cli/bin.ts' },
  format: ['esm'],
  target: 'node20',
  platform: 'node',
  outDir: 'dist',
  clean: true,
  splitting: true,
  // Less to read at each start; names stay, so that a fault's trace can be read.
  minifyWhitespace: true,
  minifySyntax: true,
  sourcemap: false,
  // Declarations take most of a build and only the published package needs them: `npm run build:types`.
  dts: process.argv.includes('--dts-only') ? { entry: { index: 'src/index.ts' } } : false,
  noExternal: [/^(?!better-sqlite3$).*/],
  external: ['better-sqlite3'],
  loader: { '.sql': 'text' },
  outExtension: () => ({ js: '.mjs', dts: '.d.mts' }),
  // CommonJS packages inside an ES module bundle still call require for Node's own modules.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
});
