#!/usr/bin/env node
/**
 * `npm run demo`: packages, build, a real Hermes, then the demo's story in demo/main.ts, with its arguments
 * (`npm run demo -- --help`).
 */
import { bootstrap, run, say, timed } from './bootstrap.mjs';

try {
  const args = process.argv.slice(2);
  const hermes = await timed('set-up (packages, build, Hermes)', bootstrap);
  await run(process.execPath, ['--import', 'tsx', 'demo/main.ts', ...args], {
    env: { ...process.env, KARPATHY_DEMO_HERMES: JSON.stringify(hermes) },
  });
} catch (error) {
  // The story says itself why it ended.
  if (error.exitCode === undefined) say(`demo: ${error.message}`);
  process.exitCode = error.exitCode ?? 1;
}
