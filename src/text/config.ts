import type { ConfigLeaf } from '../services/configView.js';
import type { Look } from './look.js';
import { table } from './table.js';

/** Every setting with its source and value; `configFile`, the root's own, goes by its name. */
export function configText(look: Look, settings: readonly ConfigLeaf[], configFile: string): string {
  const rows = settings.map(({ path, value, source }) => [
    path,
    source === configFile ? 'config.yaml' : source,
    valueText(value),
  ]);
  const drawn = table(look, ['setting', 'from', 'value'], rows);
  return settings.some(({ source }) => source === configFile) ? `${drawn}\n\nconfig.yaml is ${configFile}` : drawn;
}

function valueText(value: unknown): string {
  if (value === null) return '–';
  if (typeof value === 'string') return value;
  return (typeof value === 'object' ? modelText(value) : null) ?? JSON.stringify(value);
}

/** A model as `init` takes it: `host`, `host#MODEL`, `URL#MODEL`, with the variable of its key. */
function modelText(value: object): string | null {
  const { host, base_url: url, model, api_key_env: key } = value as Record<string, unknown>;
  const place = typeof url === 'string' ? url : host === true ? 'host' : null;
  if (place === null) return null;
  return `${place}${typeof model === 'string' ? `#${model}` : ''}${typeof key === 'string' ? ` (key in ${key})` : ''}`;
}
