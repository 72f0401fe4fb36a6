import { join } from 'node:path';
import { execa } from 'execa';
import * as z from 'zod';
import { KarpathyError } from '../errors.js';
import type { HermesCommand } from '../ports.js';

/** What the installed Hermes says about itself and the profile's provider. */
export interface HostFacts {
  readonly version: string;
  /** `api_key`, an `oauth_...` kind, or null for a provider the host's registry doesn't list. */
  readonly authType: string | null;
  /** Environment variables that hold the provider's key or endpoint. */
  readonly keyEnv: readonly string[];
}

export interface AskHost {
  readonly hermes: HermesCommand;
  readonly pluginDir: string;
  readonly env: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

const factsSchema = z.object({ version: z.string(), auth_type: z.string().nullable(), key_env: z.array(z.string()) });
const containerSchema = z.object({ base_url: z.string(), code: z.array(z.string()) });
const guardSchema = z.object({ tool_execution: z.boolean(), llm_execution: z.boolean() });

/** Providers that are not in the host's registry and the variables it reads for them. */
const UNLISTED: Readonly<Record<string, readonly string[]>> = {
  openrouter: ['OPENROUTER_API_KEY', 'OPENROUTER_BASE_URL', 'OPENAI_API_KEY'],
  auto: ['OPENROUTER_API_KEY', 'OPENAI_API_KEY', 'OPENAI_BASE_URL', 'ANTHROPIC_API_KEY', 'ANTHROPIC_TOKEN'],
};

/** @throws KarpathyError `host_failed` */
export async function askHostFacts(provider: string, ask: AskHost): Promise<HostFacts> {
  const facts = factsSchema.parse(await askHost(['facts', provider], ask));
  return {
    version: facts.version,
    authType: facts.auth_type,
    keyEnv: [...facts.key_env, ...(UNLISTED[provider] ?? [])],
  };
}

/**
 * What a container must be given: `base_url` the model's calls go to, and the directories of the host's programs.
 * @throws KarpathyError `host_failed`
 */
export async function askContainerFacts(ask: AskHost): Promise<z.infer<typeof containerSchema>> {
  return containerSchema.parse(await askHost(['container'], ask));
}

/**
 * Makes sure that the host loads the slot's guard before anything is run in the slot: a trial without it would run
 * the model's commands for real.
 * @throws KarpathyError `host_failed`
 */
export async function assertGuardLoads(ask: AskHost): Promise<void> {
  assertGuard(await askHost(['guard'], ask));
}

/** @param answer what slot_facts.py says to `guard` @throws KarpathyError `host_failed` */
export function assertGuard(answer: unknown): void {
  const guard = guardSchema.parse(answer);
  if (guard.tool_execution && guard.llm_execution) return;
  throw new KarpathyError('host_failed', 'The installed Hermes did not load the slot guard; no trial was started.', {
    hint: 'Trials need Hermes 0.19 or newer with plugin middleware; `karpathy doctor` checks it.',
  });
}

async function askHost(args: readonly string[], ask: AskHost): Promise<unknown> {
  const script = join(ask.pluginDir, 'host', 'slot_facts.py');
  const result = await execa(ask.hermes.python, ['-P', script, ...args], {
    env: ask.env,
    extendEnv: false,
    stdin: 'ignore',
    timeout: 60_000,
    reject: false,
    ...(ask.signal === undefined ? {} : { cancelSignal: ask.signal }),
  });
  if (ask.signal?.aborted) throw new KarpathyError('interrupted', 'Interrupted.');
  const { stdout, exitCode = null, stderr, shortMessage } = result;
  return readAnswer({ stdout, exitCode, problem: stderr.slice(-400) || (shortMessage ?? '') });
}

/** The JSON in the last line of what slot_facts.py printed. @throws KarpathyError `host_failed` */
export function readAnswer(said: { stdout: string; exitCode: number | null; problem: string }): unknown {
  try {
    if (said.exitCode !== 0) throw new Error(said.problem);
    return JSON.parse(said.stdout.trim().split('\n').at(-1) ?? '');
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new KarpathyError('host_failed', `The installed Hermes could not be asked about itself: ${message}`, {
      cause: error,
      hint: '`karpathy doctor` checks the installation.',
    });
  }
}
