import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { KarpathyError } from '../errors.js';

/**
 * The configuration of a slot is an allow-list: what shapes the agent's answers is taken over from the profile,
 * everything that could act elsewhere or contact someone is left out or turned off.
 */

type Section = Readonly<Record<string, unknown>>;

export interface SlotConfig {
  /** The content of the slot's config.yaml. */
  readonly config: Record<string, unknown>;
  readonly provider: string;
  /** Variables of the profile's .env that the model's entry refers to. */
  readonly keyNames: readonly string[];
  /** What differs from the live agent, in words, for preflight and the fingerprint. */
  readonly differences: readonly string[];
}

export const SLOT_GUARD_NAME = 'karpathy-slot-guard';

/** Taken over whole: they are part of the prompt or of how the loop reads and shortens text. */
const WHOLE = [
  'toolsets',
  'context_file_max_chars',
  'file_read_max_chars',
  'tool_output',
  'tool_loop_guardrails',
  'compression',
  'context',
  'prompt_caching',
  'openrouter',
  'provider_routing',
  'timezone',
  'platform_hints',
  'personalities',
] as const;

/** Taken over key by key. */
const PARTS: Readonly<Record<string, readonly string[]>> = {
  agent: [
    'disabled_toolsets',
    'tool_use_enforcement',
    'intent_ack_continuation',
    'task_completion_guidance',
    'parallel_tool_call_guidance',
    'environment_probe',
    'environment_hint',
    'coding_context',
    'coding_instructions',
    'verify_guidance',
    'max_verify_nudges',
    'verify_on_stop',
    'image_input_mode',
    'reasoning_effort',
    'reasoning_overrides',
    'service_tier',
    'api_max_retries',
    'system_prompt',
    'personalities',
  ],
  platform_toolsets: ['cli'],
  memory: ['memory_enabled', 'user_profile_enabled', 'memory_char_limit', 'user_char_limit'],
  skills: ['template_vars'],
  display: ['personality', 'language'],
  tools: ['tool_search'],
  code_execution: ['mode'],
  web: ['backend', 'search_backend', 'extract_backend'],
  network: ['force_ipv4'],
  security: ['redact_secrets'],
};

/** Parts of the host that no turn uses and that take a tenth of a second to load. */
const DASHBOARD_LOGINS = ['basic', 'drain', 'nous', 'self_hosted'].map((name) => `dashboard_auth/${name}`);

/** Written over whatever the profile says. */
const FORCED: Readonly<Record<string, Section>> = {
  terminal: { backend: 'local' },
  memory: { provider: '', nudge_interval: 0 },
  skills: { external_dirs: [], inline_shell: false, creation_nudge_interval: 0 },
  security: { tirith_enabled: false, allow_lazy_installs: false },
  approvals: { mode: 'manual', timeout: 1, cron_mode: 'deny' },
  model_catalog: { enabled: false },
  lsp: { enabled: false },
  curator: { enabled: false },
  checkpoints: { enabled: false },
  mcp: { auto_reload_on_config_change: false },
  kanban: { dispatch_in_gateway: false },
  plugins: { enabled: [SLOT_GUARD_NAME], disabled: DASHBOARD_LOGINS },
};

/** Reads the profile's config.yaml. @throws KarpathyError `bad_config` when it is not YAML */
export function readSlotConfig(profileHome: string): SlotConfig {
  const path = join(profileHome, 'config.yaml');
  if (!existsSync(path)) return slotConfig(null);
  try {
    return slotConfig(parse(readFileSync(path, 'utf8')));
  } catch (error) {
    throw new KarpathyError('bad_config', `The profile's ${path} can't be read as YAML.`, { cause: error });
  }
}

/** @param written the profile's config.yaml, parsed; null when it has none */
export function slotConfig(written: unknown): SlotConfig {
  const profile = section(written);
  const config: Record<string, unknown> = {};
  for (const key of WHOLE) if (profile[key] !== undefined) config[key] = profile[key];
  for (const [key, allowed] of Object.entries(PARTS)) {
    const kept = pick(section(profile[key]), allowed);
    if (Object.keys(kept).length > 0) config[key] = kept;
  }
  const { provider, entries } = modelEntries(profile);
  Object.assign(config, entries);
  for (const [key, forced] of Object.entries(FORCED)) config[key] = { ...section(config[key]), ...forced };
  config.fallback_providers = [];
  return { config, provider, keyNames: referencedVariables(entries), differences: differences(profile) };
}

/** The model with its endpoint and key, and only the custom provider that it names. */
function modelEntries(profile: Section): { provider: string; entries: Record<string, unknown> } {
  const model: Record<string, unknown> =
    typeof profile.model === 'string' ? { default: profile.model } : { ...section(profile.model) };
  delete model.fallback;
  delete model.fallback_providers;
  const provider = typeof model.provider === 'string' ? model.provider : 'auto';
  const entries: Record<string, unknown> = { model };
  const name = provider.replace(/^custom:/, '');
  const providers = pick(section(profile.providers), [name, provider]);
  if (Object.keys(providers).length > 0) entries.providers = providers;
  const custom = (Array.isArray(profile.custom_providers) ? profile.custom_providers : []).filter((entry) => {
    const { name: own, base_url: url } = section(entry);
    return own === name || (url !== undefined && url === model.base_url);
  });
  if (custom.length > 0) entries.custom_providers = custom;
  return { provider, entries };
}

/** Names in `${NAME}` and in `key_env` / `api_key_env`. */
function referencedVariables(value: unknown): string[] {
  const names = new Set<string>();
  const visit = (node: unknown, key: string): void => {
    if (typeof node === 'string') {
      for (const match of node.matchAll(/\$\{([A-Za-z_][A-Za-z0-9_]*)/g)) names.add(match[1] ?? '');
      if (/^(key_?env|api_?key_?env)$/i.test(key)) names.add(node);
    } else if (Array.isArray(node)) node.forEach((inner) => visit(inner, key));
    else if (node !== null && typeof node === 'object') {
      for (const [inner, child] of Object.entries(node)) visit(child, inner);
    }
  };
  visit(value, '');
  return [...names].filter((name) => name !== '');
}

function differences(profile: Section): string[] {
  const found: string[] = [];
  const servers = Object.keys(section(profile.mcp_servers));
  if (servers.length > 0) found.push(`MCP servers are off: ${servers.join(', ')}`);
  const plugins = section(profile.plugins).enabled;
  if (Array.isArray(plugins) && plugins.length > 0) found.push(`plugins are off: ${plugins.join(', ')}`);
  const memory = section(profile.memory).provider;
  if (typeof memory === 'string' && memory !== '') found.push(`external memory ${memory} is off`);
  const external = section(profile.skills).external_dirs;
  if (Array.isArray(external) && external.length > 0) found.push('external skill directories are not copied');
  const backend = section(profile.terminal).backend;
  if (typeof backend === 'string' && backend !== 'local')
    found.push(`terminal backend ${backend} is replaced by local`);
  const fallbacks = profile.fallback_providers ?? section(profile.model).fallback_providers;
  if (Array.isArray(fallbacks) && fallbacks.length > 0) found.push('fallback models are off');
  return found;
}

function pick(from: Section, keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(keys.filter((key) => from[key] !== undefined).map((key) => [key, from[key]]));
}

function section(value: unknown): Section {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Section) : {};
}
