import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { stringify } from 'yaml';
import { ensureHermes, projectDir } from '../../scripts/bootstrap.mjs';
import { NO_SECRETS } from '../../src/domain/secrets.js';
import type { TrialRunnerOptions } from '../../src/evaluation/trialRunner.js';
import type { Logger, TrialSpec } from '../../src/ports.js';

export const SOUL = 'You are Bee, a careful helper.\n';
export const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** One real Hermes, one profile in a directory of its own, one model that answers after a fixed time. */
export interface Bench {
  readonly root: string;
  readonly home: string;
  readonly hermes: string;
  readonly version: string;
  readonly baseUrl: string;
  readonly latencyMs: number;
  readonly runner: TrialRunnerOptions;
  close(): Promise<void>;
}

export async function setUp(latencyMs: number): Promise<Bench> {
  const { hermes, python, version } = await ensureHermes();
  const root = mkdtempSync(join(tmpdir(), 'karpathy-bench-'));
  const server = execa(process.execPath, ['--import', 'tsx', 'bench/modelServer.ts', String(latencyMs)], {
    cwd: projectDir,
    reject: false,
  });
  const first = await new Promise<Buffer>((ready) => server.stdout.once('data', ready));
  const baseUrl = first.toString().trim();
  const home = join(root, 'profiles', 'dev');
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, 'SOUL.md'), SOUL);
  writeFileSync(join(home, 'config.yaml'), stringify({ model: modelAt(baseUrl) }));
  return {
    ...{ root, home, hermes, version, baseUrl, latencyMs },
    runner: {
      ...{ hermes: { command: [hermes], python }, pluginDir: projectDir, slotsDir: join(root, 'slots') },
      ...{ profileHome: home, profileName: 'dev', evalRunId: 1, prices: {}, scrub: NO_SECRETS, env: process.env },
    },
    async close() {
      server.kill();
      await server;
      rmSync(root, { recursive: true, force: true });
    },
  };
}

export function modelAt(baseUrl: string): Record<string, string> {
  return { provider: 'custom', default: 'sim', base_url: baseUrl, api_key: 'local' };
}

export function trial(index: number): TrialSpec {
  const spec = { input: 'Say hello.', checks: [{ must_contain: 'Hello' }] };
  return {
    evalRunId: 1,
    scenario: { id: 1, name: 'hello', split: 'train', group: 'hello', spec },
    ...{ arm: 'incumbent', epoch: index + 1, attempt: 1, slot: 1, policy: 'simulated' },
    ...{ targetContent: Buffer.from(SOUL), targetRelpath: 'SOUL.md' },
    ...{ maxTurns: 20, timeoutMs: 120_000, tokenLimit: null },
  };
}

export const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? 0;

export const seconds = (ms: number): string => (ms / 1000).toFixed(2);
export const megabytes = (bytes: number): string => (bytes / 1_000_000).toFixed(0);
