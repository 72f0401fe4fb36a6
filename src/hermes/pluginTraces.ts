import { lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CONFIG_PATH } from '../config.js';
import { toKarpathyError } from '../errors.js';
import { configFileOf, readHostConfig } from './configYaml.js';
import { PLUGIN_NAME, type ProfileHome } from './paths.js';

/** What the plugin left in one home by being installed there. */
export interface PluginTraces {
  readonly profile: string;
  readonly home: string;
  readonly configFile: string;
  /** Keys of config.yaml that name the plugin: `plugins.enabled`. */
  readonly entries: readonly string[];
  /** Our own section, which a person wrote. */
  readonly section: boolean;
  readonly link: string | null;
  /** A copy of its own, as `hermes plugins install` makes it. */
  readonly directory: string | null;
  /** What is there and can't be told to be ours, with why. */
  readonly unclear: readonly { readonly what: string; readonly why: string }[];
}

/** Never throws for what it finds: that is what has to be looked at by hand. */
export function pluginTraces({ name: profile, home }: ProfileHome): PluginTraces {
  const place = join(home, 'plugins', PLUGIN_NAME);
  const stat = lstatSync(place, { throwIfNoEntry: false });
  const ours = stat?.isDirectory() === true && isOurs(place);
  const config = configTraces(home);
  const strange = stat !== undefined && !stat.isSymbolicLink() && !ours;
  return {
    profile,
    home,
    configFile: configFileOf(home),
    entries: config.entries,
    section: config.section,
    link: stat?.isSymbolicLink() === true ? place : null,
    directory: ours ? place : null,
    unclear: [
      ...(strange ? [{ what: place, why: 'it has no plugin.yaml of this plugin' }] : []),
      ...(config.fault === null ? [] : [{ what: configFileOf(home), why: config.fault }]),
    ],
  };
}

function isOurs(directory: string): boolean {
  try {
    const manifest = readFileSync(join(directory, 'plugin.yaml'), 'utf8');
    return new RegExp(`^name:\\s*['"]?${PLUGIN_NAME}['"]?\\s*$`, 'm').test(manifest);
  } catch {
    return false;
  }
}

function configTraces(home: string): { entries: string[]; section: boolean; fault: string | null } {
  try {
    const { plugins } = readHostConfig(home).data;
    const of = mapping(plugins);
    const lists = ['enabled', 'disabled'].filter((key) => {
      const names = of[key];
      return Array.isArray(names) && names.includes(PLUGIN_NAME);
    });
    const grants = Object.hasOwn(mapping(of.entries), PLUGIN_NAME) ? [`plugins.entries.${PLUGIN_NAME}`] : [];
    const section = Object.hasOwn(of, CONFIG_PATH.split('.')[1] ?? '');
    return { entries: [...lists.map((key) => `plugins.${key}`), ...grants], section, fault: null };
  } catch (error) {
    return { entries: [], section: false, fault: toKarpathyError(error).message };
  }
}

function mapping(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}
