import { maskUserInfo } from '../problems.js';
import type { Context } from './context.js';

/** One leaf of the configuration as it counts for this profile. */
export interface ConfigLeaf {
  /** For example `gate.alpha`. */
  readonly path: string;
  readonly value: unknown;
  /** `default`, `init`, the path of a config.yaml, or the name of an environment variable. */
  readonly source: string;
}

/** Every leaf with its value and where it came from. Keys of models are never stored, so none can be shown. */
export function configView(ctx: Pick<Context, 'config' | 'paths'>): ConfigLeaf[] {
  const { config, sources } = ctx.config;
  return [...sources].map(([path, source]) => {
    const value = path.split('.').reduce<unknown>((node, key) => (node as Record<string, unknown>)[key], config);
    // The place that is used, whether or not somebody chose it.
    return { path, value: path === 'db_path' ? ctx.paths.dbPath : withoutPasswords(value), source };
  });
}

function withoutPasswords(value: unknown): unknown {
  if (typeof value === 'string') return maskUserInfo(value);
  if (Array.isArray(value)) return value.map(withoutPasswords);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withoutPasswords(inner)]));
}
