import { readFileSync } from 'node:fs';
import { createWarmRunner } from '../../src/evaluation/warmRunner.js';
import type { TrialSpec } from '../../src/ports.js';

/** A process with a warm runner in it, to be killed: runs the one trial of the file it is given. */
const { options, spec } = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as {
  options: Omit<Parameters<typeof createWarmRunner>[0], 'log' | 'env'>;
  spec: TrialSpec;
};
const log = { debug() {}, info() {}, warn() {}, error() {} };
const runner = createWarmRunner({ ...options, env: process.env, log });
await runner.run({ ...spec, targetContent: Buffer.from('You are Bee.\n') }, new AbortController().signal);
