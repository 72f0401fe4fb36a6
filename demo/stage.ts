import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHermesRoot, runHermes, type HermesRoot, type RunResult } from '../test/support/hermesHost.js';
import { cloneWorkingTree, restoreRuntime, saveRuntime, type HermesInstall } from '../test/support/hermesInstall.js';
import {
  simulatedModel,
  simulatedProposer,
  startModelServer,
  type ModelServer,
} from '../test/support/modelServer/index.js';
import type { Narrator } from './narrator.js';
import type { DemoOptions } from './options.js';

/** The temporary Hermes root with its model, and how commands are run in it. */
export interface Stage {
  readonly root: HermesRoot;
  readonly soulPath: string;
  /** Null with a real model. */
  readonly server: ModelServer | null;
  /** Runs `hermes ARGS`, shown with its answer. @throws when the exit code is none of `accept` (default 0) */
  hermes(args: readonly string[], options?: { accept?: readonly number[] }): Promise<RunResult>;
  /** Runs `hermes karpathy --json ARGS` unseen; its document. */
  facts(args: readonly string[]): Promise<unknown>;
  close(): Promise<void>;
}

export const PROPOSER = 'sim-proposer';
export const AGENT = 'sim-agent';

export interface StageOptions {
  readonly options: DemoOptions;
  readonly hermes: Pick<HermesInstall, 'hermes' | 'python' | 'version'>;
  readonly narrator: Narrator;
  readonly signal: AbortSignal;
}

/** Starts the model server, makes the Hermes root and a git repository to install the plugin from. */
export async function openStage({ options, hermes, narrator, signal }: StageOptions): Promise<Stage> {
  const dir = mkdtempSync(join(tmpdir(), 'karpathy-demo-'));
  const repo = join(dir, 'plugin-repository');
  mkdirSync(repo);
  await cloneWorkingTree(repo);
  const server = options.real
    ? null
    : await startModelServer({
        models: { [AGENT]: simulatedModel({ seed: options.seed }), [PROPOSER]: simulatedProposer() },
      });
  const model = options.real ?? { baseUrl: server?.baseUrl ?? '', model: AGENT };
  const root = createHermesRoot({
    dir,
    install: { ...hermes, repo, root: join(dir, 'hermes'), failure: null, dir },
    model: { ...model, ...(options.real && process.env.OPENAI_API_KEY && { apiKey: process.env.OPENAI_API_KEY }) },
    soul: readFileSync(join(import.meta.dirname, 'SOUL.md'), 'utf8'),
    config: { platform_toolsets: { cli: ['todo'] }, plugins: { karpathy_self_improve: pluginConfig(options, model) } },
  });
  const limits = { timeoutMs: options.limitSeconds * 1000, signal };
  return {
    root,
    server,
    soulPath: join(root.home, 'SOUL.md'),
    hermes: async (args, { accept = [0] } = {}) => {
      narrator.command(`hermes ${args.map(quote).join(' ')}`);
      // Progress and errors come on stderr; the host's own lines there say nothing about the story.
      const onProgress = args[0] === 'karpathy' ? (line: string) => narrator.output(line) : undefined;
      const result = await runHermes(root, args, { ...limits, ...(onProgress && { onProgress }) });
      signal.throwIfAborted();
      narrator.output(result.stdout);
      if (!accept.includes(result.exitCode) && !onProgress) narrator.output(result.stderr);
      if (accept.includes(result.exitCode)) return result;
      throw new Error(`hermes ${args.map(quote).join(' ')} ended with exit code ${result.exitCode}.`);
    },
    facts: async (args) => {
      const result = await runHermes(root, ['karpathy', '--json', ...args], limits);
      signal.throwIfAborted();
      if (result.exitCode === 0) return JSON.parse(result.stdout) as unknown;
      throw new Error(`hermes karpathy --json ${args.join(' ')} ended with ${result.exitCode}: ${result.stderr}`);
    },
    close: async () => server?.close(),
  };
}

/** Small numbers, so that the story fits into minutes. */
function pluginConfig(options: DemoOptions, model: { baseUrl: string; model: string }): Record<string, unknown> {
  const key = options.real && process.env.OPENAI_API_KEY ? { api_key_env: 'OPENAI_API_KEY' } : {};
  return {
    models: { proposer: { base_url: model.baseUrl, model: options.real ? model.model : PROPOSER, ...key } },
    budget: { tokens: 20_000_000 },
    // One epoch proves the effects of the demonstration, which are large, and hardly any other.
    gate: { epochs: 1, min_power: 0 },
    live: { sessions: 3, epochs: 1 },
    approvals: { allow_noninteractive: true },
  };
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** The real `hermes plugins install` and `hermes karpathy setup`; a runtime of the same build is taken from .cache. */
export async function installOn(stage: Stage, narrator: Narrator): Promise<void> {
  await stage.hermes(['plugins', 'install', `file://${stage.root.install.repo}`, '--enable']);
  if (restoreRuntime(stage.root.home))
    narrator.say('(setup finds the runtime of this very build, kept in .cache from an earlier run.)');
  await stage.hermes(['karpathy', 'setup']);
  saveRuntime(stage.root.home);
}

export function fileHash(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}
