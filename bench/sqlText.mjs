// The build embeds SQL files as text; what runs the sources themselves needs the same.
import { register } from 'node:module';

const load = `
import { readFileSync } from 'node:fs';
export async function load(url, context, next) {
  if (!url.endsWith('.sql')) return next(url, context);
  const text = readFileSync(new URL(url), 'utf8');
  return { format: 'module', shortCircuit: true, source: 'export default ' + JSON.stringify(text) };
}`;
register(`data:text/javascript,${encodeURIComponent(load)}`);
