import * as z from 'zod';

/** What crosses between the Hermes process and the worker: newline-delimited JSON-RPC 2.0. */

export const PROTOCOL = 1;

/** The worker was built from other sources than the plugin that starts it. */
export const STALE_BUILD = -32001;
/** A request before `initialize`. */
export const NOT_INITIALIZED = -32002;

export const initializeParams = z.object({
  protocol: z.int(),
  plugin_version: z.string(),
  build: z.string(),
  plugin_dir: z.string().min(1),
  root: z.string().min(1),
  home: z.string().min(1),
  profile: z.string().min(1),
  python: z.string().min(1),
  host_version: z.string().nullable(),
  /** The command line that starts Hermes; arguments follow. */
  hermes: z.array(z.string()),
  /** An agent's own shell started the command. */
  env_agent_shell: z.boolean(),
  platform: z.string().nullable(),
  in_gateway: z.boolean(),
  /** Set-up asks the worker to load its native module too, before it is switched to. */
  selfcheck: z.boolean().default(false),
});
export type InitializeParams = z.infer<typeof initializeParams>;

/** A command line whose code is worth loading now. */
export const preloadParams = z.object({ argv: z.array(z.string()) });
export const cliParams = z.object({ argv: z.array(z.string()), cwd: z.string().min(1) });
export const slashParams = z.object({ text: z.string() });

export const completionResult = z.object({
  text: z.string(),
  provider: z.string(),
  model: z.string(),
  usage: z.object({
    input_tokens: z.int().nullable(),
    output_tokens: z.int().nullable(),
    total_tokens: z.int().nullable(),
  }),
  cost_usd: z.number().nullable(),
});

/** Why the host refused or failed: `trust` = forbidden by the person's config, `limit` = the plan is used up. */
export const completionFailure = z.object({ kind: z.enum(['trust', 'limit', 'provider']), message: z.string() });
