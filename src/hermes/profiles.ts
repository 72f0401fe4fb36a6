import { lstatSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { KarpathyError } from '../errors.js';
import { maskUserInfo } from '../problems.js';
import { readHostConfig } from './configYaml.js';
import { homeOfProfile, PLUGIN_NAME, profileHome, type ProfileHome } from './paths.js';

/** What the host accepts as the name of a profile. */
export const PROFILE_NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/;

/** The profiles of a root as the host lists them: `default` first, then the named ones in order. */
export function listProfiles(root: string): ProfileHome[] {
  const named = namesUnder(join(root, 'profiles')).filter((name) => name !== 'default' && PROFILE_NAME.test(name));
  return [...(isDirectory(root) ? ['default'] : []), ...named].map((name) => profileHome(homeOfProfile(root, name)));
}

function namesUnder(directory: string): string[] {
  try {
    return readdirSync(directory)
      .filter((name) => isDirectory(join(directory, name)))
      .sort();
  } catch {
    return [];
  }
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  } catch {
    // A link in a circle, or nothing that may be looked at.
    return false;
  }
}

/** @throws KarpathyError `unknown_profile` naming the profiles there are */
export function resolveProfile(root: string, name: string): ProfileHome {
  const home = homeOfProfile(root, name);
  if (name !== 'default' && !PROFILE_NAME.test(name)) {
    throw new KarpathyError('unknown_profile', `"${name}" cannot be the name of a profile.`, {
      hint: `A name is 1 to 64 lower-case letters, digits, dashes or underscores. ${knownProfiles(root)}`,
    });
  }
  if (!isDirectory(home)) {
    throw new KarpathyError('unknown_profile', `There is no profile "${name}" under ${root}.`, {
      hint: knownProfiles(root),
    });
  }
  return profileHome(home);
}

function knownProfiles(root: string): string {
  const names = listProfiles(root).map((profile) => profile.name);
  return names.length === 0
    ? `There is no Hermes home at ${root}: start Hermes once, or set HERMES_HOME.`
    : `There ${names.length === 1 ? 'is' : 'are'}: ${names.join(', ')}.`;
}

/** The model a profile's agent runs on, for display and identity; never a key. */
export interface AgentModel {
  readonly provider: string | null;
  readonly model: string | null;
  /** Without user name, password and query. */
  readonly baseUrl: string | null;
}

/** Reads `model:` of the profile's config.yaml: a mapping, or the model's name alone. @throws KarpathyError `bad_config` */
export function agentModel(home: string): AgentModel {
  const written = readHostConfig(home).data.model;
  if (typeof written === 'string') return { provider: null, model: textOrNull(written), baseUrl: null };
  const model = typeof written === 'object' && written !== null ? (written as Record<string, unknown>) : {};
  const baseUrl = textOrNull(model.base_url);
  return {
    provider: textOrNull(model.provider)?.toLowerCase() ?? null,
    model: textOrNull(model.default) ?? textOrNull(model.model) ?? textOrNull(model.name),
    baseUrl: baseUrl === null ? null : maskUserInfo(baseUrl).replace(/[?#].*$/, ''),
  };
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : null;
}

/**
 * Whether the agent's credentials work in a trial's own home, by what is known of the host's providers:
 * `works` (a key), `linked` (a login store that is linked with its lock), `unknown`, or `unusable` with the reason.
 */
export interface CredentialUse {
  readonly kind: 'works' | 'linked' | 'unusable' | 'unknown';
  readonly reason: string;
}

const CREDENTIALS: Readonly<Record<string, CredentialUse>> = {
  'openai-codex': { kind: 'linked', reason: "its login lies in the profile's auth.json" },
  'xai-oauth': { kind: 'linked', reason: "its login lies in the profile's auth.json" },
  nous: { kind: 'unknown', reason: 'its login may lie in a directory shared between profiles' },
  'minimax-oauth': { kind: 'unknown', reason: 'its login renews itself, and sharing it with a trial was not tried' },
  'qwen-oauth': {
    kind: 'unusable',
    reason: "its login lies in the person's home directory, which a trial does not see",
  },
  'copilot-acp': { kind: 'unusable', reason: 'it needs an external program that a trial does not start' },
  bedrock: {
    kind: 'unusable',
    reason: "its credentials lie in the person's home directory, which a trial does not see",
  },
};

export function credentialUse(provider: string | null): CredentialUse {
  const known = CREDENTIALS[provider ?? ''];
  if (known !== undefined) return known;
  if (provider?.includes('oauth'))
    return { kind: 'unknown', reason: 'its login renews itself, and sharing it with a trial was not tried' };
  return { kind: 'works', reason: 'it uses an API key' };
}

/** How this plugin stands in a home: linked or installed, and listed in `plugins.enabled`. */
export interface PluginPresence {
  readonly installed: boolean;
  /** Target of the link when the plugin is linked here; null for a clone or when absent. */
  readonly linkedTo: string | null;
  readonly enabled: boolean;
}

/** @throws KarpathyError `bad_config` */
export function pluginPresence(home: string): PluginPresence {
  const place = join(home, 'plugins', PLUGIN_NAME);
  const stat = lstatSync(place, { throwIfNoEntry: false });
  const plugins = readHostConfig(home).data.plugins;
  const lists = typeof plugins === 'object' && plugins !== null ? (plugins as Record<string, unknown>) : {};
  const has = (list: unknown): boolean => Array.isArray(list) && list.includes(PLUGIN_NAME);
  return {
    installed: isDirectory(place),
    linkedTo: stat?.isSymbolicLink() ? readlinkSync(place) : null,
    enabled: has(lists.enabled) && !has(lists.disabled),
  };
}
