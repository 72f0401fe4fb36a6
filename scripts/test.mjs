#!/usr/bin/env node
/**
 * `npm test`: packages, build, a real Hermes, the checks, then every test. Arguments go to vitest and skip the
 * checks: `npm test -- --project unit`, `npm test -- test/host/install.test.ts`.
 */
import { bootstrap, run, say, timed } from './bootstrap.mjs';

const start = performance.now();
const args = process.argv.slice(2);
try {
  await bootstrap();
  if (args.length === 0) {
    await timed('npm run check (types, lint, format)', () => run('npm', ['run', '--silent', 'check']));
  }
  await timed(`vitest ${args.join(' ')}`.trim(), () => run('npx', ['--no-install', 'vitest', 'run', ...args]));
  say(`npm test: all passed in ${((performance.now() - start) / 1000).toFixed(0)} s`);
} catch (error) {
  say(`npm test: ${error.message}`);
  process.exitCode = error.exitCode ?? 1;
}
